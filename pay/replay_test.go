package pay_test

import (
	"errors"
	"strings"
	"testing"

	"jishi/kit/fault"
	"jishi/pay"
	"jishi/pay/payclient"
)

// A new secret whose answer got lost is asked for again with the same key: the secret before
// it, which the receiver has, still signs.
func TestASecretIsChangedOncePerKey(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		w := b.own(t, "key")
		caller := pay.Caller{Merchant: "other"}
		lost, err := b.RotateWebhook(t.Context(), caller, w.ID, "rotate")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := b.RotateWebhook(t.Context(), caller, w.ID, "rotate"); err != nil || again != lost {
			t.Errorf("%+v, %v, want %+v", again, err, lost)
		}
		b.event(t, "ord_1")
		b.catchUp(t)
		d := r.got[len(r.got)-1]
		for _, secret := range [][]byte{key(t, w), key(t, lost)} {
			if _, err := payclient.VerifyWebhook(d.header, d.body, [][]byte{secret}, b.clock.now()); err != nil {
				t.Error(err)
			}
		}
	})
}

// What was done under a key is the answer, also where it would be refused by now: the market
// was configured otherwise and started again.
func TestAKeyIsGoodWhateverIsConfigured(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.told()
		b.config.Webhooks.Plain = true
		b.Service = pay.New(b.config)
		newWallet := pay.NewWallet{Name: "savings", TopUp: 500}
		w, err1 := b.OpenWallet(t.Context(), alice, newWallet, "wallet")
		topUp, err2 := b.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "top-up")
		hook, err3 := b.CreateWebhook(t.Context(), merchant, "http://shop.test/", "webhook")
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		off, low := b.config, b.config
		off.Provider, off.Webhooks.Plain = nil, false
		low.MaxTopUp = 499
		for name, c := range map[string]pay.Config{"off": off, "a lower limit": low} {
			b.Service = pay.New(c)
			if again, err := b.OpenWallet(t.Context(), alice, newWallet, "wallet"); err != nil || again.ID != w.ID {
				t.Errorf("%s: wallet: %s, %v", name, again.ID, err)
			}
			if again, err := b.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "top-up"); err != nil || again != topUp {
				t.Errorf("%s: top-up: %+v, %v", name, again, err)
			}
			if again, err := b.CreateWebhook(t.Context(), merchant, "http://shop.test/", "webhook"); err != nil || again != hook {
				t.Errorf("%s: webhook: %+v, %v", name, again, err)
			}
			if _, err := b.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "new"); err == nil {
				t.Errorf("%s: a new top-up is made", name)
			}
			_, err := b.OpenWallet(t.Context(), alice, pay.NewWallet{Name: strings.Repeat("x", 41), TopUp: 500}, "new")
			if all := fault.All(err); len(all) != 2 || all[0].Field != "name" {
				t.Errorf("%s: a new wallet: %v", name, err)
			}
		}
	})
}
