package dbtest

import (
	"context"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"jishi/kit/database"
)

// Rule is what a schema refuses a statement by.
type Rule string

// The rules. A statement that the database can't read breaks neither.
const (
	Unique Rule = "a unique key"
	Check  Rule = "a check"
)

// Refused is an error unless the last one of statements is refused by the schema, by that
// rule, and all before it are written. Nothing of them stays.
func Refused(tb testing.TB, db *database.DB, rule Rule, what string, statements ...string) {
	tb.Helper()
	undo := errors.New("undo")
	var done int
	var refusal error
	err := db.InTx(tb.Context(), func(ctx context.Context, tx bun.Tx) error {
		for done = range statements {
			if _, refusal = tx.NewRaw(statements[done]).Exec(ctx); refusal != nil {
				break
			}
		}
		return undo
	})
	switch {
	case !errors.Is(err, undo):
		tb.Errorf("%s: %v", what, err)
	case refusal == nil:
		tb.Errorf("%s is written", what)
	case done < len(statements)-1:
		tb.Errorf("%s: what comes before it isn't written: %v", what, refusal)
	case broken(refusal) != rule:
		tb.Errorf("%s breaks %q, want %s: %v", what, broken(refusal), rule, refusal)
	}
}

// broken is the rule that a statement broke, by the numbers of MariaDB, of MySQL and TiDB, and
// of SQLite.
func broken(err error) Rule {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return map[uint16]Rule{1062: Unique, 4025: Check, 3819: Check}[e.Number]
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return map[int]Rule{sqlite3.SQLITE_CONSTRAINT_UNIQUE: Unique, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Unique, sqlite3.SQLITE_CONSTRAINT_CHECK: Check}[e.Code()]
	}
	return ""
}
