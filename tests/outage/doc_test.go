// Package outage_test takes away what a market stands on while people buy: its processes,
// its database, the space on its disk. Whatever is taken, afterwards every order is paid or
// canceled, what was acknowledged is still so, and no money came or went.
//
// With -long each test does as much as the release notes say; without, what a minute allows.
package outage_test

import (
	"flag"
	"testing"

	"jishi/tests/harness"
)

var long = flag.Bool("long", false, "20 outages of each kind rather than a few")

func TestMain(m *testing.M) { harness.Main(m) }

// rounds is how many outages a test has.
func rounds(short int) int {
	if *long {
		return 20
	}
	return short
}
