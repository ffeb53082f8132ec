// Package rapidtest is what tests with rapid share.
package rapidtest

import (
	"flag"
	"testing"
)

// Brief sets how much rapid does in the short form, unless the command line says so.
func Brief(t *testing.T) {
	t.Helper()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, short := range map[string]string{"rapid.checks": "20", "rapid.steps": "40"} {
		if !given[name] {
			if err := flag.Set(name, short); err != nil {
				t.Fatal(err)
			}
		}
	}
}
