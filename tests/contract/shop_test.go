package contract_test

import (
	"strings"
	"testing"
)

// long is a text of n characters.
func long(n int) string { return strings.Repeat("长", n) }

func (w *world) products(t *testing.T) {
	const products = "<shop>/products"
	w.do(t,
		call{name: "offer", as: "ann", method: "POST", path: products,
			body:   `{"title":" Teapot 茶壶 🫖 ","description":"<b>round</b>","price":"12.5","stock":9}`,
			status: 201, want: `{"title":"Teapot 茶壶 🫖","description":"<b>round</b>","price":{"amount":"12.50","currency":"CNY"},"stock":9,"seller":{"id":"<ann>","name":"ann"},"version":1,"listed":true}`, keep: "product"},
		call{name: "offer what none of is there yet", as: "ann", method: "POST", path: products,
			body: `{"title":"Cup","price":{"amount":"3","currency":"CNY"},"stock":0}`, status: 201, want: `{"stock":0}`, keep: "none left"},
		call{name: "a title of spaces", as: "ann", method: "POST", path: products, body: `{"title":"  ","price":"1","stock":1}`, status: 422, code: "shop.title", field: "title"},
		call{name: "no title", as: "ann", method: "POST", path: products, body: `{"price":"1","stock":1}`, status: 422, code: "request.invalid", field: "title"},
		call{name: "a title of 121 characters", as: "ann", method: "POST", path: products, body: `{"title":"` + long(121) + `","price":"1","stock":1}`, status: 422, code: "shop.title", field: "title"},
		call{name: "a description of 10,001", as: "ann", method: "POST", path: products, body: `{"title":"x","description":"` + long(10001) + `","price":"1","stock":1}`, status: 422, code: "shop.description", field: "description"},
		call{name: "a picture that is no address", as: "ann", method: "POST", path: products, body: `{"title":"x","image":"javascript:alert(1)","price":"1","stock":1}`, status: 422, code: "shop.image", field: "image"},
		call{name: "another currency", as: "ann", method: "POST", path: products, body: `{"title":"x","price":{"amount":"1","currency":"USD"},"stock":1}`, status: 422, code: "money.currency", field: "price"},
		call{name: "-1 in stock", as: "ann", method: "POST", path: products, body: `{"title":"x","price":"1","stock":-1}`, status: 422, code: "shop.stock", field: "stock"},
		call{name: "half a piece", as: "ann", method: "POST", path: products, body: `{"title":"x","price":"1","stock":1.5}`, status: 422, code: "request.invalid", field: "stock"},
		call{name: "2^63 in stock", as: "ann", method: "POST", path: products, body: `{"title":"x","price":"1","stock":9223372036854775808}`, status: 422, code: "request.invalid", field: "stock"},

		call{name: "all", method: "GET", path: products, status: 200, want: `{"items":[{"id":"<none left>"},{"id":"<product>"}]}`},
		call{name: "those with a word", method: "GET", path: products + "?q=%E8%8C%B6", status: 200, want: `{"items":[{"id":"<product>"}]}`},
		call{name: "a word of 101 characters", method: "GET", path: products + "?q=" + strings.Repeat("x", 101), status: 422, code: "request.invalid", field: "q"},
		call{name: "those of nobody", method: "GET", path: products + "?seller=<bob>", status: 200, want: `{"items":[]}`},
		call{name: "one", method: "GET", path: products + "/<product>", status: 200, want: `{"id":"<product>"}`},
		call{name: "none", method: "GET", path: products + "/prd_none", status: 404, code: "shop.no_product"},
	)
	for price, code := range map[string]string{
		"0": "shop.price", "0.001": "shop.price", "-1": "shop.price", "1e3": "shop.price", "12,5": "shop.price", "": "shop.price",
		"99999999999999999999": "shop.price", "1000000.01": "shop.price",
	} {
		w.do(t, call{name: "a price of " + price, as: "ann", method: "POST", path: products,
			body: `{"title":"x","price":"` + price + `","stock":1}`, status: 422, code: code, field: "price"})
	}
	w.versions(t)
	w.do(t,
		call{name: "a picture", as: "ann", method: "POST", path: "<shop>/pictures", body: dot, header: map[string]string{"Content-Type": "image/png"}, status: 201},
		call{name: "no picture", as: "ann", method: "POST", path: "<shop>/pictures", body: "<svg>", header: map[string]string{"Content-Type": "image/png"},
			status: 422, code: "shop.picture_format", field: "image"},
		call{name: "offer and take down", as: "ann", method: "POST", path: products, body: `{"title":"Gone","price":"1","stock":1}`, status: 201, keep: "gone"},
		call{name: "take down", as: "ann", method: "DELETE", path: products + "/<gone>", status: 204},
		call{name: "it can be read", method: "GET", path: products + "/<gone>", status: 200, want: `{"listed":false}`},
		call{name: "among mine", as: "ann", method: "GET", path: "<shop>/me/products?limit=1", status: 200, want: `{"items":[{"id":"<gone>","listed":false}]}`},
		call{name: "but not listed", method: "GET", path: products + "?q=Gone", status: 200, want: `{"items":[]}`},
		call{name: "nor changed", as: "ann", method: "PATCH", path: products + "/<gone>", body: `{"title":"Back"}`, status: 404, code: "shop.no_product"},
		call{name: "take none down", as: "ann", method: "DELETE", path: products + "/prd_none", status: 404, code: "shop.no_product"},
	)
}

