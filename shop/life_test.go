package shop

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
)

// rounds is how often a race is run.
func rounds() int {
	if dbtest.Long() {
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

// said is what somebody was told that something is now; "" where nothing was said.
type said struct {
	order    State
	shipment ShipmentState
	refund   RefundState
}

// verbs are all that moves an order, a shipment or a refund.
var verbs = []struct {
	name     string
	pending  bool // it is about orders that are not paid
	refund   bool // about an open refund
	underWay bool // about a shipment that was sent
	means    said // by success, whatever else is said
	do       func(ctx context.Context, m *market, x traded) (said, error)
}{
	{"pay", true, false, false, said{}, func(ctx context.Context, m *market, x traded) (said, error) {
		return ofOrder(m.Pay(ctx, bob.ID, x.order.ID, ""))
	}},
	{"close", true, false, false, said{}, func(ctx context.Context, m *market, x traded) (said, error) { return ofOrder(m.close(ctx, x.order)) }},
	{"cancel", true, false, false, said{order: Canceled}, func(ctx context.Context, m *market, x traded) (said, error) {
		return ofOrder(m.Cancel(ctx, bob.ID, x.order.ID))
	}},
	{"expire", true, false, false, said{}, func(ctx context.Context, m *market, x traded) (said, error) {
		return said{}, m.closeLate(ctx, x.order)
	}},
	{"ship", false, false, false, said{shipment: Shipped}, func(ctx context.Context, m *market, x traded) (said, error) {
		return x.of(m.Ship(ctx, ann.ID, x.shipment, "SF", "1"))
	}},
	{"receive", false, false, true, said{shipment: Received}, func(ctx context.Context, m *market, x traded) (said, error) {
		return x.of(m.Receive(ctx, bob.ID, x.shipment))
	}},
	{"confirm", false, false, true, said{shipment: Received}, func(ctx context.Context, m *market, x traded) (said, error) {
		sh, err := m.shipment(ctx, x.shipment)
		if err != nil {
			return said{}, err
		}
		return said{}, m.receive(ctx, sh, "", func(*bun.UpdateQuery) {})
	}},
	{"grant", false, true, false, said{refund: Granted}, func(ctx context.Context, m *market, x traded) (said, error) {
		return x.of(m.Grant(ctx, ann.ID, x.refund))
	}},
	{"refuse", false, true, false, said{refund: Refused}, func(ctx context.Context, m *market, x traded) (said, error) {
		return x.of(m.Refuse(ctx, ann.ID, x.refund, "No."))
	}},
	{"give back", false, false, false, said{shipment: Refunded}, func(ctx context.Context, m *market, x traded) (said, error) {
		return x.of(m.GiveBack(ctx, ann.ID, x.shipment, "Sold out."))
	}},
}

func ofOrder(o Order, err error) (said, error) { return said{order: o.State}, err }

// of is what somebody was shown of what can happen to.
func (x traded) of(d Detail, err error) (said, error) {
	s := said{order: d.State}
	for _, sh := range d.Shipments {
		s.shipment = sh.State // there is one
		for _, r := range sh.Refunds {
			if r.ID == x.refund {
				s.refund = r.State
			}
		}
	}
	return s, err
}

// Every two things that can happen to one order happen at the same moment. Whatever comes of
// it holds together: the invariants after all of it, the books of pay, and what was said: a
// refusal, or a success that still stands or led to what is.
func TestEveryPairRaces(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		m.terms.ConfirmAfter = 0 // every timer is due
		p := m.product(1_000_000)
		for i, a := range verbs {
			for _, b := range verbs[i:] {
				t.Run(a.name+" and "+b.name, func(t *testing.T) {
					for range rounds() {
						x := m.onItsWay(p, a.pending || b.pending, a.refund || b.refund, (a.underWay || b.underWay) && a.name != "ship" && b.name != "ship")
						m.judge(t, x, at(2, func(i int) answer {
							verb := a
							if i == 1 {
								verb = b
							}
							shown, err := verb.do(t.Context(), m, x)
							return answer{verb.name, []said{verb.means, shown}, err}
						}))
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

// answer is what one in a race was told.
type answer struct {
	verb string
	said []said // unless err refuses it
	err  error
}

// judge says what is wrong with the outcome of a race.
func (m *market) judge(t *testing.T, x traded, answers []answer) {
	t.Helper()
	all := m.shipmentsNow(x.order)
	now := said{order: m.state(x.order)}
	if len(all) > 0 {
		now.shipment = all[0].State
	}
	if x.refund != "" && x.refund != "rfd_none" {
		now.refund = m.refundNow(x.refund).State
	}
	for _, a := range answers {
		if f := fault.Of(a.err); f != nil {
			if f.Kind != fault.Conflict && f.Kind != fault.NotFound {
				t.Errorf("order %s: %s: %v", x.order.ID, a.verb, a.err)
			}
			continue
		}
		for _, s := range a.said {
			if !leads(from, s.order, now.order) || !leads(shipmentFrom, s.shipment, now.shipment) || !leads(refundFrom, s.refund, now.refund) {
				t.Errorf("order %s: %s was told of %+v, it is %+v", x.order.ID, a.verb, s, now)
			}
		}
	}
	if (len(all) > 0) != (now.order == Paid || now.order == Completed) {
		t.Fatalf("order %s is %s and has %d shipments", x.order.ID, now.order, len(all))
	}
	// An open refund is of everything, so its shipment ends by it or goes on without it.
	if now.refund == Granted && now.shipment != Refunded {
		t.Errorf("refund %s is granted, its shipment %s", x.refund, now.shipment)
	}
}

// leads tells whether something that was in a state can be in another one now.
func leads[S ~string](before map[S][]S, was, is S) bool {
	return was == "" || was == is || slices.ContainsFunc(before[is], func(s S) bool { return leads(before, was, s) })
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
