package shop

import (
	"context"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/pay/payclient"
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

// dying is a pay for which a job dies.
type dying struct{ *shoptest.Pay }

func (dying) PaymentOf(context.Context, string) (payclient.Payment, error) { panic("killed") }

// A run of the job that died says nothing of pay: the order is closed as soon as others.
func TestAnOrderWhoseJobDiedIsClosed(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.left(p)
		m.payments = dying{m.pay}
		m.forward(settleFirst + time.Second)
		m.work()
		m.payments = m.pay
		m.forward(unaskedLife)
		m.work()
		if got := m.state(o); got != Canceled || m.stock(p) != 5 {
			t.Errorf("it is %s, stock %d; want canceled and 5", got, m.stock(p))
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

// When the payment is closed and the order's end gets lost, its job ends it some other time.
func TestAnEndThatWasLostIsWrittenLater(t *testing.T) {
	for name, c := range map[string]struct {
		order func(m *market, p Product) Order
		after time.Duration
	}{
		"at the deadline":       {func(m *market, p Product) Order { return m.pending(p, 2) }, time.Hour},
		"pay was not asked for": {(*market).left, unaskedLife},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				p := m.product(5)
				o := c.order(m, p)
				m.endsFail(database.ErrUnknown)
				m.forward(c.after)
				m.work()
				if x := m.pay.Payment(string(o.ID)); x.State != payclient.Closed || m.state(o) != Pending {
					t.Fatalf("payment %s, order %s; want closed and pending", x.State, m.state(o))
				}
				m.endsFail(nil)
				m.forward(awayPause)
				m.work()
				if got := m.state(o); got != Canceled || m.stock(p) != 5 {
					t.Errorf("it is %s, stock %d; want canceled and 5", got, m.stock(p))
				}
			})
		})
	}
}

// Who cancels an order, or is too late to pay it, isn't told that nothing has changed when
// its payment is closed.
func TestAfterThePaymentIsClosedSomethingHasChanged(t *testing.T) {
	for _, lost := range []error{database.ErrUnknown, database.ErrBusy} {
		t.Run(code(lost), func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				p := m.product(5)
				o := m.pending(p, 1)
				m.endsFail(lost)
				if _, err := m.Cancel(t.Context(), bob.ID, o.ID); err == nil || fault.Of(err).Kind != fault.Unknown {
					t.Errorf("cancel: %v, want unknown", err)
				}
				m.pay.Set(func(x *shoptest.Pay) { x.Late = true })
				late, err := m.PlaceOrder(t.Context(), bob, items(p, 1), "")
				if err == nil || fault.Of(err).Kind != fault.Unknown || late.State != Pending {
					t.Errorf("too late to pay: %s, %v; want an order that stands, and unknown", late.State, err)
				}
				m.endsFail(nil)
				if got, err := m.Cancel(t.Context(), bob.ID, o.ID); err != nil || got.State != Canceled {
					t.Errorf("cancel again: %s, %v", got.State, err)
				}
			})
		})
	}
}
