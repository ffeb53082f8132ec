package dbtest

import (
	"testing"

	"github.com/uptrace/bun/dialect"

	"jishi/kit/database"
)

// NoTurns has those who share a database do at once what they would do in turns, as if one
// that stands still had the advisory locks with these names. Without it the locks of rows
// would hardly be put to the test. It lasts until the test ends.
func NoTurns(tb testing.TB, db *database.DB, names ...string) {
	tb.Helper()
	pool := db.NewSelect().DB()
	if pool.Dialect().Name() == dialect.SQLite {
		return
	}
	c, err := pool.DB.Conn(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() }) // before the pool, whose end is that of the locks
	if _, err := c.ExecContext(tb.Context(), "SET SESSION wait_timeout = 28800"); err != nil {
		tb.Fatal(err)
	}
	for _, name := range names {
		var got bool
		err := c.QueryRowContext(tb.Context(), "SELECT GET_LOCK(MD5(CONCAT(?, ' ', DATABASE())), 60)", name).Scan(&got)
		if err != nil || !got {
			tb.Fatalf("the lock %s: %t, %v", name, got, err)
		}
	}
}
