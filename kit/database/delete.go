package database

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// DeleteBatch bounds what one transaction of [DeleteOld] deletes: all that a flood has left would
// take longer than a statement may.
const DeleteBatch = 500

// DeleteOld deletes the rows of a table that a condition is true of, a part in a transaction each,
// and tells how many it found. Key is the type of the column key, of whose values each is in few
// rows.
func DeleteOld[Key any](ctx context.Context, db *DB, table, key, where string, args ...any) (int, error) {
	total := 0
	for {
		var keys []Key
		err := db.NewSelect().Table(table).Column(key).Where(where, args...).Limit(DeleteBatch).Scan(ctx, &keys)
		if err == nil && len(keys) > 0 {
			err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewDelete().Table(table).Where("? IN (?)", bun.Ident(key), bun.List(keys)).Where(where, args...).Exec(ctx)
				return err
			})
		}
		if err != nil {
			return total, fmt.Errorf("delete old %s: %w", table, err)
		}
		if len(keys) == 0 {
			return total, nil
		}
		total += len(keys)
	}
}
