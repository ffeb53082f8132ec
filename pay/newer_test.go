package pay_test

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// Beside a newer release, whose tables have more columns, an older replica checks too.
func TestColumnsOfANewerReleaseDoNoHarm(t *testing.T) {
	b, _ := world(t)
	dbtest.AddColumns(t, b.db)
	if got := b.violated(t); len(got) > 0 {
		t.Errorf("a sound world: %q", got)
	}
}
