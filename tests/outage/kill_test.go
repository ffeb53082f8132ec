package outage_test

import (
	"math/rand/v2"
	"testing"

	"jishi/tests/harness"
)

// settings make orders that nobody pays end while the test watches.
var settings = []string{"--order-deadline", deadline.String(), "--open-orders", "0", "--log-level", "warn"}

// The one process of a market is killed in the middle of many purchases and started again.
func TestTheMarketIsKilled(t *testing.T) {
	t.Parallel()
	m := harness.Start(t, harness.Config{Flags: settings})
	c := newCrowd(t, m)
	for round := range rounds(3) {
		out := c.buy(t, round, func() {
			m.Kill(t, "shop")
			m.StartAgain(t, "shop")
		})
		t.Logf("round %d: %v", round, out)
		out.met(t)
		c.settles(t)
	}
}

// Of three processes on MariaDB one is killed, whichever it is.
func TestAModuleIsKilled(t *testing.T) {
	t.Parallel()
	m := harness.Start(t, harness.Config{Split: true, MariaDB: true, Flags: settings})
	c := newCrowd(t, m)
	modules := []string{"pay", "shop", "auth"}
	first := rand.N(len(modules))
	for round := range rounds(3) {
		victim := modules[(first+round)%len(modules)]
		if round >= len(modules) {
			victim = modules[rand.N(len(modules))]
		}
		out := c.buy(t, round, func() {
			m.Kill(t, victim)
			m.StartAgain(t, victim)
		})
		t.Logf("round %d, %s was killed: %v", round, victim, out)
		if victim != "auth" { // which is not asked about a token
			out.met(t)
		}
		c.settles(t)
	}
}

// MariaDB is killed in the middle of many purchases and started again. The market goes on
// without being started again.
func TestTheDatabaseIsKilled(t *testing.T) {
	t.Parallel()
	server := harness.NewServer(t)
	m := harness.Start(t, harness.Config{Databases: databases(t, server), Flags: settings})
	c := newCrowd(t, m)
	met := false // everybody may wait until it is back
	for round := 0; round < rounds(1) || !met && round < 5; round++ {
		out := c.buy(t, round, func() {
			server.Kill(t)
			server.Start(t)
		})
		t.Logf("round %d: %v", round, out)
		met = met || out.again.Load() > 0
		c.answers(t)
		c.settles(t)
	}
	if !met {
		t.Error("nobody ever met the outage")
	}
}
