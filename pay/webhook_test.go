package pay_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jishi/kit/fault"
	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

// receiver is who webhooks are sent to: it answers what the test says and keeps what came.
type receiver struct {
	mu     sync.Mutex
	status int
	pause  time.Duration
	err    error
	got    []delivery
}

type delivery struct {
	url    string
	header http.Header
	body   []byte
}

func (r *receiver) Send(_ context.Context, url string, header map[string]string, body []byte) (int, time.Duration, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	r.got = append(r.got, delivery{url, h, slices.Clone(body)})
	return r.status, r.pause, r.err
}

// told gives b a receiver of everything.
func (b *bench) told() *receiver {
	r := &receiver{status: 204}
	b.config.Webhooks = pay.Webhooks{
		Sender: r, Sealer: web.NewSealer([][]byte{make([]byte, 32)}),
		Own: []pay.OwnWebhook{{Merchant: "shop", URL: "http://shop.test/webhooks/pay", Secrets: [][]byte{[]byte("new"), []byte("old")}}},
	}
	b.Service = pay.New(b.config)
	return r
}

func (b *bench) catchUp(t testing.TB) {
	t.Helper()
	if err := b.CatchUp(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// A merchant is told what became of its payments but by its own calls, in the transaction
// that it came to be in.
func TestAMerchantIsToldWhatItDidNotAskFor(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		open := func(id string, hold bool) pay.PaymentID {
			in := order(id, 100)
			in.Hold = hold
			_, err := b.Charge(t.Context(), shop(alice), in)
			s, ok := payclient.ShortageOf(err)
			if !ok {
				t.Fatal(err)
			}
			return pay.PaymentID(s.Payment)
		}
		late := open("ord_late", false)
		b.clock.pass(10 * time.Minute)
		cashier, held, left, merchants := open("ord_cashier", false), open("ord_held", true), open("ord_left", false), open("ord_merchants", false)
		b.wallet(t, alice, 1000)
		_, err1 := b.Pay(t.Context(), alice, cashier, "")
		_, err2 := b.Pay(t.Context(), alice, cashier, "") // nothing new
		_, err3 := b.Pay(t.Context(), alice, held, "")
		_, err4 := b.Close(t.Context(), pay.Caller{User: alice, Merchant: "pay"}, left)
		_, err5 := b.Close(t.Context(), merchant, merchants)
		_, err6 := b.Charge(t.Context(), shop(alice), order("ord_own", 1))
		_, err7 := b.Capture(t.Context(), merchant, held, nil)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
			t.Fatal(err)
		}
		b.clock.pass(20 * time.Minute)
		b.catchUp(t)
		var told []string
		ids := map[string]bool{}
		for _, d := range r.got {
			e, err := payclient.VerifyWebhook(d.header, d.body, [][]byte{[]byte("old")}, b.clock.now())
			if err != nil || d.url != "http://shop.test/webhooks/pay" {
				t.Fatalf("%+v, %v", d, err)
			}
			told = append(told, e.Type+" "+e.Data.Order+" "+e.Data.State)
			ids[d.header.Get(payclient.WebhookID)] = true
		}
		slices.Sort(told)
		want := []string{"payment.authorized ord_held authorized", "payment.captured ord_cashier captured", "payment.closed ord_late closed", "payment.closed ord_left closed"}
		if !slices.Equal(told, want) || len(ids) != len(want) {
			t.Errorf("told %q by %d events", told, len(ids))
		}
		if p, err := b.Payment(t.Context(), merchant, late); err != nil || !p.Expired {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// own makes a webhook of another merchant and has one event sent there.
func (b *bench) own(t *testing.T, key string) pay.Webhook {
	t.Helper()
	w, err := b.CreateWebhook(t.Context(), pay.Caller{Merchant: "other"}, "https://other.test/hook", key)
	if err != nil || !strings.HasPrefix(w.Secret, "whsec_") || w.Disabled {
		t.Fatalf("%+v, %v", w, err)
	}
	return w
}

func (b *bench) event(t *testing.T, id string) {
	t.Helper()
	other := pay.Caller{User: alice, Merchant: "other"}
	_, _ = b.Charge(t.Context(), other, order(id, 1_000_000))
	if _, err := b.CloseOrder(t.Context(), other, id); err != nil {
		t.Fatal(err)
	}
}

// An event is tried ten times over three days, at exactly the pauses that Standard Webhooks
// proposes, the same each time but for the time that is signed, and then given up.
func TestTheSchedule(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		b.own(t, "")
		b.event(t, "ord_1")
		answers := []struct {
			status int
			err    error
		}{{500, nil}, {302, nil}, {0, errors.New("no answer")}, {404, nil}}
		pauses := []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
			10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
		for i, pause := range pauses {
			answer := answers[i%len(answers)]
			r.status, r.err = answer.status, answer.err
			if pause > 0 {
				b.clock.pass(pause - time.Second)
				b.catchUp(t)
				if len(r.got) != i {
					t.Fatalf("try %d came less than %s after the one before", i+1, pause)
				}
				b.clock.pass(time.Second)
			}
			b.catchUp(t)
			if len(r.got) != i+1 {
				t.Fatalf("%d tries, want %d: one %s after the one before", len(r.got), i+1, pause)
			}
		}
		b.clock.pass(30 * 24 * time.Hour)
		b.catchUp(t)
		if len(r.got) != len(pauses) {
			t.Errorf("%d tries, want %d", len(r.got), len(pauses))
		}
		ids := map[string]bool{}
		for _, d := range r.got {
			ids[d.header.Get(payclient.WebhookID)+string(d.body)] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d different events", len(ids))
		}
	})
}

// The market's own shop may be away for as long as it takes to start it again: it hears of an
// event within seconds of its return, and whatever it answers it is tried for hours.
func TestTheMarketsOwnHearSoon(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		if _, err := b.Close(t.Context(), pay.Caller{User: alice, Merchant: "pay"}, b.unpaid(t, alice, "ord_1")); err != nil {
			t.Fatal(err)
		}
		r.err, r.pause = errors.New("no answer"), time.Hour
		answers := []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusGone}
		tries := func(n int, pause time.Duration) {
			t.Helper()
			for range n {
				before := len(r.got)
				b.clock.pass(pause)
				b.catchUp(t)
				if len(r.got) != before+1 {
					t.Fatalf("%d tries %s after try %d", len(r.got)-before, pause, before)
				}
				r.status, r.err = answers[len(r.got)%len(answers)], nil
			}
		}
		tries(5, 20*time.Second)
		tries(30, 15*time.Minute)
		r.status = http.StatusNoContent
		tries(1, 15*time.Minute)
		b.clock.pass(time.Hour)
		b.catchUp(t)
		if len(r.got) != 36 {
			t.Errorf("%d tries of what was heard", len(r.got)-36)
		}
	})
}

