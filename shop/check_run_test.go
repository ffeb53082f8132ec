package shop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// Where nobody works, what is past its deadline is no violation: it ends when somebody does.
// What has no job any more would never end.
func TestWhatNobodyWillEndIsReported(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := newMarket(t, db)
		p := m.product(20)
		late := map[string]string{string(m.pending(p, 1).ID): settleJob}
		late[string(m.shipped(m.bought(p)).ID)] = confirmJob
		late[string(m.asked(m.shipped(m.bought(p)), nil).ID)] = answerJob
		received := m.shipped(m.bought(p))
		if err := second(m.Receive(t.Context(), bob.ID, received.ID)); err != nil {
			t.Fatal(err)
		}
		late[string(received.ID)] = releaseJob

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
		m.forward(30 * 24 * time.Hour)
		if ids := reported(); len(ids) > 0 {
			t.Errorf("reported while nobody works: %v", ids)
		}

		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
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

// Orders are read a thousand at a time: the last of each is read, the first of the next, and
// what would follow the last.
func TestEveryOrderIsChecked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := newMarket(t, db)
		const n = 2*orderPage + 1
		orders, lines, events := make([]Order, n), make([]OrderLine, n), make([]orderEvent, 0, 2*n)
		at := database.At(m.now())
		for i := range n {
			id := OrderID(fmt.Sprintf("ord_%06d", i))
			orders[i] = Order{ID: id, Buyer: bob.ID, State: Canceled, Total: 100, Currency: "CNY", DeadlineAt: at, CreatedAt: at}
			lines[i] = OrderLine{OrderID: id, Position: 1, ProductID: "prd_1", Seller: ann.ID, Price: 100, Quantity: 1}
			events = append(events, orderEvent{OrderID: id, State: Pending, At: at}, orderEvent{OrderID: id, State: Canceled, At: at})
		}
		var wrong []string
		for _, i := range []int{0, orderPage - 1, orderPage, 2*orderPage - 1, 2 * orderPage} {
			lines[i].Price++
			wrong = append(wrong, string(orders[i].ID))
		}
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			var errs []error
			for _, rows := range []any{&orders, &lines, &events} {
				_, err := tx.NewInsert().Model(rows).Exec(ctx)
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
		if err != nil {
			t.Fatal(err)
		}
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
