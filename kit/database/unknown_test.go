package database_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// cutter is a way to a server that breaks at the next COMMIT: before the server gets it,
// or after, so that only the reply is lost.
type cutter struct {
	listener net.Listener
	server   string
	armed    atomic.Bool
	deliver  bool
}

func (c *cutter) serve(wg *sync.WaitGroup) {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.server)
		if err != nil {
			client.Close()
			continue
		}
		var cut atomic.Bool
		replied := make(chan struct{}) // the server said something that the client never gets
		wg.Go(func() {
			defer client.Close()
			defer server.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := client.Read(buf)
				if bytes.HasSuffix(buf[:n], []byte("COMMIT")) && c.armed.Swap(false) {
					cut.Store(true)
					if c.deliver {
						server.Write(buf[:n])
						<-replied // it is done
					}
					return
				}
				if n > 0 {
					server.Write(buf[:n])
				}
				if err != nil {
					return
				}
			}
		})
		wg.Go(func() {
			pass := func(p []byte) (int, error) {
				if cut.Load() {
					close(replied) // once: the error ends the copying
					return 0, io.ErrClosedPipe
				}
				return client.Write(p)
			}
			io.Copy(writer(pass), server)
		})
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A connection that is lost while committing is unknown, whether it was done or not, and
// is never tried again: the second time would be a second effect.
func TestConnectionLostWhileCommittingIsUnknown(t *testing.T) {
	for name, done := range map[string]bool{"failed and not done": false, "failed but done": true} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(dbtest.MariaDB(t))
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c := &cutter{listener: l, server: u.Host, deliver: done}
			var wg sync.WaitGroup
			wg.Go(func() { c.serve(&wg) })
			t.Cleanup(func() {
				l.Close()
				wg.Wait()
			})
			direct := dbtest.Open(t, u.String(), things)
			u.Host = l.Addr().String()
			db := dbtest.Open(t, u.String())
			insert(t, direct, thing{ID: "a"})

			c.armed.Store(true)
			runs := 0
			err = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				runs++
				_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", "a").Exec(ctx)
				return err
			})
			if !errors.Is(err, database.ErrUnknown) || runs != 1 {
				t.Errorf("got %v after %d runs, want %v after one", err, runs, database.ErrUnknown)
			}
			want := int64(0)
			if done {
				want = 1
			}
			if n := read(t, direct, "a").N; n != want {
				t.Errorf("n = %d, want %d", n, want)
			}
			insert(t, db, thing{ID: "b"}) // the next one gets a new connection
		})
	}
}