// A receiver that is gone gets nothing more; one that asks for a pause gets it.
func TestWhatReceiversAnswer(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		w := b.own(t, "")
		b.event(t, "ord_1")
		r.status, r.pause = http.StatusTooManyRequests, time.Hour
		b.catchUp(t)
		r.status, r.pause = 204, 0
		b.clock.pass(59 * time.Minute)
		b.catchUp(t)
		if len(r.got) != 1 {
			t.Errorf("%d tries within the pause", len(r.got))
		}
		b.clock.pass(time.Minute)
		b.catchUp(t)
		if len(r.got) != 2 {
			t.Errorf("%d tries after it", len(r.got))
		}
		b.event(t, "ord_2")
		b.event(t, "ord_3")
		r.status = http.StatusGone
		b.catchUp(t)
		if len(r.got) != 3 {
			t.Errorf("%d tries, want one more and then none", len(r.got))
		}
		b.event(t, "ord_4")
		b.catchUp(t)
		all, err := b.Webhooks(t.Context(), pay.Caller{Merchant: "other"})
		if err != nil || len(all) != 1 || all[0].ID != w.ID || !all[0].Disabled || all[0].Secret != "" || len(r.got) != 3 {
			t.Errorf("%+v, %v; %d tries", all, err, len(r.got))
		}
	})
}

func key(t *testing.T, w pay.Webhook) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.Secret, "whsec_"))
	if err != nil || len(b) != 32 {
		t.Fatalf("%q: %d bytes, %v", w.Secret, len(b), err)
	}
	return b
}

// For a day after it was changed a receiver that knows either secret can verify.
func TestSecretsAreChanged(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		r := b.told()
		w := b.own(t, "key")
		if again := b.own(t, "key"); again != w {
			t.Errorf("the same key: %+v, then %+v", w, again)
		}
		rotated, err := b.RotateWebhook(t.Context(), pay.Caller{Merchant: "other"}, w.ID, "")
		if err != nil || rotated.Secret == w.Secret {
			t.Fatalf("%+v, %v", rotated, err)
		}
		verifies := func(secret []byte) bool {
			d := r.got[len(r.got)-1]
			_, err := payclient.VerifyWebhook(d.header, d.body, [][]byte{secret}, b.clock.now())
			return err == nil
		}
		for i, wait := range []time.Duration{0, 23 * time.Hour, 2 * time.Hour} {
			b.clock.pass(wait)
			b.event(t, fmt.Sprint("ord_", i))
			b.catchUp(t)
			if got := verifies(key(t, w)); got != (i < 2) || !verifies(key(t, rotated)) {
				t.Errorf("%d: the secret before verifies: %t; the new one: %t", i, got, verifies(key(t, rotated)))
			}
		}
	})
}

