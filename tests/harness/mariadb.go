package harness

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// MariaDB is the address of a new empty MariaDB database, dropped when the test is over.
func MariaDB(t testing.TB) string {
	t.Helper()
	Needs(t, "mariadbd")
	return dbtest.MariaDB(t)
}
