package ledger

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// The schema refuses by itself what the engine never writes, should it have a defect.
func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("m", "world", "a", 100))
		must(t, l, hold("h", "a", "escrow", 60))
		must(t, l, end("p", Post, "h", 60))
		copied := func(set string, id string) string {
			return "INSERT INTO transfers (id, kind, debit, credit, unit, amount, hold_id, code, ref, at, debit_seq, debit_posted, debit_held, batch) " +
				"SELECT 'copy', kind, debit, credit, unit, " + set + ", code, ref, at, debit_seq + 100, debit_posted, debit_held, batch FROM transfers WHERE id = '" + id + "'"
		}
		for name, statement := range map[string]string{
			"a balance below its floor":       "UPDATE accounts SET posted = held + floor - 1 WHERE id = 'a'",
			"more held than there is":         "UPDATE accounts SET held = posted - floor + 1 WHERE id = 'c'",
			"a transfer of nothing":           copied("0, NULL", "m"),
			"a hold that ends a second time":  copied("amount, hold_id", "p"),
			"a number that was given already": "UPDATE transfers SET debit_seq = 2 WHERE id = 'p'",
		} {
			err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewRaw(statement).Exec(ctx)
				return err
			})
			if err == nil {
				t.Errorf("%s is written", name)
			}
		}
		// The key of an account's numbers is what a second engine at work would meet.
		err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewRaw("UPDATE transfers SET debit_seq = 2 WHERE id = 'p'").Exec(ctx)
			return err
		})
		if !database.Taken(err) {
			t.Errorf("a number that was given already: %v", err)
		}
	})
}
