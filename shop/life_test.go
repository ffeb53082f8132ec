package shop

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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

// Every two of verbs that have to do with each other meet one order at the same moment, at two replicas. Both
// answers, and what there is afterwards of the order, its stock, shipment, refunds and payment, are what one after
// the other would give, in one of the two orders if they overlapped; and who was shown a state finds that, or one that follows from it.
// In the end nothing is left pending, and pay has done what was decided.
//
// Pay is shop/shoptest here. How pay itself bears each two of {pay, capture, close, expire, refund, release}, also of
// payments that are authorized first, is for its TestPairsRace.
func TestEveryPairRaces(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		for _, r := range all {
			r.standStill(start)
			r.terms.OpenOrders, r.terms.OpenPieces = 0, 0
		}
		p := m.product(1_000_000)
		for i, a := range verbs {
			for _, b := range verbs[i:] {
				pair := [2]verb{a, b}
				if from := meetings(pair); len(from) > 0 {
					t.Run(a.name+" and "+b.name, func(t *testing.T) { races(t, all, p, pair, from) })
				}
			}
		}
		for range 4 {
			m.forward(30 * 24 * time.Hour)
			m.workAtOnce()
		}
		m.work()
		m.everythingEnded()
	})
}

// races has a pair race from each beginning, now the one ahead, now the other. Who is behind looks at the order so
// often before that both come to one moment: more often after being first all the same, less often after not. In the
// long form each is first some time, where that can be seen.
func races(t *testing.T, all []*market, p Product, pair [2]verb, from []beginning) {
	n := 2
	if dbtest.Long() {
		n = rounds()
		if !ofLife(pair) {
			n /= 2
		}
	}
	product := all[0].modelOf(t, p)
	for i, b := range from {
		r := race{t: t, all: all, p: p, b: b, pair: pair}
		ends := inTurn(product, b, pair)
		differ := ends[0].text != ends[1].text
		var first, looks [2]int // by who was first, and by who is ahead
		for turn := range (n + len(from) - 1) / len(from) {
			ahead := (i + turn) % 2
			won := r.run(&product, ahead, looks[ahead])
			first[won]++
			switch {
			case !differ:
				looks[ahead] = turn / 2 % 4
			case won != ahead:
				looks[ahead] = min(1+looks[ahead]*3/2, 100)
			default:
				looks[ahead] -= min(looks[ahead], 1+looks[ahead]/4)
			}
		}
		if !differ {
			continue
		}
		t.Logf("%s: %s was first %d times, %s %d times", b.name, pair[0].name, first[0], pair[1].name, first[1])
		if dbtest.Long() && min(first[0], first[1]) == 0 {
			t.Errorf("%s: one of them was never first", b.name)
		}
	}
}

// race is two verbs that meet an order, one at each replica.
type race struct {
	t    *testing.T
	all  []*market
	p    Product
	b    beginning
	pair [2]verb
}

// run tells which of the two was first, as far as that can be seen, and brings the model's product to what is left.
func (r race) run(product *modelProduct, ahead, looks int) (first int) {
	r.t.Helper()
	ends := inTurn(*product, r.b, r.pair)
	x := r.begin()
	for i, m := range r.all {
		m.forward(r.pair[i].at)
	}
	var shown [2]Detail
	var answers [2]error
	var since, until [2]time.Time
	failed := at(2, func(k int) error {
		i := (ahead + k) % 2
		for range k * looks {
			if _, err := r.all[i].order(r.t.Context(), x.order); err != nil {
				return err
			}
			runtime.Gosched() // where there is one core, who is ahead goes on meanwhile
		}
		since[i] = time.Now()
		shown[i], answers[i] = r.pair[i].do(r.t.Context(), r.all[i].Service, x)
		until[i] = time.Now()
		return nil
	})
	if err := errors.Join(failed...); err != nil {
		r.t.Fatal(err)
	}
	for i, m := range r.all {
		m.forward(-r.pair[i].at)
	}
	now, there := r.all[0].sees(r.t, x, r.p)
	for k := range ends {
		if until[1-k].Before(since[k]) {
			ends[k].text = r.pair[k].name + " began when the other had ended"
		}
	}
	got := ended(answers, there)
	first = slices.IndexFunc(ends[:], func(f fit) bool { return f.text == got })
	if first < 0 {
		r.t.Fatalf("%s, order %s: got %s\nwant one of\n%s\n%s", r.b.name, x.order, got, ends[0].text, ends[1].text)
	}
	for i, d := range shown {
		if answers[i] == nil && !follows(d, now) {
			r.t.Errorf("%s, order %s: %s was shown %+v, it is %+v", r.b.name, x.order, r.pair[i].name, d, now)
		}
	}
	*product = *ends[first].products[0]
	return first
}

