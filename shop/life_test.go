package shop

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
)

// rounds is how often a race is run.
func rounds() int {
	if os.Getenv("TEST_LONG") != "" {
		return 500
	}
	return 20
}

// traded is one order on its way, and what can happen to it.
type traded struct {
	order    Order
	shipment ShipmentID
	refund   RefundID // open, or ""
}

// verbs are all that moves an order, a shipment or a refund.
var verbs = []struct {
	name     string
	pending  bool // it is about orders that are not paid
	refund   bool // about an open refund
	underWay bool // about a shipment that was sent
	do       func(ctx context.Context, m *market, x traded) error
}{
	{"pay", true, false, false, func(ctx context.Context, m *market, x traded) error {
		return second(m.Pay(ctx, bob.ID, x.order.ID, ""))
	}},
	{"close", true, false, false, func(ctx context.Context, m *market, x traded) error { return second(m.close(ctx, x.order)) }},
	{"cancel", true, false, false, func(ctx context.Context, m *market, x traded) error {
		return second(m.Cancel(ctx, bob.ID, x.order.ID))
	}},
	{"expire", true, false, false, func(ctx context.Context, m *market, x traded) error {
		return m.closeLate(ctx, x.order)
	}},
	{"ship", false, false, false, func(ctx context.Context, m *market, x traded) error {
		return second(m.Ship(ctx, ann.ID, x.shipment, "SF", "1"))
	}},
	{"receive", false, false, true, func(ctx context.Context, m *market, x traded) error {
		return second(m.Receive(ctx, bob.ID, x.shipment))
	}},
	{"confirm", false, false, true, func(ctx context.Context, m *market, x traded) error {
		sh, err := m.shipment(ctx, x.shipment)
		if err != nil {
			return err
		}
		return m.receive(ctx, sh, "", func(*bun.UpdateQuery) {})
	}},
	{"grant", false, true, false, func(ctx context.Context, m *market, x traded) error { return second(m.Grant(ctx, ann.ID, x.refund)) }},
	{"refuse", false, true, false, func(ctx context.Context, m *market, x traded) error {
		return second(m.Refuse(ctx, ann.ID, x.refund, "No."))
	}},
	{"give back", false, false, false, func(ctx context.Context, m *market, x traded) error {
		return second(m.GiveBack(ctx, ann.ID, x.shipment, "Sold out."))
	}},
}

// Every two things that can happen to one order happen at the same moment. Whatever comes of
// it holds together: the invariants after all of it, the books of pay, and that nothing but
// a refusal or another one's success was ever said.
func TestEveryPairRaces(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		m.terms.ConfirmAfter = 0 // every timer is due
		p := m.product(1_000_000)
		for i, a := range verbs {
			for _, b := range verbs[i:] {
				t.Run(a.name+" and "+b.name, func(t *testing.T) {
					for range rounds() {
						x := m.onItsWay(p, a.pending || b.pending, a.refund || b.refund, (a.underWay || b.underWay) && a.name != "ship" && b.name != "ship")
						errs := at(2, func(i int) error {
							if i == 0 {
								return a.do(t.Context(), m, x)
							}
							return b.do(t.Context(), m, x)
						})
						m.judge(t, x, errs)
					}
				})
			}
		}
		for range 3 {
			m.work()
			m.forward(shortPause)
		}
		m.everythingSettled()
	})
}

// onItsWay makes an order that two things can happen to.
func (m *market) onItsWay(p Product, pending, refund, underWay bool) traded {
	m.t.Helper()
	if pending {
		o := m.pending(p, 1)
		return traded{o, shipmentsOf(o, m.now())[0].ID, "rfd_none"}
	}
	o := m.bought(p)
	x := traded{order: o, shipment: m.shipmentsNow(o)[0].ID}
	if underWay {
		m.shipped(o)
	}
	if refund {
		x.refund = m.asked(m.shipmentsNow(o)[0], nil).ID
	}
	return x
}

// judge says what is wrong with the outcome of a race.
func (m *market) judge(t *testing.T, x traded, errs []error) {
	t.Helper()
	for _, err := range errs {
		if f := fault.Of(err); f != nil && f.Kind != fault.Conflict && f.Kind != fault.NotFound {
			t.Errorf("order %s: %v", x.order.ID, err)
		}
	}
	all := m.shipmentsNow(x.order)
	state := m.state(x.order)
	if (len(all) > 0) != (state == Paid || state == Completed) {
		t.Fatalf("order %s is %s and has %d shipments", x.order.ID, state, len(all))
	}
	if x.refund == "" || x.refund == "rfd_none" {
		return
	}
	// An open refund is of everything, so its shipment ends by it or goes on without it.
	if r := m.refundNow(x.refund); r.State == Granted && all[0].State != Refunded {
		t.Errorf("refund %s is granted, its shipment %s", r.ID, all[0].State)
	}
}

// everythingSettled finds that pay has done with every order what the shop has decided.
func (m *market) everythingSettled() {
	m.t.Helper()
	var all []Order
	if err := m.db.NewSelect().Model(&all).Scan(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	for _, o := range all {
		m.settled(o)
	}
}

// Of many hands that take the same step, each in another way, one takes it.
func TestManyHandsOnOneStep(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		const hands = 20
		o := m.bought(m.product(5))
		sh := m.shipmentsNow(o)[0]
		for _, step := range []func(i int) error{
			func(i int) error { return second(m.Ship(ctx, ann.ID, sh.ID, "SF", fmt.Sprint(i))) },
			func(int) error { return second(m.AskRefund(ctx, bob.ID, sh.ID, NewRefund{Reason: "x"}, "")) },
			func(i int) error { return second(m.Refuse(ctx, ann.ID, m.only(o).ID, fmt.Sprint("no ", i))) },
		} {
			won := 0
			for _, err := range at(hands, step) {
				switch {
				case err == nil:
					won++
				case fault.Of(err).Kind != fault.Conflict:
					t.Error(err)
				}
			}
			if won != 1 {
				t.Fatalf("%d of %d won, want 1", won, hands)
			}
		}
	})
}

// only is the one refund of an order.
func (m *market) only(o Order) Refund {
	m.t.Helper()
	var all []Refund
	if err := m.db.NewSelect().Model(&all).Where("order_id = ?", o.ID).Scan(context.Background()); err != nil || len(all) != 1 {
		m.t.Fatalf("%d refunds, %v; want one", len(all), err)
	}
	return all[0]
}
