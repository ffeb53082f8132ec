package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/shop/shopclient"
)

// Stock is exact while statements and commits fail in every way that is known of servers,
// for buyers who ask again with the same key.
func TestOrdersUnderFaults(t *testing.T) {
	dbtest.UnderFaults(t, 1, func(t *testing.T, address string, way *dbtest.Faulty) {
		sound := newMarket(t, dbtest.Open(t, address, Migrate))
		through := newMarket(t, dbtest.Open(t, way.URL))
		through.pay = sound.pay // one pay for both
		through.payer, through.payments = sound.pay, sound.pay
		const supply, buyers, perBuyer = 40, 8, 4
		p := sound.product(supply)

		type answer struct {
			sold   int64
			orders map[OrderID]int64
		}
		answers := at(buyers, func(i int) answer {
			a := answer{orders: map[OrderID]int64{}}
			for n := range perBuyer {
				want := items(p, int64(1+n%2))
				key := fmt.Sprint("key-", n)
				ask := func() (Order, error) { return through.PlaceOrder(t.Context(), buyer(i), want, key) }
				o, err := dbtest.Insist(ask)
				for err == nil && o.State == Pending { // it stands, and how it ended got lost
					o, err = dbtest.Insist(ask)
				}
				if errors.Is(err, shopclient.ErrSoldOut) {
					continue
				}
				if err != nil || o.State != Paid {
					t.Errorf("buyer %d: %s, %v", i, o.State, err)
					continue
				}
				again, err := sound.PlaceOrder(t.Context(), buyer(i), want, key)
				if err != nil || again.ID != o.ID || again.State != Paid {
					t.Errorf("buyer %d: the same order again: %s %s, %v, want %s", i, again.ID, again.State, err, o.ID)
				}
				a.orders[o.ID] = want.Items[0].Quantity
				a.sold += want.Items[0].Quantity
			}
			return a
		})
		sold, orders := int64(0), 0
		for _, a := range answers {
			sold += a.sold
			orders += len(a.orders)
		}
		if left := sound.stock(p); left != supply-sold {
			t.Errorf("%d of %d are left, %d were sold", left, supply, sold)
		}
		if n, err := sound.db.NewSelect().Model((*Order)(nil)).Count(t.Context()); err != nil || n != int64(orders) {
			t.Errorf("there are %d orders, %v; %d were answered", n, err, orders)
		}
		sound.endUnpaid(through)
		t.Logf("%d sold in %d orders", sold, orders)
		sound.check()
	})
}

// endUnpaid has the jobs of another process end orders that nobody pays.
func (m *market) endUnpaid(through *market) {
	m.t.Helper()
	const orders = 10
	p := m.product(orders)
	for range orders {
		m.pending(p, 1)
	}
	log := slog.New(slog.DiscardHandler)
	for n, err := m.jobs.Size(context.Background()); err != nil || n.Waiting > 0; n, err = m.jobs.Size(context.Background()) {
		through.forward(through.payTime) // past deadlines, pauses and leases
		_, _ = through.jobs.Drain(context.Background(), log, through.handlers(log))
	}
	if left := m.stock(p); left != orders {
		m.t.Errorf("%d pieces of %d unpaid orders are free again", left, orders)
	}
}

// On a full disk an order is refused and holds nothing; with room again it is placed.
func TestOrderOnAFullDisk(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), Migrate)
	m := newMarket(t, db)
	const supply, orders = 1000, 200
	p := m.product(supply)
	full := 0
	for n := range int64(orders) {
		dbtest.LimitPages(t, db, 0)
		key := token()
		o, err := m.PlaceOrder(t.Context(), bob, items(p, 1), key)
		if errors.Is(err, database.ErrFull) {
			full++
			if left := m.stock(p); o.ID == "" && left != supply-n { // else it stands, and the job has it paid
				t.Errorf("order %d: %d are left, want %d", n, left, supply-n)
			}
			dbtest.LimitPages(t, db, -1)
			o, err = m.PlaceOrder(t.Context(), bob, items(p, 1), key)
		}
		if err != nil || o.State != Paid {
			t.Fatalf("order %d: %s, %v", n, o.State, err)
		}
	}
	if left := m.stock(p); left != supply-orders || full < 10 {
		t.Errorf("%d are left, want %d; the disk was full %d times", left, supply-orders, full)
	}
	m.check()
}
