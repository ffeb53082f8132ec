package dbtest

import (
	"testing"
	"time"

	"jishi/kit/database"
)

// NoTurns has those who share a database do at once what they would do in turns, as if one
// that stands still had the advisory locks with these names. Without it the locks of rows
// would hardly be put to the test. It lasts until the test ends, and at most for as long as
// the server keeps a connection that says nothing (90 seconds).
func NoTurns(tb testing.TB, db *database.DB, names ...string) {
	tb.Helper()
	for _, name := range names {
		tb.Cleanup(db.AdvisoryLock(name, time.Minute).Lock())
	}
}
