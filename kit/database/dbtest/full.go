package dbtest

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// LimitPages lets an SQLite file grow by that many pages from now on; less than nothing is
// no limit. It is a full disk that needs no disk.
func LimitPages(tb testing.TB, db *database.DB, more int64) {
	tb.Helper()
	err := db.InTx(tb.Context(), func(ctx context.Context, tx bun.Tx) error { // on the connection that writes
		limit := int64(1) << 30
		if more >= 0 {
			if err := tx.NewRaw("PRAGMA page_count").Scan(ctx, &limit); err != nil {
				return err
			}
			limit += more
		}
		var now int64
		return tx.NewRaw("PRAGMA max_page_count = ?", limit).Scan(ctx, &now)
	})
	if err != nil {
		tb.Fatal(err)
	}
}
