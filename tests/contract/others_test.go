package contract_test

import "testing"

// others asks for what belongs to somebody else. Whose existence is nobody's business is
// not found.
func (w *world) others(t *testing.T) {
	wallet := call{as: "carl", status: 404, code: "pay.wallet_not_found", field: "wallet"}
	payment := call{as: "carl", status: 404, code: "pay.no_payment"}
	order := call{as: "carl", status: 404, code: "shop.no_order"}
	product := call{as: "carl", status: 403, code: "shop.not_seller"}
	for _, c := range []struct {
		like                     call
		name, method, path, body string
	}{
		{wallet, "read a wallet", "GET", "<pay>/wallets/<wallet>", ""},
		{wallet, "read its statement", "GET", "<pay>/wallets/<wallet>/entries", ""},
		{wallet, "read its top-ups", "GET", "<pay>/wallets/<wallet>/topups", ""},
		{call{as: "carl", status: 404, code: "pay.no_topup"}, "read one of them", "GET", "<pay>/topups/<topup>", ""},
		{wallet, "rename it", "PATCH", "<pay>/wallets/<wallet>", `{"name":"mine"}`},
		{wallet, "make it the default", "PATCH", "<pay>/wallets/<wallet>", `{"default":true}`},
		{wallet, "put money into it", "POST", "<pay>/topups", `{"wallet":"<wallet>","amount":"1"}`},
		{wallet, "pay from it", "POST", "<pay>/payments", `{"order":"carls-2","wallet":"<wallet>","parties":[{"payee":"<carl>","amount":"1"}]}`},
		{payment, "read a payment", "GET", "<pay>/payments/<payment>", ""},
		{payment, "read it by its order", "GET", "<pay>/payments?order=mine-1", ""},
		{payment, "see it at the cashier", "GET", "<pay>/payments/<payment>/checkout", ""},
		{payment, "pay it", "POST", "<pay>/payments/<payment>/pay", ""},
		{payment, "close it", "POST", "<pay>/payments/<payment>/close", ""},
		{order, "read an order", "GET", "<shop>/orders/<order>", ""},
		{order, "pay it", "POST", "<shop>/orders/<order>/pay", ""},
		{order, "cancel it", "POST", "<shop>/orders/<order>/cancel", ""},
		{product, "change a product", "PATCH", "<shop>/products/<product>", `{"price":"0.01"}`},
		{product, "take it down", "DELETE", "<shop>/products/<product>", ""},
	} {
		x := c.like
		x.name, x.method, x.path, x.body = c.name, c.method, c.path, c.body
		w.do(t, x)
	}
	w.do(t,
		call{name: "the seller sees what was sold, and can't act for the buyer", as: "ann", method: "GET", path: "<shop>/orders/<order>", status: 200, want: `{"id":"<order>","actions":null}`},
		call{name: "which paying would be", as: "ann", method: "POST", path: "<shop>/orders/<order>/pay", status: 404, code: "shop.no_order"},
		call{name: "who is paid sees no payment", as: "ann", method: "GET", path: "<pay>/payments/<payment>", status: 404, code: "pay.no_payment"},
		call{name: "a merchant's order can't be closed by others", as: "carl", method: "POST", path: "<pay>/orders/mine-1/close",
			status: 404, code: "pay.no_payment"},
		call{name: "mine is as it was", as: "bob", method: "GET", path: "<pay>/payments/<payment>", status: 200, want: `{"state":"captured"}`},
		call{name: "fill my cart", as: "bob", method: "PUT", path: "<shop>/cart/items/<product>", body: `{"quantity":1}`, status: 200},
		call{name: "a cart is one's own", as: "carl", method: "GET", path: "<shop>/cart", status: 200, want: `{"items":[]}`},
		call{name: "take out of one's own", as: "carl", method: "DELETE", path: "<shop>/cart/items/<product>", status: 204},
		call{name: "still in the other one", as: "bob", method: "GET", path: "<shop>/cart", status: 200, want: `{"items":[{"quantity":1}]}`},
		call{name: "from another's wallet", as: "carl", method: "POST", path: "<shop>/orders", body: `{"items":[{"product":"<product>","quantity":1}],"wallet":"<wallet>"}`,
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "which places nothing", as: "carl", method: "GET", path: "<shop>/orders", status: 200, want: `{"items":[]}`},
		call{name: "nobody else's wallets", as: "carl", method: "GET", path: "<pay>/wallets", status: 200, want: `{"items":[]}`},
		call{name: "nothing happened to the money", as: "bob", method: "GET", path: "<pay>/wallets/<wallet>", status: 200, want: `{"name":"Pocket","balance":{"amount":"50.00"}}`},
		call{name: "nor to the product", method: "GET", path: "<shop>/products/<product>", status: 200, want: `{"listed":true,"price":{"amount":"12.50"}}`},
	)
}
