package web_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jishi/kit/web"
)

// A file that breaks off is an error for who reads it, though its status was sent.
func TestAFileIsWholeOrAnError(t *testing.T) {
	for name, broken := range map[string]error{"whole": nil, "broken": errors.New("the database went away")} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(web.File{Name: "a b.csv", Type: "text/csv", Write: func(w io.Writer) error {
				_, err := io.WriteString(w, strings.Repeat("x", 10000))
				return errors.Join(err, broken)
			}})
			defer s.Close()
			res, err := http.Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if (err != nil) != (broken != nil) {
				t.Errorf("got %d bytes, %v", len(b), err)
			}
			if got := res.Header.Get("Content-Disposition"); got != `attachment; filename="a b.csv"` {
				t.Errorf("saved as %s", got)
			}
		})
	}
}

// bounded is a connection that tells whether a write on it may take as long as it likes.
type bounded struct {
	net.Conn
	forever *atomic.Bool
}

func (b bounded) SetWriteDeadline(t time.Time) error {
	b.forever.Store(t.IsZero())
	return b.Conn.SetWriteDeadline(t)
}

func (b bounded) Write(p []byte) (int, error) {
	if b.forever.Load() {
		return 0, errors.New("a reader who stands still would stay")
	}
	return b.Conn.Write(p)
}

type boundedListener struct{ net.Listener }

func (l boundedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return bounded{c, new(atomic.Bool)}, err
}

// A file may be under way for longer than other answers, as long as its reader goes on.
func TestAFileTakesAsLongAsItTakes(t *testing.T) {
	part := strings.Repeat("x", 10000)
	var conn net.Conn
	timeIsOver := func() { _ = conn.SetWriteDeadline(time.Now()) }
	s := httptest.NewUnstartedServer(web.File{Name: "a.csv", Type: "text/csv", Write: func(w io.Writer) error {
		for range 3 {
			timeIsOver()
			if _, err := io.WriteString(w, part); err != nil {
				return err
			}
		}
		timeIsOver() // what the server hasn't sent yet is sent after us
		return nil
	}})
	s.Listener = boundedListener{s.Listener}
	s.Config.WriteTimeout = time.Minute
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conn = c
		}
	}
	s.Start()
	defer s.Close()
	res, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || len(b) != 3*len(part) {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}
