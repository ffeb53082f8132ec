// Package contract_test calls every route of the three REST APIs as another program would,
// in raw requests, and compares status, problem code, field and document: for what is
// done, for what is refused, for pages of lists, for repeated requests, and for what
// belongs to somebody else. All of it runs against every shape of a market, and against
// every route that the market's own documents list.
package contract_test

import (
	"testing"

	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// shapes of a market, all of which must answer alike.
var shapes = []struct {
	name   string
	config harness.Config
}{
	{"one process on SQLite", harness.Config{}},
	{"one process on MariaDB", harness.Config{MariaDB: true}},
	{"three processes on MariaDB", harness.Config{MariaDB: true, Split: true}},
}

// each runs f on a market of each shape.
func each(t *testing.T, f func(t *testing.T, m *harness.Market)) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) { f(t, harness.Start(t, s.config)) })
	}
}

// The parts build on each other: each uses what those before it have made.
func TestContract(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		w := newWorld(t, m)
		for _, part := range []struct {
			name string
			run  func(*world, *testing.T)
		}{
			{"users", (*world).users},
			{"wallets", (*world).wallets},
			{"payments", (*world).payments},
			{"products", (*world).products},
			{"cart", (*world).cart},
			{"orders", (*world).orders},
			{"shipments", (*world).shipments},
			{"refunds", (*world).refunds},
			{"what only the merchant may", (*world).merchant},
			{"what belongs to others", (*world).others},
			{"the same again", (*world).again},
			{"pages", (*world).pages},
			{"bodies", (*world).bodies},
			{"methods", (*world).methods},
		} {
			t.Run(part.name, func(t *testing.T) { part.run(w, t) })
		}
		w.covered(t)
	})
}
