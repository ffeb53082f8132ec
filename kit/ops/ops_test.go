package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestOneLinePerRequest(t *testing.T) {
	var out bytes.Buffer
	m := NewMetrics()
	h := Requests(slog.New(slog.NewJSONHandler(&out, nil)), m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Route(r.Context(), "GET /orders/{id}")
		Note(r.Context(), slog.String("order", "ord_7"))
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte("gone"))
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/orders/ord_7", nil))

	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines, want 1: %s", n, &out)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"msg": "request", "order": "ord_7", "route": "GET /orders/{id}", "status": 404.0, "bytes": 4.0} {
		if got[k] != want {
			t.Errorf("%s = %v, want %v", k, got[k], want)
		}
	}

	rec := httptest.NewRecorder()
	m.Private(func(context.Context) error { return nil }).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if want := `jishi_http_requests_total{route="GET /orders/{id}",status="404"} 1`; !strings.Contains(rec.Body.String(), want) {
		t.Errorf("metrics lack %s", want)
	}
}

// An answer that was cut off counts with the status that was sent, and as a failure where
// none was.
func TestAnAnswerThatIsCutOff(t *testing.T) {
	for sent, want := range map[string]string{"": "500", "a part": "200"} {
		var out bytes.Buffer
		m := NewMetrics()
		h := Requests(slog.New(slog.NewTextHandler(&out, nil)), m)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if sent != "" {
				_, _ = w.Write([]byte(sent))
			}
			panic(http.ErrAbortHandler)
		}))
		func() {
			defer func() {
				if p := recover(); p != http.ErrAbortHandler {
					t.Errorf("sent %q: the panic became %v", sent, p)
				}
			}()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/statement", nil))
		}()
		rec := httptest.NewRecorder()
		m.Private(nil).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		if !strings.Contains(rec.Body.String(), `jishi_http_requests_total{route="other",status="`+want+`"} 1`) || !strings.Contains(out.String(), "status="+want) {
			t.Errorf("sent %q: want status %s in\n%s", sent, want, &out)
		}
	}
}

// Who leaves at once says nothing of us; who waited before that may have given us up.
func TestWhoLeaves(t *testing.T) {
	for took, want := range map[time.Duration]string{time.Second: "level=INFO", 8 * time.Second: "level=WARN"} {
		var out bytes.Buffer
		ctx, leave := context.WithCancel(t.Context())
		leave()
		NewMetrics().request(ctx, slog.New(slog.NewTextHandler(&out, nil)), "GET", &line{gone: true}, &recorder{status: 500}, took)
		if !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "status=499") {
			t.Errorf("after %v: want %s, 499 in %s", took, want, &out)
		}
	}
}

// A reading that fails is left out; the others are there.
func TestReadings(t *testing.T) {
	m := NewMetrics()
	for module, err := range map[string]error{"pay": nil, "shop": errors.New("the database is away")} {
		m.Add(module, Reading{Name: "jishi_jobs", Label: "state", Read: func(context.Context) (map[string]float64, error) {
			return map[string]float64{"waiting": 7}, err
		}})
	}
	rec := httptest.NewRecorder()
	m.Private(nil).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	got := rec.Body.String()
	if rec.Code != http.StatusOK || !strings.Contains(got, `jishi_jobs{module="pay",state="waiting"} 7`) || strings.Contains(got, `module="shop"`) {
		t.Errorf("got %d %s", rec.Code, got)
	}
}

func TestReadinessFollowsTheDatabases(t *testing.T) {
	down := errors.New("pay database: connection refused")
	h := NewMetrics().Private(func(context.Context) error { return down })
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "pay database") {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/healthz", nil))
	if rec.Code != http.StatusOK {
		t.Errorf("health: got %d", rec.Code)
	}
}

func TestLinesGoToTheDirectory(t *testing.T) {
	dir := t.TempDir()
	log, file, err := NewLog(devNull(t), dir, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("request", slog.String("order", "ord_7"))
	if _, _, err := NewLog(devNull(t), dir, slog.LevelInfo); err == nil || !strings.Contains(err.Error(), "log-dir "+dir+": another process") {
		t.Errorf("a second log in the directory: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, next, err := NewLog(devNull(t), dir, slog.LevelInfo); err != nil {
		t.Errorf("after the first: %v", err)
	} else if err := next.Close(); err != nil {
		t.Error(err)
	}
	if got := readFile(t, dir, logFile); !strings.Contains(got, `"order":"ord_7"`) {
		t.Errorf("the file has %q", got)
	}
}
