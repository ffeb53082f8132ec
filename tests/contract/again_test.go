package contract_test

import (
	"reflect"
	"testing"
)

// again sends every call that makes something, or adds to it, twice with one Idempotency-Key, and then
// with another body. The second time gives the first answer, the third one is refused; for
// somebody else the key is a new one.
func (w *world) again(t *testing.T) {
	w.do(t, call{name: "a jug", as: "ann", method: "POST", path: "<shop>/products", body: `{"title":"Jug","price":"1","stock":20}`, status: 201, keep: "jug"})
	for _, c := range []struct {
		call
		other string // body
		whose string // somebody else; "" where callers have no name
	}{
		{call{name: "a user", method: "POST", path: "<auth>/users", body: `{"identifier":"frida@example.com","password":"correct horse"}`, status: 201},
			`{"identifier":"frida@example.com","password":"correct horse","name":"Frida"}`, ""},
		{call{name: "a wallet", as: "bob", method: "POST", path: "<pay>/wallets", body: `{"name":"Third","amount":"1"}`, status: 201}, `{"name":"Third","amount":"2"}`, "carl"},
		{call{name: "a top-up", as: "bob", method: "POST", path: "<pay>/topups", body: `{"wallet":"<wallet>","amount":"1"}`, status: 201}, `{"wallet":"<wallet>","amount":"2"}`, ""},
		{call{name: "a product", as: "ann", method: "POST", path: "<shop>/products", body: `{"title":"Bowl","price":"1","stock":20}`, status: 201}, `{"title":"Bowl","price":"1","stock":21}`, "bob"},
		{call{name: "pieces that came in", as: "ann", method: "PATCH", path: "<shop>/products/<jug>", body: `{"stock":21,"stock_seen":20}`, status: 200}, `{"stock":22,"stock_seen":20}`, ""},
		{call{name: "pieces in the cart", as: "carl", method: "POST", path: "<shop>/cart/items", body: `{"product":"<product>","quantity":1}`, status: 200}, `{"product":"<product>","quantity":2}`, ""},
		{call{name: "an order", as: "bob", method: "POST", path: "<shop>/orders", body: `{"items":[{"product":"<product>","quantity":1}]}`, status: 201},
			`{"items":[{"product":"<product>","quantity":2}]}`, ""},
		{call{name: "an order that waits for money", as: "bob", method: "POST", path: "<shop>/orders",
			body: `{"items":[{"product":"<product>","quantity":1}],"wallet":"<empty>"}`, status: 402, code: "shop.unpaid"}, `{"items":[{"product":"<product>","quantity":2}]}`, ""},
		{call{name: "a refund", as: "dina", method: "POST", path: "<shop>/shipments/<parcel>/refunds", body: `{"reason":"Too small.","amount":"1"}`, status: 201},
			`{"reason":"Too small.","amount":"2"}`, ""},
	} {
		c.key = "key of " + c.name
		first := w.one(t, c.call)
		second := w.one(t, c.call)
		if !reflect.DeepEqual(first.document, second.document) {
			t.Errorf("%s: first %v, then %v", c.name, first.document, second.document)
		}
		mismatch := c.call
		mismatch.body, mismatch.status, mismatch.code = c.other, 422, "idempotency.mismatch"
		w.one(t, mismatch)
		if c.whose == "" {
			continue
		}
		c.as = c.whose
		if a := w.one(t, c.call); a.document["id"] == first.document["id"] {
			t.Errorf("%s: %s got somebody else's", c.name, c.whose)
		}
	}
	w.do(t,
		call{name: "a key of 129 characters", as: "bob", method: "POST", path: "<pay>/wallets", key: repeated("k", 129), status: 422, code: "request.invalid", field: "Idempotency-Key"},
		call{name: "one purchase, one top-up", as: "bob", method: "GET", path: "<pay>/wallets/<wallet>", status: 200, want: `{"balance":{"amount":"38.50"}}`},
		call{name: "one piece came in", method: "GET", path: "<shop>/products/<jug>", status: 200, want: `{"stock":21,"version":2}`},
		call{name: "one piece sold and one held", method: "GET", path: "<shop>/products/<product>", status: 200, want: `{"stock":2}`},
	)
}
