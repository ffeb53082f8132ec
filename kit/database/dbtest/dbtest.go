// Package dbtest gives tests real databases: an SQLite file, MariaDB where it is
// installed, and TiDB where it was built and is asked for, each empty but for the tables
// that the test asks for.
//
// MariaDB and TiDB are one private server each per test process, started when the first
// test needs it, on a free port of 127.0.0.1, and durable like a real one; it and its folder
// go when the process ends, however it ends.
package dbtest

import (
	"context"
	"path/filepath"
	"testing"

	"jishi/kit/database"
)

// Setup makes the tables of a fresh database: the Migrate function of a package, or
// a few lines that call [database.DB.Migrate].
type Setup = func(context.Context, *database.DB) error

// Each runs a test on every kind of database, as the subtests "sqlite" and "mariadb", and
// "tidb" when TEST_TIDB or TEST_LONG is set.
//
// A package whose rows obey invariants wraps it, so that each of its tests ends with
// checking them:
//
//	func each(t *testing.T, fn func(t *testing.T, db *database.DB)) {
//		dbtest.Each(t, func(t *testing.T, db *database.DB) {
//			t.Cleanup(func() { check(t, db) }) // before the database closes
//			fn(t, db)
//		}, Migrate)
//	}
func Each(t *testing.T, fn func(t *testing.T, db *database.DB), setup ...Setup) {
	t.Helper()
	EachKind(t, func(t *testing.T, fresh func(testing.TB) string) { fn(t, open(t, fresh(t), setup)) })
}

// EachKind is Each for a test that needs more databases than one: fresh makes one, and gives
// its URL.
func EachKind(t *testing.T, fn func(t *testing.T, fresh func(testing.TB) string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite) })
	t.Run("mariadb", func(t *testing.T) { fn(t, MariaDB) })
	if wantsTiDB() {
		t.Run("tidb", func(t *testing.T) { fn(t, TiDB) })
	}
}

// SQLite is the URL of a fresh database in a file.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return "sqlite:" + filepath.Join(tb.TempDir(), "test.db")
}

// Open opens the database at url, which closes when the test ends.
func Open(tb testing.TB, url string, setup ...Setup) *database.DB {
	tb.Helper()
	return open(tb, url, setup)
}

func open(tb testing.TB, url string, setup []Setup) *database.DB {
	tb.Helper()
	db, err := database.Open(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	for _, s := range setup {
		if err := s(tb.Context(), db); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}