// dot is a PNG of one pixel.
const dot = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89" +
	"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\x00\x05\x00\x01\xff\x89\x99=\x1d\x00\x00\x00\x00IEND\xaeB`\x82"

// versions changes a product by the version that was read of it.
func (w *world) versions(t *testing.T) {
	const product = "<shop>/products/<product>"
	read := w.one(t, call{name: "read", method: "GET", path: product, status: 200})
	first := read.header.Get("ETag")
	match := func(tag string) map[string]string { return map[string]string{"If-Match": tag} }
	changed := w.one(t, call{name: "change what was read", as: "ann", method: "PATCH", path: product, header: match(first),
		body: `{"title":"Teapot"}`, status: 200, want: `{"title":"Teapot","version":2,"stock":9,"price":{"amount":"12.50"}}`})
	second := changed.header.Get("ETag")
	if first == "" || second == "" || first == second {
		t.Errorf("the tags are %q and %q, want two", first, second)
	}
	w.do(t,
		call{name: "change what was changed since", as: "ann", method: "PATCH", path: product, header: match(first), body: `{"title":"Kettle"}`, status: 412, code: "shop.stale"},
		call{name: "a tag that is none", as: "ann", method: "PATCH", path: product, header: match("teapot"), body: `{"title":"Kettle"}`, status: 412, code: "shop.stale"},
		call{name: "whatever it is now", as: "ann", method: "PATCH", path: product, header: match("*"), body: `{"description":"still <b>round</b>"}`, status: 200, want: `{"version":3}`},
		call{name: "without a word about it", as: "ann", method: "PATCH", path: product, body: `{"stock":10,"stock_seen":8}`, status: 200, want: `{"stock":11}`},
		call{name: "back", as: "ann", method: "PATCH", path: product, body: `{"stock":9}`, status: 200, want: `{"stock":9,"title":"Teapot"}`},
		call{name: "a price of nothing", as: "ann", method: "PATCH", path: product, body: `{"price":"0"}`, status: 422, code: "shop.price", field: "price"},
		call{name: "a stock of -1", as: "ann", method: "PATCH", path: product, body: `{"stock":-1}`, status: 422, code: "shop.stock", field: "stock"},
		call{name: "a title of nothing", as: "ann", method: "PATCH", path: product, body: `{"title":""}`, status: 422, code: "shop.title", field: "title"},
		call{name: "of none", as: "ann", method: "PATCH", path: "<shop>/products/prd_none", body: `{"title":"x"}`, status: 404, code: "shop.no_product"},
	)
}

