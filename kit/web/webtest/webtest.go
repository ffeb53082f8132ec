// Package webtest checks an API against the document that it gives of itself.
package webtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"jishi/kit/fault"
)

var update = flag.Bool("update", false, "write the committed documents anew")

// Committed compares the document that a handler serves at path with a committed file.
func Committed(t testing.TB, h http.Handler, path, file string) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, read(t, h, path), "", "  "); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got.Bytes()) {
		t.Errorf("%s is not what the code says now; write it anew with: go test -run %s . -update", file, t.Name())
	}
}

func read(t testing.TB, h http.Handler, path string) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// document is what the checks need of an OpenAPI document.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Examples map[string]any `json:"examples"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
}

// Documented is the API as it is, but the test fails for every answer whose status, or
// whose problem, the API's document at path doesn't know. Mux is where the API is
// registered, and h stands before it.
func Documented(t testing.TB, mux *http.ServeMux, path string, h http.Handler) http.Handler {
	t.Helper()
	var d document
	if err := json.Unmarshal(read(t, mux, path), &d); err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &recorder{ResponseWriter: w, status: http.StatusOK}
		_, pattern := mux.Handler(r)
		h.ServeHTTP(seen, r)
		method, route, _ := strings.Cut(pattern, " ")
		call, known := d.Paths[route][strings.ToLower(method)]
		if !known {
			return // a page, or no route
		}
		answer, known := call.Responses[strconv.Itoa(seen.status)]
		if !known {
			t.Errorf("%s answered %d, which its document doesn't have: %s", pattern, seen.status, seen.body.String())
			return
		}
		if seen.status < 400 {
			return
		}
		f := fault.Decode(seen.status, seen.body.Bytes())
		if _, known := answer.Content[fault.ContentType].Examples[f.Code]; !known {
			t.Errorf("%s answered %d %s, which its document doesn't have", pattern, seen.status, f.Code)
		}
	})
}

// recorder keeps what goes by.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}
