package dbtest

import (
	"strings"
	"testing"

	"jishi/kit/database"
)

// Contents is a checksum of each table of a MariaDB, so that a test sees whether anything
// was changed.
func Contents(tb testing.TB, db *database.DB) map[string]int64 {
	tb.Helper()
	q := db.NewSelect().DB()
	var tables []string
	if err := q.NewRaw("SHOW TABLES").Scan(tb.Context(), &tables); err != nil {
		tb.Fatalf("list tables: %v", err)
	}
	var sums []struct {
		Table    string `bun:"Table"`
		Checksum int64  `bun:"Checksum"`
	}
	if err := q.NewRaw("CHECKSUM TABLE "+strings.Join(tables, ", ")).Scan(tb.Context(), &sums); err != nil {
		tb.Fatalf("add up tables: %v", err)
	}
	contents := map[string]int64{}
	for _, s := range sums {
		contents[s.Table] = s.Checksum
	}
	return contents
}
