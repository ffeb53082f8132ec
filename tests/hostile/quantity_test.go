package hostile_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func (h *house) quantities(t *testing.T) {
	buyer, seller := h.loggedIn(t, buyerName), h.loggedIn(t, sellerName)
	shown := "/products/" + h.product.ID
	buy := buyer.get(t, shown).form(t, shown+"/buy")
	add := buyer.get(t, shown).form(t, shown+"/cart")
	line := buyer.get(t, "/cart").form(t, "/cart/items/"+h.product.ID)
	sell := seller.get(t, "/sell").form(t, "/sell").with("title", "Cup", "price", "3.00")
	const refused = http.StatusUnprocessableEntity
	for _, n := range []string{"0", "-1", "1.5", "9223372036854775808", "9223372036854775807", "1e2", "", "x", "１", "0x1", "1000", "+", "null"} {
		buyer.asksAgain(t, buy, refused, "quantity", "quantity", n)
		buyer.asksAgain(t, add, refused, "quantity", "quantity", n)
		buyer.asksAgain(t, line, refused, "quantity", "quantity", n)
		if n == "0" || n == "1000" {
			continue // as a stock it is fine
		}
		seller.asksAgain(t, sell, refused, "stock", "stock", n)
	}
	for _, n := range []string{"0", "-1", "1.5", "9223372036854775808", "9223372036854775807", "1e30", `"1"`, "null", "true", "[]", "1000"} {
		h.call(t, h.buyer.Token, http.MethodPut, "/api/v1/cart/items/"+h.product.ID, `{"quantity":`+n+`}`).refuses(t, "cart: "+n, refused, "quantity")
		a := h.call(t, h.buyer.Token, http.MethodPost, "/api/v1/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":%s}]}`, h.product.ID, n))
		if field := a.field(); a.status != refused || !slices.Contains([]string{"quantity", "items.quantity", "items[0].quantity"}, field) {
			t.Errorf("order of %s: got %d %q %s", n, a.status, field, a.body)
		}
		if n == "0" || n == "1000" {
			continue
		}
		h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", newProduct("Cup", `"3.00"`, n)).refuses(t, "stock "+n, refused, "stock")
		if n == "null" {
			continue // changes nothing, which isn't wrong
		}
		h.call(t, h.seller.Token, http.MethodPatch, "/api/v1/products/"+h.product.ID, `{"stock":`+n+`}`).refuses(t, "new stock "+n, refused, "stock")
	}
	// More than there is.
	a := h.call(t, h.buyer.Token, http.MethodPost, "/api/v1/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":99}]}`, h.product.ID))
	a.refuses(t, "more than there is", http.StatusConflict, "quantity")
	buyer.asksAgain(t, buy, http.StatusConflict, "quantity", "quantity", "99")
}
