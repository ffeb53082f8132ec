package pay_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay"
)

// meeting is a payment that two verbs meet, between users of its own.
type meeting struct {
	b            *bench
	m            *model
	order        string
	id           pay.PaymentID
	payer, payee authclient.UserID
}

// racer is a verb that races, and what the model says of it.
type racer struct {
	name  string
	do    func(t *testing.T, x *meeting) error
	model func(x *meeting, m *model) error
}

func (x *meeting) part() []pay.Party { return []pay.Party{{Payee: string(x.payee), Amount: 80}} }
func (x *meeting) refund() pay.NewRefund {
	return pay.NewRefund{ID: "refund", Payee: string(x.payee), Amount: 60}
}
func (x *meeting) release() pay.NewRelease {
	return pay.NewRelease{ID: "release", Payee: string(x.payee), Amount: 70}
}

var racers = []racer{
	{"pay",
		func(t *testing.T, x *meeting) error { _, err := x.b.Pay(t.Context(), x.payer, x.id, ""); return err },
		func(x *meeting, m *model) error { return m.pay(x.payer, x.order, -1) }},
	{"capture",
		func(t *testing.T, x *meeting) error {
			_, err := x.b.Capture(t.Context(), merchant, x.id, x.part())
			return err
		},
		func(x *meeting, m *model) error { return m.capture(x.order, x.part()) }},
	{"close",
		func(t *testing.T, x *meeting) error { _, err := x.b.Close(t.Context(), merchant, x.id); return err },
		func(x *meeting, m *model) error { return m.closeOrder(x.order) }},
	{"expire",
		func(t *testing.T, x *meeting) error {
			x.b.clock.pass(time.Hour)
			return x.b.CatchUp(t.Context(), slog.New(slog.DiscardHandler))
		},
		func(x *meeting, m *model) error { m.pass(time.Hour); return nil }},
	{"refund",
		func(t *testing.T, x *meeting) error {
			_, err := x.b.Refund(t.Context(), merchant, x.id, x.refund())
			return err
		},
		func(x *meeting, m *model) error { return m.refund(x.order, x.refund()) }},
	{"release",
		func(t *testing.T, x *meeting) error {
			_, err := x.b.Release(t.Context(), merchant, x.id, x.release())
			return err
		},
		func(x *meeting, m *model) error { return m.release(x.order, x.release()) }},
}

// Two verbs that meet a payment at the same moment, each of them with each and with itself,
// end as one after the other would, in either order: with the same answers, the same
// counters and the same money.
func TestPairsRace(t *testing.T) {
	rounds := 20
	if dbtest.Long() {
		rounds = 500
	}
	each(t, func(t *testing.T, b *bench) {
		n := 0
		for _, begin := range []struct {
			name       string
			hold, paid bool
		}{
			{name: "open"},
			{name: "open, to be held", hold: true},
			{name: "authorized", hold: true, paid: true},
			{name: "captured", paid: true},
		} {
			for i, first := range racers {
				for _, second := range racers[i:] {
					t.Run(begin.name+"/"+first.name+" against "+second.name, func(t *testing.T) {
						for range rounds {
							n++
							meet(t, b, n, begin.hold, begin.paid).race(t, first, second)
						}
					})
				}
			}
		}
	})
}

// meet makes a payment of 100, for which there is money.
func meet(t *testing.T, b *bench, n int, hold, paid bool) *meeting {
	t.Helper()
	x := &meeting{
		b: b, m: newModel(b.clock.now(), b.config.Fee), order: fmt.Sprint("ord_", n),
		payer: authclient.UserID(fmt.Sprint("usr_payer_", n)), payee: authclient.UserID(fmt.Sprint("usr_payee_", n)),
	}
	in := pay.NewPayment{Order: x.order, Hold: hold, Parties: []pay.Party{{Payee: string(x.payee), Amount: 100}}}
	charge := func() {
		_ = x.m.charge(x.payer, in, -1)
		_, _ = b.Charge(t.Context(), shop(x.payer), in) // without a wallet it is refused, and stays open
	}
	if !paid {
		charge()
	}
	b.wallet(t, x.payer, 1000)
	x.m.openWallet(x.payer, 1000)
	if paid {
		charge()
	}
	p, err := b.PaymentOf(t.Context(), merchant, x.order)
	if err != nil {
		t.Fatal(err)
	}
	x.id = p.ID
	return x
}

func (x *meeting) race(t *testing.T, first, second racer) {
	t.Helper()
	var answers [2]error
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, r := range []racer{first, second} {
		wg.Go(func() {
			<-start
			answers[i] = r.do(t, x)
		})
	}
	close(start)
	wg.Wait()

	one, other := x.m.clone(), x.m.clone()
	answer1, answer2 := first.model(x, one), second.model(x, one)
	can := []string{outcome(answer1, answer2, one.String())}
	answer2 = second.model(x, other)
	answer1 = first.model(x, other)
	can = append(can, outcome(answer1, answer2, other.String()))
	// Who has a wallet by now, the model knows of that order that has more of them.
	known := one
	if len(other.wallets) > len(one.wallets) {
		known = other
	}
	if got := outcome(answers[0], answers[1], x.b.look(t, known)); !slices.Contains(can, got) {
		t.Fatalf("got %s\nwant one of\n%s\n%s", got, can[0], can[1])
	}
}

// outcome is the two answers and what there is afterwards.
func outcome(first, second error, there string) string {
	code := func(err error) string {
		if err == nil {
			return "done"
		}
		return fault.Of(err).Code
	}
	return fmt.Sprintf("%s, %s:\n%s", code(first), code(second), there)
}
