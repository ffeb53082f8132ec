package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/conf"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/kit/session"
)

// Also a process that doesn't live for long tidies.
func TestAMarketIsTidiedAtItsStart(t *testing.T) {
	c := &conf.Config{BaseURL: "http://localhost:8080", Data: t.TempDir(), Currency: money.CNY, OrderDeadline: time.Hour, PhoneRegion: "CN"}
	runUntil(t, c, "tidied", conf.Modules...)
}

// A key is remembered for the 30 days that are promised, and no longer.
func TestAKeyIsRememberedFor30Days(t *testing.T) {
	const life, minute = 30 * 24 * time.Hour, time.Minute
	m, err := prepare(&conf.Config{Data: t.TempDir()}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	db, err := m.open(t.Context(), "pay", session.Migrate)
	if err != nil {
		t.Fatal(err)
	}
	for key, age := range map[string]time.Duration{"young": life - minute, "old": life + minute} {
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if err := database.Once(ctx, tx, "", key, "", key); err != nil {
				return err
			}
			_, err := tx.NewUpdate().Table("once").Set("at = ?", database.At(time.Now().Add(-age))).Where("result = ?", key).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	m.tidyNow(t.Context(), "pay", db)
	for key, want := range map[string]bool{"young": true, "old": false} {
		if _, used, err := db.Used(t.Context(), "", key, ""); used != want || err != nil {
			t.Errorf("the %s key is remembered: %t, %v; want %t", key, used, err, want)
		}
	}
}