// begin makes an order that two things can happen to.
func (r race) begin() traded {
	r.t.Helper()
	m := r.all[0]
	o, err := m.place(r.t.Context(), bob, items(r.p, 1), "")
	if err != nil {
		r.t.Fatal(err)
	}
	x := traded{order: o.ID, shipment: shipmentsOf(o, start)[0].ID, refund: "rfd_none"}
	for _, v := range r.b.verbs {
		m.forward(v.at)
		shown, err := v.do(r.t.Context(), m.Service, x)
		m.forward(-v.at)
		if err != nil {
			r.t.Fatalf("%s: %s: %v", r.b.name, v.name, err)
		}
		for _, sh := range shown.Shipments {
			for _, rf := range sh.Refunds {
				x.refund = rf.ID
			}
		}
	}
	return x
}

// modelOf is the model's product with the stock that there is.
func (m *market) modelOf(t *testing.T, p Product) modelProduct {
	t.Helper()
	b, err := m.ledger.Balance(t.Context(), stockOf(p.ID))
	if err != nil {
		t.Fatal(err)
	}
	return modelProduct{id: p.ID, seller: p.Seller, price: p.Price, available: b.Available, held: b.Held}
}

// sees is what there is of an order, also in the words of [played.String].
func (m *market) sees(t *testing.T, x traded, p Product) (Detail, string) {
	t.Helper()
	o, err := m.order(t.Context(), x.order)
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.details(t.Context(), bob.ID, []Order{o}, true)
	if err != nil {
		t.Fatal(err)
	}
	stock := m.modelOf(t, p)
	return all[0], strings.Join(append(nowOf(0, all[0], m.pay.Payment(string(x.order))), stockLine(stock)), "\n")
}

// follows tells whether what somebody was shown of an order is so now, or led to what is.
func follows(shown, now Detail) bool {
	if !leads(from, shown.State, now.State) || len(shown.Shipments) > len(now.Shipments) {
		return false
	}
	for i, sh := range shown.Shipments {
		if !leads(shipmentFrom, sh.State, now.Shipments[i].State) {
			return false
		}
		for _, r := range sh.Refunds {
			k := slices.IndexFunc(now.Shipments[i].Refunds, func(x RefundDetail) bool { return x.ID == r.ID })
			if k < 0 || !leads(refundFrom, r.State, now.Shipments[i].Refunds[k].State) {
				return false
			}
		}
	}
	return true
}

// leads tells whether something that was in a state can be in another one now.
func leads[S ~string](before map[S][]S, was, is S) bool {
	return was == "" || was == is || slices.ContainsFunc(before[is], func(s S) bool { return leads(before, was, s) })
}

// everythingEnded finds that nothing waits any more but for people, and that pay has done with every order what
// the shop has decided.
func (m *market) everythingEnded() {
	m.t.Helper()
	var all []Order
	if err := m.db.NewSelect().Model(&all).Scan(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	for _, o := range all {
		if o.State == Pending {
			m.t.Errorf("order %s is pending", o.ID)
		}
		m.settled(o)
	}
	left, err := m.db.NewSelect().Model((*Refund)(nil)).Where("state = ?", Asked).Count(context.Background())
	if err != nil || left > 0 {
		m.t.Errorf("%d refunds are unanswered, %v", left, err)
	}
	left, err = m.db.NewSelect().Model((*Shipment)(nil)).Where("state = ?", Shipped).Where("open_refund IS NULL").Count(context.Background())
	if err != nil || left > 0 {
		m.t.Errorf("%d shipments are under way, %v", left, err)
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
