package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
)

// Local is an http.RoundTripper that calls a handler of this process. Two things
// are as on a network, so that nothing works only because both sides share a process:
// the caller's context values stay behind, and a panic comes back as an error. A caller that
// gives up leaves the handler running, and what was begun is done; on a network the handler's
// context ends when the connection does, sooner or later.
type Local struct{ Handler http.Handler }

// RoundTrip calls the handler and waits for its whole answer.
func (l Local) RoundTrip(r *http.Request) (*http.Response, error) {
	body := []byte{}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = b
	}
	// The callee gets no deadline either: on a network it would hear of none.
	in := r.Clone(context.Background())
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.ContentLength = int64(len(body))
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "local"
	if in.Host == "" {
		in.Host = r.URL.Host
	}

	type outcome struct {
		res *http.Response
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		w := &memory{header: http.Header{}}
		defer func() {
			if p := recover(); p != nil {
				done <- outcome{nil, fmt.Errorf("the service panicked: %v\n%s", p, debug.Stack())}
			}
		}()
		l.Handler.ServeHTTP(w, in)
		done <- outcome{w.response(r), nil}
	}()
	select {
	case o := <-done:
		return o.res, o.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// memory is an http.ResponseWriter; only the handler's goroutine touches it.
type memory struct {
	header http.Header
	sent   http.Header // header as it was when the status went out
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header { return m.header }

func (m *memory) WriteHeader(status int) {
	if m.sent == nil {
		m.status, m.sent = status, m.header.Clone()
	}
}

func (m *memory) Write(b []byte) (int, error) {
	m.WriteHeader(http.StatusOK)
	return m.body.Write(b)
}

func (m *memory) response(r *http.Request) *http.Response {
	m.WriteHeader(http.StatusOK)
	return &http.Response{
		Status:        strconv.Itoa(m.status) + " " + http.StatusText(m.status),
		StatusCode:    m.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        m.sent,
		Body:          io.NopCloser(bytes.NewReader(m.body.Bytes())),
		ContentLength: int64(m.body.Len()),
		Request:       r,
	}
}
