package database

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// probeRows of the longest result that fits are about 30 KB: several pages, so that they
// don't fit into one that happens to have room.
const (
	probeRows   = 100
	probeResult = 255 // bytes
)

// failedFor is how long a write counts that the storage refused. Of space another that succeeds, a probe
// among them, says little: InnoDB takes space for each table by itself, up to 4 MB ahead, so
// that one table is full while the next has room.
const failedFor = 10 * time.Second

// findSpace writes some rows and deletes them. Those that a process leaves which dies in
// between are forgotten as old keys are.
func (db *DB) findSpace(ctx context.Context) error {
	scope := "space " + rand.Text()
	rows := make([]once, probeRows)
	for i := range rows {
		rows[i] = once{Key: keyHash(scope, fmt.Sprint(i)), Result: strings.Repeat("x", probeResult), At: At(time.Now())}
	}
	err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&rows).Exec(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model(&rows).WherePK().Exec(ctx)
		return err
	})
}
