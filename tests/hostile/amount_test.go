package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// noAmounts are no amounts of money that somebody could pay.
var noAmounts = []string{
	"0", "0.00", "-1", "-0.01", "1.234", "1e3", "12,5", "99999999999999999999", "", " ", "+5", "1.", ".5", "1 000", "0x10", "NaN", "Infinity",
	"１２", "٣", "12.00元", "¥12", "92233720368547758.08", "1\u200b2", "--1", "1.2.3",
}

func newProduct(title, price, stock string) string {
	return fmt.Sprintf(`{"title":%s,"price":%s,"stock":%s}`, quoted(title), price, stock)
}

func (h *house) amounts(t *testing.T) {
	buyer, seller := h.loggedIn(t, buyerName), h.loggedIn(t, sellerName)
	topUp := buyer.get(t, "/pay/topup").form(t, "/pay/topup")
	wallet := buyer.get(t, "/pay/").form(t, "/pay/wallets")
	home := buyer.get(t, "/home").form(t, "/home/wallets")
	sell := seller.get(t, "/sell").form(t, "/sell").with("title", "Cup", "stock", "3", "description", "two\nlines")
	const refused = http.StatusUnprocessableEntity
	for _, a := range noAmounts {
		h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/topups", fmt.Sprintf(`{"wallet":%q,"amount":%s}`, h.wallet.ID, quoted(a))).refuses(t, "top-up of "+a, refused, "amount")
		h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", newProduct("Cup", quoted(a), "3")).refuses(t, "price "+a, refused, "price")
		h.call(t, h.seller.Token, http.MethodPatch, "/api/v1/products/"+h.product.ID, `{"price":`+quoted(a)+`}`).refuses(t, "new price "+a, refused, "price")
		buyer.asksAgain(t, topUp, refused, "amount", "amount", a)
		seller.asksAgain(t, sell, refused, "price", "price", a)
		if strings.Trim(a, "0. ") == "" {
			continue // a wallet may be made with nothing in it
		}
		h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/wallets", `{"amount":`+quoted(a)+`}`).refuses(t, "wallet with "+a, refused, "amount")
		buyer.asksAgain(t, wallet, refused, "amount", "name", "Holiday", "amount", a)
		buyer.asksAgain(t, home, refused, "amount", "name", "Holiday", "amount", a)
	}
	for _, number := range []string{"12", "1e3", "-1", "null", "true", "[]", "{}", `["12.00"]`} {
		h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/topups", fmt.Sprintf(`{"wallet":%q,"amount":%s}`, h.wallet.ID, number)).refuses(t, "top-up of "+number, refused, "amount")
		h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", newProduct("Cup", number, "3")).refuses(t, "price "+number, refused, "price")
	}
}

func (h *house) currencies(t *testing.T) {
	const refused = http.StatusUnprocessableEntity
	for _, currency := range []string{"USD", "XXX", "cny", ""} {
		in := fmt.Sprintf(`{"amount":"12.00","currency":%q}`, currency)
		if currency != "" {
			h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/wallets", fmt.Sprintf(`{"currency":%q}`, currency)).refuses(t, "wallet in "+currency, refused, "currency")
			h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/topups", fmt.Sprintf(`{"wallet":%q,"amount":%s}`, h.wallet.ID, in)).refuses(t, "top-up in "+currency, refused, "amount")
			h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", newProduct("Cup", in, "3")).refuses(t, "price in "+currency, refused, "price")
		}
	}
	h.call(t, h.buyer.Token, http.MethodPost, "/api/v1/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":1,"price":{"amount":"12.00","currency":"USD"}}]}`, h.product.ID)).
		refuses(t, "order in USD", refused, "items.price")
}
