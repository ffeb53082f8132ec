package dbtest

import (
	"context"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"jishi/kit/database"
)

// AddColumns gives each table a column of which nobody knows, as a newer release does beside
// older replicas.
func AddColumns(tb testing.TB, db *database.DB) {
	tb.Helper()
	err := db.InTx(tb.Context(), func(ctx context.Context, tx bun.Tx) error {
		list := "SHOW TABLES"
		if tx.Dialect().Name() == dialect.SQLite {
			list = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
		}
		var tables []string
		if err := tx.NewRaw(list).Scan(ctx, &tables); err != nil {
			return err
		}
		for _, name := range tables {
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
