package dbtest

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// AddColumns gives each table a column of which nobody knows, as a newer release does beside
// older replicas.
func AddColumns(tb testing.TB, db *database.DB) {
	tb.Helper()
	names := tables(tb, db)
	err := db.InTx(tb.Context(), func(ctx context.Context, tx bun.Tx) error {
		for _, name := range names {
			if _, err := tx.NewRaw("ALTER TABLE ? ADD COLUMN newer BIGINT", bun.Ident(name)).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}
