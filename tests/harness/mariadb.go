package harness

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// NewServer is a MariaDB of the test's own, to be killed and started again.
func NewServer(t testing.TB) *dbtest.Server {
	t.Helper()
	Needs(t, "mariadbd")
	return dbtest.NewServer(t)
}

// NewServerIn is NewServer with its files in a directory.
func NewServerIn(t testing.TB, dir string) *dbtest.Server {
	t.Helper()
	Needs(t, "mariadbd")
	return dbtest.NewServerIn(t, dir)
}

// MariaDB is the address of a new empty MariaDB database, dropped when the test is over.
func MariaDB(t testing.TB) string {
	t.Helper()
	Needs(t, "mariadbd")
	return dbtest.MariaDB(t)
}
