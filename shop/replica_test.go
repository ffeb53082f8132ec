package shop

import (
	"errors"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

// What one process writes in one batch several write side by side, so there the database's
// locks count.
func replicas(t *testing.T, f func(t *testing.T, m *market, all []*market)) {
	each(t, func(t *testing.T, m *market) {
		dbtest.NoTurns(t, m.db, "orders")
		f(t, m, []*market{m, newReplica(t, m.db, m.pay)})
	})
}

// A buyer who asks two replicas for thirty orders at once gets as many as one may have open.
func TestReplicasCountOpenOrdersTogether(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		p := m.product(1000)
		m.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
		placed := 0
		for _, err := range at(30, func(i int) error { return second(all[i%2].PlaceOrder(t.Context(), bob, items(p, 1), "")) }) {
			switch {
			case errors.Is(err, shopclient.ErrUnpaid):
				placed++
			case !errors.Is(err, shopclient.ErrOpenOrders):
				t.Errorf("got %v, want too many open orders", err)
			}
		}
		if placed != int(m.terms.OpenOrders) {
			t.Errorf("%d orders wait, want %d", placed, m.terms.OpenOrders)
		}
	})
}

// One cart that is checked out at two replicas is bought once.
func TestReplicasBuyACartOnce(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		p := m.product(100)
		for round := range 10 {
			m.fill(p, 2)
			seen := m.seenCart(bob)
			bought := 0
			for _, err := range at(8, func(i int) error { return second(all[i%2].PlaceOrder(t.Context(), bob, seen, token())) }) {
				switch code(err) {
				case "":
					bought++
				case "shop.cart_empty":
				default:
					t.Error(err)
				}
			}
			if left := int64(98 - 2*round); bought != 1 || m.stock(p) != left {
				t.Fatalf("round %d: bought %d times, %d are left, want %d", round, bought, m.stock(p), left)
			}
		}
	})
}

// A key that comes to two replicas at once is one order, which both tell. Each has it alone in its
// batch: a larger one that meets the key would be written again in halves anyway.
func TestReplicasKnowAKey(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		p := m.product(100)
		for round := range 20 {
			key := token()
			told := at(2, func(i int) OrderID {
				o, err := all[i].PlaceOrder(t.Context(), bob, items(p, 1), key)
				if err != nil {
					t.Error(err)
				}
				return o.ID
			})
			for _, oid := range told {
				if oid != told[0] || oid == "" {
					t.Fatalf("round %d: orders %v", round, told)
				}
			}
			if left := int64(99 - round); m.stock(p) != left {
				t.Fatalf("round %d: %d are left, want %d", round, m.stock(p), left)
			}
		}
	})
}

// An order that two replicas bring to different ends has one, which both tell.
func TestReplicasEndAnOrderOnce(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		p := m.product(100)
		for range 20 {
			o := m.pending(p, 1)
			ends := at(2, func(i int) State {
				got, err := all[i].finish(t.Context(), o, []State{Paid, Canceled}[i])
				if err != nil {
					t.Error(err)
				}
				return got.State
			})
			if ends[0] != ends[1] || ends[0] != m.state(o) {
				t.Fatalf("order %s is %s, and was told to be %v", o.ID, m.state(o), ends)
			}
		}
	})
}