func (w *world) cart(t *testing.T) {
	const cart, item = "<shop>/cart", "<shop>/cart/items/<product>"
	w.do(t,
		call{name: "empty", as: "bob", method: "GET", path: cart, status: 200, want: `{"items":[],"total":{"amount":"0.00","currency":"CNY"}}`},
		call{name: "two", as: "bob", method: "PUT", path: item, body: `{"quantity":2}`, status: 200,
			want: `{"items":[{"product":{"id":"<product>"},"quantity":2,"total":{"amount":"25.00"},"available":true}],"total":{"amount":"25.00"}}`},
		call{name: "three, and not five", as: "bob", method: "PUT", path: item, body: `{"quantity":3}`, status: 200, want: `{"items":[{"quantity":3}],"total":{"amount":"37.50"}}`},
		call{name: "more than there are", as: "bob", method: "PUT", path: item, body: `{"quantity":10}`, status: 200, want: `{"items":[{"quantity":10,"available":false}],"total":{"amount":"0.00"}}`},
		call{name: "why not", as: "bob", method: "GET", path: cart, status: 200, want: `{"items":[{"trouble":"short","price_changed":false,"price_seen":{"amount":"12.50"}}]}`},
		call{name: "at a price that it has not", as: "bob", method: "PUT", path: item, body: `{"quantity":3,"price":"11"}`, status: 200, want: `{"items":[{"price_changed":true}]}`},
		call{name: "in a currency that is not offered", as: "bob", method: "PUT", path: item, body: `{"quantity":3,"price":{"amount":"11","currency":"USD"}}`, status: 422, code: "money.currency", field: "price"},
		call{name: "start again", as: "bob", method: "DELETE", path: item, status: 204},
		call{name: "add one", as: "bob", method: "POST", path: cart + "/items", body: `{"product":"<product>","quantity":1}`, status: 200, want: `{"items":[{"quantity":1}]}`},
		call{name: "and two", as: "bob", method: "POST", path: cart + "/items", body: `{"product":"<product>","quantity":2,"price":"12.50"}`, status: 200, want: `{"items":[{"quantity":3}]}`},
		call{name: "and too many", as: "bob", method: "POST", path: cart + "/items", body: `{"product":"<product>","quantity":997}`, status: 422, code: "shop.quantity", field: "quantity"},
		call{name: "add what is none", as: "bob", method: "POST", path: cart + "/items", body: `{"product":"prd_none","quantity":1}`, status: 404, code: "shop.no_product"},
		call{name: "what is not sold any more", as: "bob", method: "PUT", path: "<shop>/cart/items/<gone>", body: `{"quantity":1}`, status: 404, code: "shop.no_product"},
		call{name: "what never was", as: "bob", method: "PUT", path: "<shop>/cart/items/prd_none", body: `{"quantity":1}`, status: 404, code: "shop.no_product"},
		call{name: "no quantity", as: "bob", method: "PUT", path: item, body: `{}`, status: 422, code: "request.invalid", field: "quantity"},
		call{name: "take it out", as: "bob", method: "DELETE", path: item, status: 204},
		call{name: "and again", as: "bob", method: "DELETE", path: item, status: 204},
		call{name: "empty again", as: "bob", method: "GET", path: cart, status: 200, want: `{"items":[]}`},
	)
	for quantity, code := range map[string]string{
		"0": "shop.quantity", "-1": "shop.quantity", "1000": "shop.quantity", "1.5": "request.invalid", `"2"`: "request.invalid",
		"9223372036854775808": "request.invalid", "null": "request.invalid",
	} {
		w.do(t,
			call{name: "quantity " + quantity, as: "bob", method: "PUT", path: item, body: `{"quantity":` + quantity + `}`, status: 422, code: code, field: "quantity"},
		)
	}
}

