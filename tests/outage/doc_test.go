// Package outage_test takes away what a market stands on while people buy: its processes,
// its database, the space on its disk. Whatever is taken, afterwards every order is paid or
// canceled, what was acknowledged is still so, and no money came or went.
//
// In the long form of the tests each outage comes 20 times; else as often as a minute allows.
package outage_test

import (
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// rounds is how many outages a test has.
func rounds(short int) int {
	if dbtest.Long() {
		return 20
	}
	return short
}
