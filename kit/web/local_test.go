package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jishi/kit/fault"
	"jishi/kit/rest"
)

type valueKey struct{}

var errGone = fault.New(fault.Conflict, "test.gone", "It is gone.")

// callee is a service with every behaviour that a caller can meet.
func callee() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(valueKey{}) != nil {
			http.Error(w, "a context value crossed the border", http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusCreated)
		w.Header().Set("Late", "ignored")
		_, _ = io.Copy(w, r.Body)
	})
	mux.HandleFunc("GET /refuse", func(w http.ResponseWriter, r *http.Request) { WriteProblem(w, r, errGone.On("order")) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	return mux
}

// The same assertions over a real socket and over memory.
func TestLocalIsLikeNetwork(t *testing.T) {
	server := httptest.NewServer(callee())
	defer server.Close()
	for name, hop := range map[string]struct {
		base string
		hc   *http.Client
	}{
		"network": {server.URL, server.Client()},
		"memory":  {"http://pay.local", &http.Client{Transport: Local{callee()}}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.WithValue(t.Context(), valueKey{}, "secret")

			got, err := rest.Call[map[string]string](ctx, hop.hc, "POST", hop.base+"/echo", "key", map[string]string{"a": "b"})
			if err != nil || got["a"] != "b" {
				t.Errorf("echo: %v, %v", got, err)
			}
			_, err = rest.Call[any](ctx, hop.hc, "GET", hop.base+"/refuse", "", nil)
			if f := fault.Of(err); !errors.Is(err, errGone) || f.Kind != fault.Conflict || f.Field != "order" {
				t.Errorf("refusal: %v", err)
			}
			if _, err = rest.Call[any](ctx, hop.hc, "GET", hop.base+"/panic", "", nil); !errors.Is(err, rest.ErrNoReply) {
				t.Errorf("panic: %v", err)
			}
			if _, err = rest.Call[any](ctx, hop.hc, "GET", hop.base+"/nothing", "", nil); fault.Of(err).Kind != fault.NotFound {
				t.Errorf("no route: %v", err)
			}
			res, err := hop.hc.Post(hop.base+"/echo", "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != http.StatusCreated || res.Header.Get("Late") != "" || res.Header.Get("Content-Type") != "text/plain" {
				t.Errorf("answer: %v %v", res.Status, res.Header)
			}
		})
	}
}

// A caller that gives up gets ErrNoReply: what it asked for may still happen.
func TestACallerThatLeavesLearnsNothing(t *testing.T) {
	release := make(chan struct{})
	done := make(chan struct{})
	hc := &http.Client{Transport: Local{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-release
		if r.Context().Err() == nil {
			close(done)
		}
	})}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := rest.Call[any](ctx, hc, "GET", "http://pay.local/slow", "", nil); !errors.Is(err, rest.ErrNoReply) {
		t.Errorf("got %v", err)
	}
	close(release)
	<-done // the handler went on, undisturbed
}

func TestAServiceThatIsAwayDidNothing(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	if _, err := rest.Call[any](t.Context(), http.DefaultClient, "GET", base, "", nil); !errors.Is(err, rest.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
