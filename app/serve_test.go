package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// What is under way when a market is to end gets its answer; who takes longer than there is time
// loses the connection, and that is no failure of the market.
func TestRequestsUnderWayAtTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		drain    time.Duration
		answered bool
	}{"in time": {time.Minute, true}, "too slow": {time.Millisecond, false}} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, end := context.WithCancel(t.Context())
			const requests = 20
			began, goOn := make(chan struct{}, requests), make(chan struct{})
			slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				began <- struct{}{}
				<-goOn
				_, _ = io.WriteString(w, "done")
			})
			var log bytes.Buffer
			var server, clients errgroup.Group
			server.Go(func() error { return serveUntil(ctx, l, slow, c.drain, slog.New(slog.NewTextHandler(&log, nil))) })
			for range requests {
				clients.Go(func() error {
					res, err := http.Get("http://" + l.Addr().String())
					if (err == nil) != c.answered {
						t.Errorf("got %v, want an answer: %t", err, c.answered)
					}
					if err == nil {
						return res.Body.Close()
					}
					return nil
				})
			}
			for range requests {
				<-began
			}
			end()
			if c.answered {
				close(goOn)
			}
			if err := server.Wait(); err != nil {
				t.Errorf("it ended by %v", err)
			}
			if !c.answered {
				close(goOn)
			}
			if err := clients.Wait(); err != nil {
				t.Error(err)
			}
			if warned := strings.Contains(log.String(), "still under way"); warned == c.answered {
				t.Errorf("the log has %q", &log)
			}
		})
	}
}
