package dbtest

import (
	"strings"
	"testing"

	"github.com/uptrace/bun/dialect"

	"jishi/kit/database"
)

// Contents is a checksum of each table of a MariaDB, so that a test sees whether anything
// was changed.
func Contents(tb testing.TB, db *database.DB) map[string]int64 {
	tb.Helper()
	var sums []struct {
		Table    string `bun:"Table"`
		Checksum int64  `bun:"Checksum"`
	}
	if err := db.NewSelect().DB().NewRaw("CHECKSUM TABLE "+strings.Join(tables(tb, db), ", ")).Scan(tb.Context(), &sums); err != nil {
		tb.Fatalf("add up tables: %v", err)
	}
	contents := map[string]int64{}
	for _, s := range sums {
		contents[s.Table] = s.Checksum
	}
	return contents
}

// tables are the names of all that a database has.
func tables(tb testing.TB, db *database.DB) []string {
	tb.Helper()
	list, q := "SHOW TABLES", db.NewSelect().DB()
	if q.Dialect().Name() == dialect.SQLite {
		list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	var names []string
	if err := q.NewRaw(list).Scan(tb.Context(), &names); err != nil {
		tb.Fatalf("list tables: %v", err)
	}
	return names
}
