package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"jishi/kit/database"
	"jishi/kit/session"
)

const (
	tidyEvery = time.Hour
	onceLife  = 30 * 24 * time.Hour // how long a used key is remembered; docs/consistency.md and the APIs say so
)

// tidy deletes what a module's database need not keep, until ctx ends: sessions that are
// over, and old idempotency keys. Any number of replicas may do it.
func (m *Market) tidy(ctx context.Context, module string, db *database.DB) error {
	return every(ctx, tidyEvery, func() { m.tidyNow(ctx, module, db) })
}

func (m *Market) tidyNow(ctx context.Context, module string, db *database.DB) {
	ended, err := session.New(db, session.Config{}).Sweep(ctx)
	forgotten, onceErr := db.ForgetOnce(ctx, time.Now().Add(-onceLife))
	attrs := []slog.Attr{slog.String("module", module), slog.Int("sessions", ended), slog.Int("keys", forgotten)}
	level := slog.LevelInfo
	if err := errors.Join(err, onceErr); err != nil && ctx.Err() == nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("err", err))
	}
	m.log.LogAttrs(ctx, level, "tidied", attrs...)
}
