// Package linktest is a way to a server, for tests, that can be cut and slowed down.
package linktest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Link passes on to an address what comes to its own.
type Link struct {
	tb    testing.TB
	proxy *toxiproxy.Proxy
}

// New is a link to an address, sound at first. It ends with the test.
func New(tb testing.TB, to string) *Link {
	tb.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{tb, toxiproxy.NewProxy(server, tb.Name(), "127.0.0.1:0", to)}
	if err := l.proxy.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(l.Cut)
	return l
}

// Address is where the link begins.
func (l *Link) Address() string { return l.proxy.Listen }

// Cut breaks every connection, and lets none be made until [Link.Mend].
func (l *Link) Cut() { l.proxy.Stop() }

// Mend lets connections be made again.
func (l *Link) Mend() {
	l.tb.Helper()
	if err := l.proxy.Start(); err != nil {
		l.tb.Error(err)
	}
}

// Slow has everything take that much longer on its way to the server, and as much on its
// way back, from now on. A link can be slowed once.
func (l *Link) Slow(by time.Duration) {
	l.tb.Helper()
	for _, way := range []string{"upstream", "downstream"} {
		toxic, err := json.Marshal(map[string]any{
			"name": way, "type": "latency", "stream": way, "toxicity": 1,
			"attributes": map[string]any{"latency": by.Milliseconds(), "jitter": by.Milliseconds() / 2},
		})
		if err != nil {
			l.tb.Fatal(err)
		}
		if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader(toxic)); err != nil {
			l.tb.Fatal(err)
		}
	}
}
