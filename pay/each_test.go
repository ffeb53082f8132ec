package pay_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database/dbtest"
	"jishi/pay"
	"jishi/pay/payclient"
)

// All of a merchant's payments are met in the order of their orders, over the ends of batches,
// and the server takes them from the index as they are asked for: it sorts nothing.
func TestEachPaymentInOrder(t *testing.T) {
	const n = 2500
	db := dbtest.Open(t, dbtest.MariaDB(t), pay.Migrate)
	b := newBench(t, db)
	type payment struct {
		bun.BaseModel `bun:"table:payments"`

		ID, OrderID, Merchant, Payer, State, Currency string
		Amount, ExpiresAt, CreatedAt, SettledAt       int64
	}
	rows := make([]payment, n)
	for i := range rows {
		rows[i] = payment{
			ID: fmt.Sprintf("pay_%04d", i), OrderID: fmt.Sprintf("ord_%04d", i*7%n), Merchant: "shop", State: payclient.Closed,
			Currency: "CNY", ExpiresAt: 1, CreatedAt: 1, SettledAt: 1,
		}
	}
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&rows).Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sorted := func() (n int64) {
		t.Helper()
		err := db.NewSelect().TableExpr("information_schema.GLOBAL_STATUS").Column("VARIABLE_VALUE").
			Where("VARIABLE_NAME = ?", "SORT_ROWS").Scan(t.Context(), &n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, met := sorted(), 0
	err = b.EachPayment(t.Context(), "shop", "ord_0009", "ord_2399", func(p pay.Payment) {
		if want := fmt.Sprintf("ord_%04d", met+10); p.Order != want {
			t.Errorf("payment %d is for %s, want %s", met, p.Order, want)
		}
		met++
	})
	if err != nil || met != 2390 {
		t.Errorf("met %d, %v, want 2390", met, err)
	}
	if after := sorted(); after != before {
		t.Errorf("%d rows were sorted", after-before)
	}
}
