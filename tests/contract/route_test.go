package contract_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// route is a call that a module's document describes, and how it has answered.
type route struct {
	base   string // of the module
	method string
	path   string // with names in braces
	bearer bool   // it asks for a token
	paged  bool   // it is a list that is read in pages
	seen   map[int]bool

	documented map[string]any // answers by status
}

// routes are those that the documents of the three APIs list.
func (w *world) documented() []*route {
	w.t.Helper()
	var all []*route
	for _, api := range []struct{ base, prefix string }{
		{w.market.Auth, "/auth/api"}, {w.market.Pay, "/pay/api"}, {w.market.Shop, "/api"},
	} {
		res, err := w.http.Get(api.base + api.prefix + "/openapi.json")
		if err != nil {
			w.t.Fatal(err)
		}
		var document struct {
			Paths map[string]map[string]struct {
				Security   []map[string][]string
				Parameters []struct{ Name string }
				Responses  map[string]any
			}
		}
		err = json.NewDecoder(res.Body).Decode(&document)
		_ = res.Body.Close()
		if err != nil || len(document.Paths) == 0 {
			w.t.Fatalf("the document of %s%s lists no routes: %v", api.base, api.prefix, err)
		}
		for path, methods := range document.Paths {
			for method, operation := range methods {
				all = append(all, &route{
					base: api.base, method: strings.ToUpper(method), path: path,
					bearer: len(operation.Security) > 0, paged: slices.Contains(operation.Parameters, struct{ Name string }{"cursor"}),
					seen: map[int]bool{}, documented: operation.Responses,
				})
			}
		}
	}
	return all
}

// routeAt is the route of a call.
func (w *world) routeAt(t *testing.T, method, path string) *route {
	t.Helper()
	req, err := http.NewRequest(method, w.fill(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.routeOf(req)
}

// routeOf is the route that a request goes to; of several the one with fewer braces.
func (w *world) routeOf(r *http.Request) *route {
	var found *route
	for _, candidate := range w.routes {
		if candidate.method == r.Method && strings.HasPrefix(r.URL.String(), candidate.base) && fits(candidate.path, r.URL.Path) &&
			(found == nil || strings.Count(candidate.path, "{") < strings.Count(found.path, "{")) {
			found = candidate
		}
	}
	return found
}

func fits(pattern, path string) bool {
	return slices.EqualFunc(strings.Split(pattern, "/"), strings.Split(path, "/"), func(p, s string) bool {
		return p == s || strings.HasPrefix(p, "{") && s != ""
	})
}

// covered finds that every documented route has been seen to do what it is for and to
// refuse.
func (w *world) covered(t *testing.T) {
	t.Helper()
	for _, r := range w.routes {
		done, refused := false, false
		for status := range r.seen {
			if _, ok := r.documented[strconv.Itoa(status)]; !ok {
				t.Errorf("%s %s answered %d, of which its document says nothing", r.method, r.path, status)
			}
			done = done || status < 300
			refused = refused || status >= 400
		}
		if !done || !refused {
			t.Errorf("%s %s: seen done %t, seen refused %t; want both", r.method, r.path, done, refused)
		}
		if r.bearer && !r.seen[http.StatusUnauthorized] {
			t.Errorf("%s %s asks for a token, but was not seen to refuse somebody without one", r.method, r.path)
		}
	}
}

// methods sends each path the methods that it hasn't: they are refused, and those that it has
// are named.
func (w *world) methods(t *testing.T) {
	has := map[string][]string{} // by address
	for _, r := range w.routes {
		at := r.base + r.path
		has[at] = append(has[at], r.method)
		if r.method == http.MethodGet {
			has[at] = append(has[at], http.MethodHead)
		}
	}
	for at, methods := range has {
		slices.Sort(methods)
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			if slices.Contains(methods, method) {
				continue
			}
			a := w.one(t, call{name: "a method that it hasn't", as: "ann", method: method, path: at, status: 405, code: "request.method"})
			allowed := strings.Split(a.header.Get("Allow"), ", ")
			if slices.Sort(allowed); !slices.Equal(allowed, methods) {
				t.Errorf("%s %s: it allows %v, want %v", method, at, allowed, methods)
			}
		}
	}
}
