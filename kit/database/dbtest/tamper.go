package dbtest

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// Copy is the URL of a copy of an SQLite database as it is, so that many tests can begin with
// what took long to make.
func Copy(tb testing.TB, url string) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "copy.db")
	behind(tb, url, func(db *sql.DB) error {
		_, err := db.ExecContext(tb.Context(), "VACUUM INTO ?", to)
		return err
	})
	return "sqlite:" + to
}

// Tamper does statements to an SQLite database as somebody who opens its file can: no foreign
// key and no CHECK holds them back. Each must change something.
func Tamper(tb testing.TB, url string, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		behind(tb, url, func(db *sql.DB) error {
			result, err := db.ExecContext(tb.Context(), s)
			if err != nil {
				return err
			}
			if n, err := result.RowsAffected(); err != nil || n == 0 {
				tb.Fatalf("%s: %d rows, %v", s, n, err)
			}
			return nil
		})
	}
}

// behind opens an SQLite database with nothing that a module's connections are set to.
func behind(tb testing.TB, url string, do func(*sql.DB) error) {
	tb.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:")+"?_pragma=ignore_check_constraints(1)&_dqs=0")
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if err := do(db); err != nil {
		tb.Fatal(err)
	}
}
