package pay_test

import (
	"testing"

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
