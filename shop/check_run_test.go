package shop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/shop/shoptest"
)

// Where pay is away or nobody works, what is past its deadline is no violation: it ends when pay is
// back and somebody does. What has no job any more would never end, nor what has one for another year.
func TestWhatNobodyWillEndIsReported(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := newMarket(t, db)
		p := m.product(20)
		pending := m.pending(p, 1)
		late := map[string]string{string(pending.ID): settleJob}
		late[string(m.shipped(m.bought(p)).ID)] = confirmJob
		late[string(m.asked(m.shipped(m.bought(p)), nil).ID)] = answerJob
		received := m.shipped(m.bought(p))
		if err := second(m.Receive(t.Context(), bob.ID, received.ID)); err != nil {
			t.Fatal(err)
		}
		late[string(received.ID)] = releaseJob
		late[string(m.grantedRefund(m.shipped(m.bought(p)).ID, 200))] = refundJob

		reported := func() (ids []string) {
			_, err := m.Check(t.Context(), func(invariant, id, found string) {
				if invariant != NothingLate {
					t.Errorf("broken: %s: %s: %s", invariant, id, found)
				}
				ids = append(ids, id)
			})
			if err != nil {
				t.Error(err)
			}
			slices.Sort(ids)
			return ids
		}
		if ids := reported(); len(ids) > 0 {
			t.Errorf("reported before their time: %v", ids)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
		for m.work(); !m.clock().After(pending.DeadlineAt.Add(grace)); m.work() {
			m.forward(grace + time.Minute)
		}
		if ids := reported(); len(ids) > 0 {
			t.Errorf("reported while pay is away: %v", ids)
		}
		m.forward(30 * 24 * time.Hour)
		if ids := reported(); len(ids) > 0 {
			t.Errorf("reported while nobody works: %v", ids)
		}

		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			var errs []error
			for id, kind := range late {
				_, err := tx.NewUpdate().Table("jobs").Set("due_at = ?", database.At(m.clock().AddDate(1, 0, 0))).
					Where("kind = ?", kind).Where("? = ?", bun.Ident("key"), id).Exec(ctx)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := reported(), slices.Sorted(maps.Keys(late)); !slices.Equal(got, want) {
			t.Errorf("with jobs for another year %v are reported, want %v", got, want)
		}
		err = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			var errs []error
			for id, kind := range late {
				errs = append(errs, m.jobs.Remove(ctx, tx, kind, id))
			}
			return errors.Join(errs...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := reported(), slices.Sorted(maps.Keys(late)); !slices.Equal(got, want) {
			t.Errorf("without their jobs %v are reported, want %v", got, want)
		}
	}, Migrate)
}

// canceled is n orders from a number on, with all that belongs to them.
type canceled struct {
	orders []Order
	lines  []OrderLine
	events []orderEvent
}

func (m *market) canceled(from, n int) (c canceled) {
	at := database.At(m.now())
	for i := range n {
		id := OrderID(fmt.Sprintf("ord_%026d", from+i))
		c.orders = append(c.orders, Order{ID: id, Buyer: bob.ID, State: Canceled, Total: 100, Currency: "CNY", DeadlineAt: at, CreatedAt: at})
		c.lines = append(c.lines, OrderLine{OrderID: id, Position: 1, ProductID: "prd_1", Seller: ann.ID, Price: 100, Quantity: 1})
		c.events = append(c.events, orderEvent{OrderID: id, State: Pending, At: at}, orderEvent{OrderID: id, State: Canceled, At: at})
	}
	return c
}

func (m *market) write(c canceled) {
	m.t.Helper()
	err := m.db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error {
		var errs []error
		for _, rows := range []any{&c.orders, &c.lines, &c.events} {
			_, err := tx.NewInsert().Model(rows).Exec(ctx)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// Orders are read a thousand at a time: the last of each is read, the first of the next, and
// what would follow the last.
func TestEveryOrderIsChecked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := newMarket(t, db)
		const n = 2*orderPage + 1
		c := m.canceled(0, n)
		var wrong []string
		for _, i := range []int{0, orderPage - 1, orderPage, 2*orderPage - 1, 2 * orderPage} {
			c.lines[i].Price++
			wrong = append(wrong, string(c.orders[i].ID))
		}
		m.write(c)
		var found []string
		checked, err := m.Check(t.Context(), func(invariant, id, what string) {
			if invariant != TotalIsLines {
				t.Fatalf("broken: %s: %s: %s", invariant, id, what)
			}
			found = append(found, id)
		})
		if err != nil || checked.Orders != n || !slices.Equal(found, wrong) {
			t.Errorf("of %d orders (%v) %v are reported, want %v", checked.Orders, err, found, wrong)
		}
	}, Migrate)
}

// BenchmarkCheck fills a shop with as many orders as ORDERS says, and checks everything. It
// reports how many orders a second that reads, and the most memory that the process had.
//
//	ORDERS=2000000 go test ./shop -run - -bench Check -benchtime 1x -timeout 1h
func BenchmarkCheck(b *testing.B) {
	orders, _ := strconv.Atoi(os.Getenv("ORDERS"))
	if orders == 0 {
		orders = 5000
	}
	for name, url := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "mariadb": dbtest.MariaDB} {
		b.Run(name, func(b *testing.B) {
			m := newMarket(b, dbtest.Open(b, url(b), Migrate))
			for from := 0; from < orders; from += orderPage {
				m.write(m.canceled(from, min(orderPage, orders-from)))
			}
			dbtest.ForgetPeak(b)
			for b.Loop() {
				m.check()
			}
			b.ReportMetric(float64(orders*b.N)/b.Elapsed().Seconds(), "orders/s")
			b.ReportMetric(dbtest.Peak(b), "MB-peak")
		})
	}
}
