// Package contract_test calls every route of the three REST APIs as another program would,
// in raw requests, and compares status, problem code, field and headers: for what is
// done, for each refusal, for pages of lists, for repeated requests, and for what
// belongs to somebody else. All of it runs against every shape of a market.
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
