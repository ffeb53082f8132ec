package contract_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func repeated(s string, n int) string { return strings.Repeat(s, n) }

// pages walks through every list that a document has, and asks for pages that there can't be.
func (w *world) pages(t *testing.T) {
	w.do(t, call{name: "a shared payment", as: "bob", method: "POST", path: "<pay>/payments", body: `{"order":"shared","parties":[{"payee":"<ann>","amount":"1"}]}`,
		status: 201, want: `{"state":"captured"}`, keep: "shared"})
	for i := range 5 {
		w.shipment(t, "case", "parcel in question")
		w.do(t,
			call{name: "offer", as: "ann", method: "POST", path: "<shop>/products", body: fmt.Sprintf(`{"title":"Spoon %d","price":"0.01","stock":9}`, i), status: 201, keep: "spoon"},
			call{name: "buy", as: "bob", method: "POST", path: "<shop>/orders", body: `{"items":[{"product":"<spoon>","quantity":1}]}`, status: 201},
			call{name: "a little money", as: "bob", method: "POST", path: "<pay>/topups", body: `{"wallet":"<wallet>","amount":"0.01"}`, status: 201},
			call{name: "another wallet", as: "bob", method: "POST", path: "<pay>/wallets", status: 201},
			call{name: "a part back", as: "bob", method: "POST", path: "<pay>/payments/<shared>/refunds", body: fmt.Sprintf(`{"id":"back-%d","payee":"<ann>","amount":"0.01"}`, i), status: 201},
			call{name: "a part on", as: "bob", method: "POST", path: "<pay>/payments/<shared>/releases", body: fmt.Sprintf(`{"id":"on-%d","payee":"<ann>","amount":"0.01"}`, i), status: 201},
			call{name: "ask", as: "dina", method: "POST", path: "<shop>/shipments/<parcel in question>/refunds", body: `{"reason":"x"}`, status: 201, keep: "question"},
			call{name: "no", as: "ann", method: "POST", path: "<shop>/refunds/<question>/refuse", body: `{"answer":"x"}`, status: 200},
			call{name: "to the operator", as: "dina", method: "POST", path: "<shop>/refunds/<question>/appeal", status: 200},
		)
	}
	reached := map[*route]bool{}
	for name, list := range map[string]struct{ as, path, more string }{
		"products":    {"", "<shop>/products?", `{"title":"Spoon in between","price":"1","stock":1}`},
		"of a seller": {"", "<shop>/products?seller=<ann>&", ""},
		"found":       {"", "<shop>/products?q=spoon&", ""},
		"orders":      {"bob", "<shop>/orders?", ""},
		"sales":       {"ann", "<shop>/orders?role=seller&", ""},
		"cases":       {"olga", "<shop>/cases?", ""},
		"wallets":     {"bob", "<pay>/wallets?", ""},
		"top-ups":     {"bob", "<pay>/wallets/<wallet>/topups?", ""},
		"payments":    {"shop", "<pay>/merchant/payments?", ""},
		"refunds":     {"bob", "<pay>/payments/<shared>/refunds?", ""},
		"releases":    {"bob", "<pay>/payments/<shared>/releases?", ""},
		"own":         {"ann", "<shop>/me/products?", ""},
		"statement":   {"bob", "<pay>/wallets/<wallet>/entries?", ""},
		noFindings:    {"olga", "<shop>/findings?", ""},
	} {
		reached[w.routeAt(t, http.MethodGet, list.path)] = true
		all, next := w.page(t, list.as, list.path+"limit=100")
		if name == noFindings && (len(all) > 0 || next != "") {
			t.Errorf("%d %s and next %q, want none on the only page", len(all), name, next)
		}
		if name != noFindings && (len(all) < 4 || next != "") {
			t.Fatalf("%s: %d things and next %q, want 4 or more on the only page", name, len(all), next)
		}
		var walked []string
		cursor, pages := "", 0
		for {
			ids, next := w.page(t, list.as, list.path+"limit=2&cursor="+url.QueryEscape(cursor))
			walked = append(walked, ids...)
			pages++
			if next == "" {
				break
			}
			if len(ids) != 2 || pages > len(all) {
				t.Fatalf("%s: page %d has %d things and goes on", name, pages, len(ids))
			}
			if list.more != "" && pages == 1 { // what comes now is before the second page
				w.do(t, call{name: "more", as: "ann", method: "POST", path: strings.TrimRight(list.path, "?"), body: list.more, status: 201})
			}
			cursor = next
		}
		if !slices.Equal(walked, all) {
			t.Errorf("%s: page by page %v, at once %v", name, walked, all)
		}
		for _, cursor := range []string{"x", "eyJ4Ijp9", "W10", "WzFd.", "W251bGxd", repeated("A", 256)} {
			w.do(t, call{name: name + " after the cursor " + cursor, as: list.as, method: "GET", path: list.path + "cursor=" + cursor,
				status: 422, code: "page.cursor", field: "cursor"})
		}
		w.do(t, call{name: name + " after a cursor that is too long", as: list.as, method: "GET", path: list.path + "cursor=" + repeated("A", 257),
			status: 422, code: "request.invalid", field: "cursor"})
		for _, limit := range []string{"0", "-1", "101", "1.5", "all"} {
			w.do(t, call{name: name + ", a page of " + limit, as: list.as, method: "GET", path: list.path + "limit=" + limit,
				status: 422, code: "request.invalid", field: "limit"})
		}
	}
	for _, r := range w.routes {
		if r.paged && !reached[r] {
			t.Errorf("%s %s has pages, but nobody walks through them", r.method, r.path)
		}
	}
}

// noFindings is the list that stays empty: nothing that programs can do makes shop and pay
// disagree.
const noFindings = "findings"

// page is the ids on a page of a list, and the cursor of the next one.
func (w *world) page(t *testing.T, as, path string) (ids []string, next string) {
	t.Helper()
	a := w.one(t, call{name: "a page", as: as, method: "GET", path: path, status: 200})
	items, _ := a.document["items"].([]any)
	for _, item := range items {
		id, _ := item.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	next, _ = a.document["next"].(string)
	return ids, next
}
