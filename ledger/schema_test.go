package ledger

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// The schema refuses by itself what the engine never writes, should it have a defect, or
// should a second one be at work.
func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("m", "world", "a", 100))
		must(t, l, hold("h", "a", "c", 60))
		must(t, l, end("p", Post, "h", 60))
		must(t, l, move("n", "a", "c", 1))
		copied := func(set string, id string) string {
			return "INSERT INTO transfers (id, kind, debit, credit, unit, amount, hold_id, code, ref, at, debit_seq, debit_posted, debit_held, batch) " +
				"SELECT 'copy', kind, debit, credit, unit, " + set + ", code, ref, at, debit_seq + 100, debit_posted, debit_held, batch FROM transfers WHERE id = '" + id + "'"
		}
		dbtest.Refused(t, l.db, dbtest.Check, "a balance below its floor", "UPDATE accounts SET posted = held + floor - 1 WHERE id = 'a'")
		dbtest.Refused(t, l.db, dbtest.Check, "more held than there is", "UPDATE accounts SET held = posted - floor + 1 WHERE id = 'c'")
		dbtest.Refused(t, l.db, dbtest.Check, "a transfer of nothing", copied("0, NULL", "m"))
		dbtest.Refused(t, l.db, dbtest.Unique, "a hold that ends a second time", copied("amount, hold_id", "p"))
		dbtest.Refused(t, l.db, dbtest.Unique, "a number that was given already to what left an account", "UPDATE transfers SET debit_seq = 2 WHERE id = 'p'")
		dbtest.Refused(t, l.db, dbtest.Unique, "a number that was given already to what came to one", "UPDATE transfers SET credit_seq = 1 WHERE id = 'n'")
	})
}
