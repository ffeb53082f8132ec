package rest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// client has connections of its own.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// away is the address of a service that isn't there.
func away() string {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	return server.URL
}

// dying is a service that answers one request, and after it has read a second one on the same
// connection is gone, and refuses others.
func dying(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve := func() error {
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		defer conn.Close()
		requests := bufio.NewReader(conn)
		if err := read(requests); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			return err
		}
		if err := read(requests); err != nil {
			return err
		}
		return l.Close() // before the connection: nobody gets another one
	}
	served := make(chan error, 1)
	go func() { served <- serve() }()
	t.Cleanup(func() {
		_ = l.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// read takes a whole request.
func read(requests *bufio.Reader) error {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// The transport sends a request with a key again by itself when its connection ends. That the
// second attempt never left says nothing of the first.
func TestARequestThatLeftOnceMayHaveBeenDone(t *testing.T) {
	base, hc := dying(t), client(t)
	var errs [2]error
	for i := range errs {
		_, errs[i] = Call[any](t.Context(), hc, http.MethodPost, base, "k", map[string]string{"a": "b"})
	}
	if errs[0] != nil || !errors.Is(errs[1], ErrNoReply) {
		t.Errorf("got %v, then %v, want an answer, then %v", errs[0], errs[1], ErrNoReply)
	}
}

// A 408 is of the last sending: one before it, of a request with a key, may have been done.
func TestARequestThatCameTooSlowlyMayHaveBeenDone(t *testing.T) {
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestTimeout) }))
	defer late.Close()
	if _, err := Call[struct{}](t.Context(), client(t), http.MethodPost, late.URL, "key", nil); !errors.Is(err, ErrNoReply) {
		t.Errorf("got %v, want %v", err, ErrNoReply)
	}
}

func TestARequestThatNeverLeftDidNothing(t *testing.T) {
	if _, err := Call[any](t.Context(), client(t), http.MethodPost, away(), "k", map[string]string{"a": "b"}); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want %v", err, ErrUnreachable)
	}
}

// What its token was asked for with is another request.
func TestARequestThatOnlyGotItsTokenDidNothing(t *testing.T) {
	tokens := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer tokens.Close()
	hc := client(t)
	bearer := Bearer(hc, func(ctx context.Context) (string, error) {
		_, err := Call[any](ctx, hc, http.MethodPost, tokens.URL, "", nil)
		return "token", err
	})
	if _, err := Call[any](t.Context(), bearer, http.MethodPost, away(), "k", nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want %v", err, ErrUnreachable)
	}
}