func TestWebhooksAreTheMerchants(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.told()
		w := b.own(t, "")
		other := pay.Caller{Merchant: "another"}
		for _, address := range []string{"", "other.test", "http://other.test/", "https://", "https://u:p@other.test/", "https://other.test/#x", "ftp://other.test/", "https://other.test/" + strings.Repeat("x", 500)} {
			if _, err := b.CreateWebhook(t.Context(), other, address, ""); !errors.Is(err, payclient.ErrWebhookURL) {
				t.Errorf("%q: %v", address, err)
			}
		}
		_, err1 := b.CreateWebhook(t.Context(), shop(alice), "https://other.test/", "")
		_, err2 := b.Webhooks(t.Context(), shop(alice))
		_, err3 := b.RotateWebhook(t.Context(), shop(alice), w.ID, "")
		err4 := b.DeleteWebhook(t.Context(), shop(alice), w.ID)
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, fault.ErrForbidden) {
				t.Errorf("a user, %d: %v", i+1, err)
			}
		}
		_, err1 = b.RotateWebhook(t.Context(), other, w.ID, "")
		err2 = b.DeleteWebhook(t.Context(), other, w.ID)
		if !errors.Is(err1, payclient.ErrNoWebhook) || !errors.Is(err2, payclient.ErrNoWebhook) {
			t.Errorf("another merchant: %v, %v", err1, err2)
		}
		if _, err := b.RotateWebhook(t.Context(), other, pay.WebhookID(strings.Repeat("x", 300)), "key"); !errors.Is(err, payclient.ErrNoWebhook) {
			t.Errorf("an id that is too long, with a key: %v", err)
		}
		for range 10 {
			if _, err := b.CreateWebhook(t.Context(), other, "https://another.test/", ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.CreateWebhook(t.Context(), other, "https://another.test/", ""); !errors.Is(err, payclient.ErrTooManyWebhooks) {
			t.Errorf("an eleventh: %v", err)
		}
		if err := b.DeleteWebhook(t.Context(), pay.Caller{Merchant: "other"}, w.ID); err != nil {
			t.Error(err)
		}
	})
}

// under is b with other secrets of the market.
func (b *bench) under(secrets ...byte) *bench {
	c := b.config
	c.Webhooks.Sealer = sealerOf(secrets...)
	return &bench{pay.New(c), b.db, c, b.clock}
}

func sealerOf(secrets ...byte) *web.Sealer {
	var keys [][]byte
	for _, s := range secrets {
		keys = append(keys, bytes.Repeat([]byte{s}, 32))
	}
	return web.NewSealer(keys)
}

// Once secrets of webhooks were resealed the market's secret before isn't needed any more:
// both secrets of one that was just changed still sign.
func TestWebhooksOutliveTheSecretBefore(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const old, young = 1, 2
		r := b.told()
		before := b.under(old)
		w := before.own(t, "key")
		rotated, err := before.RotateWebhook(t.Context(), pay.Caller{Merchant: "other"}, w.ID, "rotation")
		if err != nil {
			t.Fatal(err)
		}
		var changed atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				n, err := b.under(young, old).Reseal(t.Context())
				if err != nil {
					t.Error(err)
				}
				changed.Add(int64(n))
			})
		}
		wg.Wait()
		if n := changed.Load(); n != 2 {
			t.Errorf("%d secrets were resealed, want 2", n)
		}

		after := b.under(young)
		if again := after.own(t, "key"); again.Secret != rotated.Secret {
			t.Errorf("%+v, want %+v", again, rotated)
		}
		after.event(t, "ord_1")
		after.catchUp(t)
		if len(r.got) != 1 {
			t.Fatalf("%d events, want 1", len(r.got))
		}
		for _, secret := range []pay.Webhook{w, rotated} {
			if _, err := payclient.VerifyWebhook(r.got[0].header, r.got[0].body, [][]byte{key(t, secret)}, b.clock.now()); err != nil {
				t.Errorf("%s: %v", secret.Secret, err)
			}
		}
		if _, err := before.RotateWebhook(t.Context(), pay.Caller{Merchant: "other"}, w.ID, "rotation"); err == nil {
			t.Error("the secret before still opens it")
		}
	})
}

// tardy is a sealer that has something happen before what it seals anew is stored.
type tardy struct {
	*web.Sealer
	first func()
}

func (s tardy) Reseal(purpose, sealed string) (string, error) {
	s.first()
	return s.Sealer.Reseal(purpose, sealed)
}

// A webhook that gets a new secret while the one it had is resealed keeps the new one.
func TestResealingNeverBringsASecretBack(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const old, young = 1, 2
		b.told()
		w := b.under(old).own(t, "key")
		var rotated pay.Webhook
		first := sync.OnceFunc(func() {
			var err error
			if rotated, err = b.under(young, old).RotateWebhook(t.Context(), pay.Caller{Merchant: "other"}, w.ID, ""); err != nil {
				t.Error(err)
			}
		})
		c := b.config
		c.Webhooks.Sealer = tardy{sealerOf(young, old), first}
		if n, err := pay.New(c).Reseal(t.Context()); n != 0 || err != nil {
			t.Errorf("%d secrets were resealed, %v", n, err)
		}
		if now := b.under(young, old).own(t, "key"); now.Secret != rotated.Secret {
			t.Errorf("its secret is %s, want %s", now.Secret, rotated.Secret)
		}
		if n, err := b.under(young, old).Reseal(t.Context()); n != 1 || err != nil {
			t.Errorf("%d secrets were resealed the next time, %v; want the one before", n, err)
		}
	})
}
