package shop

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

// A buyer who doesn't pay asks for thirty orders at the same moment, and gets as many as may
// wait; who pays one may have another.
func TestOpenOrdersAreLimited(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(1000)
		m.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
		placed := 0
		for _, err := range at(30, func(int) error { return second(m.PlaceOrder(t.Context(), bob, items(p, 1), "")) }) {
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
		if _, err := m.PlaceOrder(t.Context(), cara, items(p, 1), ""); !errors.Is(err, shopclient.ErrUnpaid) {
			t.Errorf("somebody else's: %v", err)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Poor = false })
		all, _, err := m.Orders(t.Context(), bob.ID, page(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Pay(t.Context(), bob.ID, all[0].ID, ""); err != nil {
			t.Fatal(err)
		}
		m.pending(p, 1)
	})
}

// Orders of many pieces at the same moment: together they hold what one buyer may.
func TestHeldPiecesAreLimited(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(1000), m.productOf(cara, "Cup", "3.00", 1000)
		m.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
		m.terms.OpenPieces = 50
		for _, err := range at(9, func(int) error { return second(m.PlaceOrder(t.Context(), bob, items(p, 20), "")) }) {
			if !errors.Is(err, shopclient.ErrUnpaid) && !errors.Is(err, shopclient.ErrOpenPieces) {
				t.Errorf("got %v", err)
			}
		}
		if held := 1000 - m.stock(p); held != 40 {
			t.Errorf("%d pieces are held, want 40", held)
		}
		_, err := m.PlaceOrder(t.Context(), bob, items(p, 11), "")
		if f := fault.Of(err); !errors.Is(err, shopclient.ErrOpenPieces) || f.Extra["held"] != int64(40) || f.Extra["limit"] != int64(50) || f.Extra["title"] != "Teapot" {
			t.Errorf("11 more: %v", err)
		}
		for name, in := range map[string]NewOrder{"10 more": items(p, 10), "of something else": items(q, 50)} {
			if _, err := m.PlaceOrder(t.Context(), bob, in, ""); !errors.Is(err, shopclient.ErrUnpaid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// What leaves few pieces for others must be paid soon.
func TestScarceGoodsMustBePaidSoon(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		for stock, want := range map[int64]time.Duration{11: m.payTime, 10: m.terms.ScarceTime, 1: m.terms.ScarceTime} {
			o := m.pending(m.product(stock), 1)
			if got := o.DeadlineAt.Sub(o.CreatedAt.Time); got != want {
				t.Errorf("one of %d pieces may wait for %s, want %s", stock, got, want)
			}
		}
	})
}

// An order that is refused counts neither for others that are written with it nor for its
// buyer's others.
func TestARefusedOrderCountsForNobody(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		plenty, rare := m.product(1000), m.productOf(ann, "Rare teapot", "12.00", 1)
		write := func(batch ...change) (answers []changed) {
			t.Helper()
			err := m.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) (err error) {
				answers, err = m.writeChanges(ctx, tx, batch)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return answers
		}
		place := func(buyer Person, p Product, n int64) change {
			return change{place: &placing{order: Order{ID: OrderID(id.New("ord")), Buyer: buyer.ID}, in: items(p, n)}}
		}
		got := write(place(cara, plenty, 995), place(bob, plenty, 1))
		if !errors.Is(got[0].err, shopclient.ErrOpenPieces) || got[1].err != nil {
			t.Fatalf("got %v and %v", got[0].err, got[1].err)
		}
		if wait := got[1].order.DeadlineAt.Sub(got[1].order.CreatedAt.Time); wait != m.payTime {
			t.Errorf("of plenty there is little: it is waited for %s, want %s", wait, m.payTime)
		}

		for range m.terms.OpenOrders - 1 {
			write(place(dan, plenty, 1))
		}
		last := place(dan, plenty, 1)
		got = write(place(dan, rare, 2), last)
		if !errors.Is(got[0].err, shopclient.ErrSoldOut) || !got[1].again {
			t.Fatalf("got %v, then again %t, %v", got[0].err, got[1].again, got[1].err)
		}
		if got := write(last); got[0].err != nil || got[0].again {
			t.Errorf("again: %v", got[0].err)
		}
	})
}
