package shop

import (
	"context"
	"errors"
	"testing"
	"time"

	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

// bought is a paid order of Bob's for one piece of each.
func (m *market) bought(products ...Product) Order {
	m.t.Helper()
	var in NewOrder
	for _, p := range products {
		in.Items = append(in.Items, Item{Product: p.ID, Quantity: 1})
	}
	o, err := m.PlaceOrder(context.Background(), bob, in, "")
	if err != nil || o.State != Paid {
		m.t.Fatalf("order %s, %v; want paid", o.State, err)
	}
	return o
}

// shipmentsNow are those of an order, in the order of its lines.
func (m *market) shipmentsNow(o Order) []Shipment {
	m.t.Helper()
	var all []Shipment
	if err := m.db.NewSelect().Model(&all).Where("order_id = ?", o.ID).Order("id").Scan(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	return all
}

// shipped is the first shipment of an order, which its seller has sent.
func (m *market) shipped(o Order) Shipment {
	m.t.Helper()
	sh := m.shipmentsNow(o)[0]
	if err := second(m.Ship(context.Background(), sh.Seller, sh.ID, "SF", "SF1234")); err != nil {
		m.t.Fatal(err)
	}
	return m.shipmentsNow(o)[0]
}

// settled finds that pay has done with an order's money what the shop has decided.
func (m *market) settled(o Order) {
	m.t.Helper()
	shares := map[string]payclient.Party{}
	for _, party := range m.pay.Payment(string(o.ID)).Parties {
		shares[party.Payee] = party
	}
	for _, sh := range m.shipmentsNow(o) {
		released := int64(0)
		if sh.Released > 0 {
			released = sh.left()
		}
		if x := shares[string(sh.Seller)]; x.Refunded.Minor != sh.Refunded || x.Released.Minor != released {
			m.t.Errorf("of shipment %s (%s) pay has given %d back and released %d, want %d and %d", sh.ID, sh.State, x.Refunded.Minor, x.Released.Minor, sh.Refunded, released)
		}
	}
}

func TestShipAndReceive(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		o := m.bought(m.product(5), m.productOf(cara, "Cup", "3.00", 5))
		all := m.shipmentsNow(o)
		if len(all) != 2 || all[0].Seller != ann.ID || all[0].Amount != 1200 || all[1].Seller != cara.ID || all[1].Amount != 300 || all[0].State != Waiting {
			t.Fatalf("shipments %+v", all)
		}
		one, other := all[0].ID, all[1].ID
		if err := second(m.Receive(ctx, bob.ID, one)); !errors.Is(err, shopclient.ErrShipmentState) {
			t.Errorf("receive what was not sent: %v", err)
		}
		for range 2 {
			if err := second(m.Ship(ctx, ann.ID, one, " SF ", "SF1")); err != nil {
				t.Fatal(err)
			}
		}
		if err := second(m.Ship(ctx, ann.ID, one, "SF", "another")); !errors.Is(err, shopclient.ErrShipmentState) {
			t.Errorf("send it again in another way: %v", err)
		}
		for range 2 {
			if err := second(m.Receive(ctx, bob.ID, one)); err != nil {
				t.Fatal(err)
			}
		}
		m.work()
		m.settled(o)
		if got := m.state(o); got != Paid {
			t.Errorf("with one of two received the order is %s", got)
		}
		if err := errors.Join(second(m.Ship(ctx, cara.ID, other, "Post", "P2")), second(m.Receive(ctx, bob.ID, other))); err != nil {
			t.Fatal(err)
		}
		m.work()
		m.settled(o)
		if got := m.state(o); got != Completed {
			t.Errorf("with both received the order is %s", got)
		}
	})
}

