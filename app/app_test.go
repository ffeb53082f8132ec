package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"jishi/conf"
	"jishi/kit/database/dbtest"
)

// A market warns of a database that answers before its commits are on disk, and of no other.
func TestADatabaseThatMayForgetIsWarnedOf(t *testing.T) {
	url := dbtest.MariaDB(t)
	server := dbtest.Open(t, url).NewSelect().DB()
	flush := func(value int) {
		t.Helper()
		if _, err := server.NewRaw("SET GLOBAL innodb_flush_log_at_trx_commit = ?", value).Exec(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { flush(1) }) // before the server's pool closes
	for value, want := range map[int]bool{0: true, 1: false, 2: true} {
		flush(value)
		var out bytes.Buffer
		m, err := prepare(&conf.Config{Data: t.TempDir(), Pay: conf.Module{Database: url}}, nil, slog.New(slog.NewTextHandler(&out, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.open(t.Context(), "pay"); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "may forget what it has acknowledged"); got != want || got && !strings.Contains(out.String(), "module=pay") {
			t.Errorf("with %d it is warned of: %t, want %t: %s", value, got, want, &out)
		}
	}
}