func (w *world) orders(t *testing.T) {
	const orders = "<shop>/orders"
	w.do(t,
		call{name: "buy", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":2,"price":"12.50"}]}`,
			status: 201, want: `{"state":"paid","buyer":{"id":"<bob>"},"total":{"amount":"25.00"},"items":[{"product":"<product>","title":"Teapot","quantity":2,"price":{"amount":"12.50"},"seller":{"id":"<ann>"}}]}`, keep: "order"},
		call{name: "it was paid", as: "bob", method: "GET", path: "<pay>/payments?order=<order>", status: 200, want: `{"state":"captured","merchant":"shop"}`},
		call{name: "from a wallet with nothing", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":1}],"wallet":"<empty>"}`,
			status: 402, code: "shop.unpaid", want: `{"available":{"amount":"0.00"},"missing":{"amount":"12.50"}}`},
		call{name: "more than there are", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":7}]}`,
			status: 409, code: "shop.sold_out", field: "quantity", want: `{"product":"<product>","available":6,"wanted":7}`},
		call{name: "what is not sold any more", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<gone>","quantity":1}]}`, status: 409, code: "shop.unavailable", want: `{"product":"<gone>"}`},
		call{name: "for another price", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":1,"price":"12.49"}]}`,
			status: 409, code: "shop.price_changed", want: `{"product":"<product>","price":{"amount":"12.50"}}`},
		call{name: "nothing", as: "bob", method: "POST", path: orders, body: `{}`, status: 422, code: "shop.items", field: "items"},
		call{name: "one thing twice", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":1},{"product":"<product>","quantity":1}]}`, status: 422, code: "shop.items", field: "items"},
		call{name: "none of it", as: "bob", method: "POST", path: orders, body: `{"items":[{"product":"<product>","quantity":0}]}`, status: 422, code: "shop.quantity", field: "quantity"},
		call{name: "the cart when it is empty", as: "bob", method: "POST", path: orders, body: `{"cart":true}`, status: 409, code: "shop.cart_empty"},

		call{name: "fill the cart", as: "bob", method: "PUT", path: "<shop>/cart/items/<product>", body: `{"quantity":1}`, status: 200},
		call{name: "the cart as it was not", as: "bob", method: "POST", path: orders, body: `{"cart":true,"items":[{"product":"<product>","quantity":2}]}`, status: 409, code: "shop.cart_changed"},
		call{name: "the cart", as: "bob", method: "POST", path: orders, body: `{"cart":true,"items":[{"product":"<product>","quantity":1,"price":"12.5"}]}`, status: 201, want: `{"state":"paid"}`},
		call{name: "which is empty now", as: "bob", method: "GET", path: "<shop>/cart", status: 200, want: `{"items":[]}`},

		call{name: "mine", as: "bob", method: "GET", path: orders, status: 200, want: `{"items":[{"state":"paid"},{"state":"pending"},{"id":"<order>"}]}`},
		call{name: "my sales", as: "ann", method: "GET", path: orders + "?role=seller", status: 200, want: `{"items":[{"state":"paid"},{"id":"<order>","buyer":{"name":"bob"}}]}`},
		call{name: "as somebody who is neither", as: "bob", method: "GET", path: orders + "?role=thief", status: 422, code: "request.invalid", field: "role"},
		call{name: "one", as: "bob", method: "GET", path: orders + "/<order>", status: 200, want: `{"id":"<order>"}`},
		call{name: "none", as: "bob", method: "GET", path: orders + "/ord_none", status: 404, code: "shop.no_order"},
		call{name: "pay none", as: "bob", method: "POST", path: orders + "/ord_none/pay", status: 404, code: "shop.no_order"},
		call{name: "cancel none", as: "bob", method: "POST", path: orders + "/ord_none/cancel", status: 404, code: "shop.no_order"},
		call{name: "cancel what is paid", as: "bob", method: "POST", path: orders + "/<order>/cancel", status: 409, code: "shop.wrong_state"},
		call{name: "pay what is paid", as: "bob", method: "POST", path: orders + "/<order>/pay", status: 200, want: `{"state":"paid"}`},
	)
	waiting := func(name string) {
		list := w.one(t, call{name: "order what can't be paid", as: "bob", method: "POST", path: orders,
			body: `{"items":[{"product":"<product>","quantity":1}],"wallet":"<empty>"}`, status: 402, code: "shop.unpaid"})
		w.thing[name], _ = list.document["order"].(string)
	}
	waiting("to pay")
	waiting("to cancel")
	w.do(t,
		call{name: "pay without money", as: "bob", method: "POST", path: orders + "/<to pay>/pay", body: `{"wallet":"<empty>"}`, status: 402, code: "shop.unpaid", want: `{"order":"<to pay>"}`},
		call{name: "pay", as: "bob", method: "POST", path: orders + "/<to pay>/pay", body: `{"wallet":"<wallet>"}`, status: 200, want: `{"state":"paid"}`},
		call{name: "cancel", as: "bob", method: "POST", path: orders + "/<to cancel>/cancel", status: 200, want: `{"state":"canceled"}`},
		call{name: "cancel again", as: "bob", method: "POST", path: orders + "/<to cancel>/cancel", status: 200, want: `{"state":"canceled"}`},
		call{name: "pay what is canceled", as: "bob", method: "POST", path: orders + "/<to cancel>/pay", status: 200, want: `{"state":"canceled"}`},
		call{name: "the goods are back", method: "GET", path: "<shop>/products/<product>", status: 200, want: `{"stock":4}`},
		call{name: "and the money was never gone", as: "bob", method: "GET", path: "<pay>/wallets/<wallet>", status: 200, want: `{"balance":{"amount":"50.00"},"available":{"amount":"50.00"}}`},
	)
}
