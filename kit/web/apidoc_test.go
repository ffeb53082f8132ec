package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jishi/kit/fault"
	"jishi/kit/money"
)

type teapot struct {
	ID     string       `json:"id" example:"tea_1"`
	Price  money.Amount `json:"price"`
	Labels []string     `json:"labels,omitempty" doc:"what it is called"`
}

// library is an API with one call.
func library() *http.ServeMux {
	mux := http.NewServeMux()
	a := NewAPI(mux, About{Prefix: "/tea/api", Title: "Tea", Description: "One.\n\nTwo.", Groups: []Group{{"Pots", "All pots."}}}, nil)
	Register(a, Call{
		ID: "addPot", Group: "Pots", Method: "POST", Path: "/tea/api/v1/pots", Summary: "Add a pot", Status: 201, Refuses: []*fault.Error{errGone},
	}, func(_ context.Context, in *struct {
		IdempotencyKey
		Body struct {
			Price money.Input `json:"price"`
		}
	}) (*struct{ Body teapot }, error) {
		p, err := in.Body.Price.In(money.CNY)
		return &struct{ Body teapot }{teapot{ID: "tea_1", Price: p}}, err
	})
	return mux
}

// The page about an API is a page: without scripts or styles of its own and without
// anything from elsewhere, in both languages.
func TestThePageAboutAnAPI(t *testing.T) {
	h := market(t, library())
	for lang, word := range map[string]string{"en": "Refusals", "zh": "可能的拒绝"} {
		r := httptest.NewRequest(http.MethodGet, "/tea/api/docs", nil)
		r.Header.Set("Accept-Language", lang)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		page := w.Body.String()
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Fatalf("%s: %d %s", lang, w.Code, page)
		}
		for _, want := range []string{
			word, `id="addPot"`, "/tea/api/v1/pots", "Idempotency-Key", "test.gone", "idempotency.mismatch", "{amount, currency}",
			"/tea/api/openapi.json", `href="/pay/api/docs"`, "what it is called", `&#34;id&#34;: &#34;tea_1&#34;`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s on the page", lang, want)
			}
		}
		root, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
				t.Errorf("%s: an inline %s", lang, n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || (a.Key == "src" || a.Key == "href") && strings.Contains(a.Val, "//") {
					t.Errorf("%s: %s has %s=%q", lang, n.Data, a.Key, a.Val)
				}
			}
		}
	}
}

func TestOnlyCallsAreAPI(t *testing.T) {
	for path, want := range map[string]bool{
		"/api/v1/products": true, "/pay/api/openapi.json": true, "/auth/api/v1/docs": true,
		"/api/docs": false, "/pay/api/docs": false, "/products/api": false, "/": false,
	} {
		if got := IsAPI(path); got != want {
			t.Errorf("%s: got %t", path, got)
		}
	}
}

// Both forms of an amount are read; what is written is one.
func TestAmountsOfCalls(t *testing.T) {
	h := library()
	for body, want := range map[string]string{
		`{"price":"12.5"}`: `"price":{"amount":"12.50","currency":"CNY"}`,
		`{"price":{"amount":"12.5","currency":"CNY"}}`:         `"price":{"amount":"12.50","currency":"CNY"}`,
		`{"price":{"amount":"1","currency":"USD"}}`:            `"code":"money.currency"`,
		`{"price":{"amount":"1","currency":"CNY","more":"x"}}`: `"code":"request.invalid"`,
		`{"price":12.5}`: `"code":"request.invalid"`,
		`{}`:             `"field":"price"`,
	} {
		r := httptest.NewRequest(http.MethodPost, "/tea/api/v1/pots", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %d %s, want %s", body, w.Code, w.Body, want)
		}
	}
}

func TestLimitsHaveHeaders(t *testing.T) {
	f := fault.New(fault.Limited, "test.limited", "Slowly.").With(fault.RetryAfter, 42).With(fault.Limit, 7)
	w := httptest.NewRecorder()
	WriteProblem(w, httptest.NewRequest(http.MethodGet, "/api/v1/x", nil), f)
	for name, want := range map[string]string{"Retry-After": "42", "RateLimit-Limit": "7", "RateLimit-Remaining": "0", "RateLimit-Reset": "42"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
