package shop

import (
	"context"
	"testing"
	"time"

	"jishi/shop/shoptest"
)

// left is an order of Bob's that pay was not asked for.
func (m *market) left(p Product) Order {
	m.t.Helper()
	m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
	o, err := m.PlaceOrder(context.Background(), bob, items(p, 2), "")
	if err == nil || o.State != Pending {
		m.t.Fatalf("order %s, %v; want pending and an outage", o.State, err)
	}
	m.pay.Set(func(x *shoptest.Pay) { x.Before = nil })
	return o
}

// An order whose buyer left before pay was asked is closed within seconds: at pay first, so
// that a request which was only slow is refused.
func TestAnOrderThatPayWasNotAskedForIsClosed(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.left(p)
		m.forward(settleFirst + time.Second)
		m.work()
		if got := m.state(o); got != Pending {
			t.Fatalf("at once it is %s, want pending: the request may be on its way", got)
		}
		m.forward(unaskedLife)
		m.work()
		if got := m.state(o); got != Canceled || m.stock(p) != 5 {
			t.Errorf("it is %s, stock %d; want canceled and 5", got, m.stock(p))
		}
		if late, err := m.Pay(t.Context(), bob.ID, o.ID, ""); err != nil || late.State != Canceled || m.pay.Payment(string(o.ID)).State != "closed" {
			t.Errorf("a late request: %s, %v, payment %+v; want canceled and closed", late.State, err, m.pay.Payment(string(o.ID)))
		}
	})
}

// When pay is away its buyers are told that their orders stand, so they do until the
// deadline, and can be paid when pay is back.
func TestAnOrderStandsWhilePayIsAway(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.left(p)
		m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
		m.forward(settleFirst + time.Second)
		m.work()
		m.pay.Set(func(x *shoptest.Pay) { x.Before = nil })
		for range 4 {
			m.forward(unaskedLife)
			m.work()
		}
		if got := m.state(o); got != Pending {
			t.Fatalf("it is %s, want pending", got)
		}
		if paid, err := m.Pay(t.Context(), bob.ID, o.ID, ""); err != nil || paid.State != Paid {
			t.Errorf("when pay is back: %s, %v; want paid", paid.State, err)
		}
	})
}
