package shop

import (
	"log/slog"
	"testing"
	"time"

	"jishi/kit/database/dbtest"
)

// Beside a newer release, whose tables have more columns, an older replica checks too, and
// compares with pay.
func TestColumnsOfANewerReleaseDoNoHarm(t *testing.T) {
	m, _ := trade(t)
	dbtest.AddColumns(t, m.db)
	m.forward(time.Hour)
	for name := range passes {
		if _, err := m.reconcile(t.Context(), slog.New(slog.DiscardHandler), name); err != nil {
			t.Error(err)
		}
	}
	if all, err := m.Reconciled(t.Context(), olga.ID); err != nil || len(all) != 2 || all[0].Compared == 0 {
		t.Errorf("got %+v, %v; want that orders were compared", all, err)
	}
	if got := m.violated(); len(got) > 0 {
		t.Errorf("a sound market: %q", got)
	}
}
