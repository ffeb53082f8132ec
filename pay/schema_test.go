package pay_test

import (
	"context"
	"testing"

	"github.com/uptrace/bun"
)

// The schema refuses by itself what the rules never write, should they have a defect.
func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		if _, err := b.Charge(t.Context(), shop(alice), order("ord_1", 100)); err != nil {
			t.Fatal(err)
		}
		refund := "INSERT INTO refunds (id, payment_id, reference, payee, amount, reason, created_at) SELECT 'rfd_%', id, 'r', 'usr_seller', 1, '', 1 FROM payments"
		release := "INSERT INTO releases (id, payment_id, reference, payee, amount, fee, wallet_id, created_at) SELECT 'rel_%', id, 'r', 'usr_seller', 1, 0, 'w', 1 FROM payments"
		for name, statements := range map[string][]string{
			"more given back and on than was taken":            {"UPDATE payments SET refunded = 60, released = 41"},
			"more given back and on of a share than was taken": {"UPDATE payment_parties SET refunded = 60, released = 41"},
			"a second payment for an order": {"INSERT INTO payments (id, order_id, merchant, payer, state, amount, currency, expires_at, created_at) " +
				"SELECT 'pay_2', order_id, merchant, payer, 'open', amount, currency, expires_at, created_at FROM payments"},
			"a second refund with one reference":  {refund, "INSERT INTO refunds (id, payment_id, reference, payee, amount, reason, created_at) SELECT 'rfd_2', payment_id, reference, payee, amount, reason, created_at FROM refunds"},
			"a second release with one reference": {release, "INSERT INTO releases (id, payment_id, reference, payee, amount, fee, wallet_id, created_at) SELECT 'rel_2', payment_id, reference, payee, amount, fee, wallet_id, created_at FROM releases"},
		} {
			failed := -1
			err := b.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				for i, statement := range statements {
					if _, err := tx.NewRaw(statement).Exec(ctx); err != nil {
						failed = i
						return err
					}
				}
				return nil
			})
			if failed != len(statements)-1 {
				t.Errorf("%s is written, or what comes before it isn't: %v", name, err)
			}
		}
	})
}