func TestWhoMayShipAndReceive(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		sh := m.shipmentsNow(m.bought(m.product(5)))[0]
		for name, c := range map[string]struct{ got, want error }{
			"the buyer ships":       {second(m.Ship(ctx, bob.ID, sh.ID, "SF", "1")), fault.ErrForbidden},
			"another seller ships":  {second(m.Ship(ctx, cara.ID, sh.ID, "SF", "1")), shopclient.ErrNoShipment},
			"the operator ships":    {second(m.Ship(ctx, olga.ID, sh.ID, "SF", "1")), shopclient.ErrNoShipment},
			"nobody ships":          {second(m.Ship(ctx, "", sh.ID, "SF", "1")), shopclient.ErrNoShipment},
			"the seller receives":   {second(m.Receive(ctx, ann.ID, sh.ID)), fault.ErrForbidden},
			"without a carrier":     {second(m.Ship(ctx, ann.ID, sh.ID, " ", "1")), shopclient.ErrCarrier},
			"without a number":      {second(m.Ship(ctx, ann.ID, sh.ID, "SF", "\u200b")), shopclient.ErrTracking},
			"what there isn't":      {second(m.Ship(ctx, ann.ID, "shp_none", "SF", "1")), shopclient.ErrNoShipment},
			"a name that is a book": {second(m.Ship(ctx, ann.ID, sh.ID, string(make([]rune, 61)), "1")), shopclient.ErrCarrier},
		} {
			if !errors.Is(c.got, c.want) {
				t.Errorf("%s: got %v, want %v", name, c.got, c.want)
			}
		}
	})
}

// A buyer who says nothing has received it after a while.
func TestReceivedByItself(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.bought(m.product(5))
		m.shipped(o)
		m.forward(m.terms.ConfirmAfter - time.Minute)
		m.work()
		if got := m.shipmentsNow(o)[0].State; got != Shipped {
			t.Fatalf("before its time it is %s", got)
		}
		m.forward(2 * time.Minute)
		m.work()
		if got := m.shipmentsNow(o)[0].State; got != Received || m.state(o) != Completed {
			t.Errorf("it is %s, the order %s; want received and completed", got, m.state(o))
		}
		m.settled(o)
	})
}

// Pay is away for days, loses its answers, and comes back: each share is released once.
func TestReleaseTakesAsLongAsItTakes(t *testing.T) {
	for name, fail := range map[string]func(*shoptest.Pay){
		"not reached": func(p *shoptest.Pay) { p.Before = unreachable },
		"no answer":   func(p *shoptest.Pay) { p.After = noReply },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				o := m.bought(m.product(5))
				sh := m.shipped(o)
				m.pay.Set(fail)
				if err := second(m.Receive(t.Context(), bob.ID, sh.ID)); err != nil {
					t.Fatal(err)
				}
				for range 200 { // more than a job may fail
					m.work()
					m.forward(time.Hour)
				}
				if !m.shipmentsNow(o)[0].ReleasedAt.IsZero() {
					t.Error("it is released, and nobody has said so")
				}
				m.pay.Set(func(p *shoptest.Pay) { p.Before, p.After = nil, nil })
				m.forward(time.Hour)
				m.work()
				m.settled(o)
				if m.shipmentsNow(o)[0].ReleasedAt.IsZero() {
					t.Error("nobody knows that it is released")
				}
			})
		})
	}
}

// The last two shipments of an order end at the same moment: it is completed.
func TestLastShipmentsEndAtOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(1000), m.productOf(cara, "Cup", "3.00", 1000)
		for range rounds() {
			o := m.bought(p, q)
			all := m.shipmentsNow(o)
			for _, sh := range all {
				if err := second(m.Ship(t.Context(), sh.Seller, sh.ID, "SF", "1")); err != nil {
					t.Fatal(err)
				}
			}
			for _, err := range at(2, func(i int) error { return second(m.Receive(t.Context(), bob.ID, all[i].ID)) }) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := m.state(o); got != Completed {
				t.Fatalf("order %s is %s, want completed", o.ID, got)
			}
		}
	})
}

// A job for what is over, or never was, does nothing.
func TestLateShipmentJobs(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		sh := m.shipmentsNow(m.bought(m.product(5)))[0]
		for name, run := range map[string]job.Handler{"confirm": m.confirmLater, "release": m.releaseLater} {
			if err := run(t.Context(), job.Job{Key: string(sh.ID)}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if now, err := m.shipment(t.Context(), sh.ID); err != nil || now.State != Waiting {
			t.Errorf("it is %s, %v", now.State, err)
		}
	})
}
