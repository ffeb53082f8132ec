package shop

import (
	"testing"
	"time"

	"jishi/pay/payclient"
	"jishi/shop/shoptest"
)

// Money that comes after an order was canceled goes back by itself, once, whoever hears of it
// and however often; pay may be away meanwhile.
func TestLateMoneyGoesBack(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.pending(p, 2)
		if _, err := m.Cancel(t.Context(), bob.ID, o.ID); err != nil {
			t.Fatal(err)
		}
		if err := m.Hear(t.Context(), o.ID); err != nil {
			t.Fatal(err)
		}
		m.work()
		if x := m.pay.Payment(string(o.ID)); x.State != payclient.Closed {
			t.Fatalf("a message about a closed payment made it %s", x.State)
		}
		m.pay.Capture(string(o.ID), nil)
		for _, err := range at(8, func(int) error { return m.Hear(t.Context(), o.ID) }) {
			if err != nil {
				t.Error(err)
			}
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
		m.work()
		m.pay.Set(func(x *shoptest.Pay) { x.Before = nil })
		m.forward(time.Minute)
		m.work()
		x := m.pay.Payment(string(o.ID))
		if x.Refunded != x.Captured || m.state(o) != Canceled || m.stock(p) != 5 {
			t.Errorf("pay gave %s of %s back, the order is %s, stock %d", x.Refunded, x.Captured, m.state(o), m.stock(p))
		}
		if err := m.Hear(t.Context(), o.ID); err != nil {
			t.Error(err)
		}
		m.work()
		d, err := m.See(t.Context(), bob.ID, o.ID)
		if err != nil || len(d.History) != 4 || d.History[2].What != "order.late" || d.History[3].What != "order.repaid" {
			t.Errorf("its history is %+v, %v", d.History, err)
		}
	})
}

// What pay says of an order that is pending, paid or not there.
func TestHear(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.pending(m.product(5), 1)
		m.pay.Capture(string(o.ID), nil)
		for range 2 {
			if err := m.Hear(t.Context(), o.ID); err != nil || m.state(o) != Paid {
				t.Errorf("it is %s, %v", m.state(o), err)
			}
		}
		if err := m.Hear(t.Context(), "ord_none"); err != nil {
			t.Error(err)
		}
	})
}
