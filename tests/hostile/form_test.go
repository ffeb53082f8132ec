package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"jishi/shop/shopclient"
)

// twice sends each form that makes something two times, as a double click or the back
// button does. The second time leads to the same place.
func (h *house) twice(t *testing.T) {
	seller, buyer := h.loggedIn(t, h.keeper(t).Identifier), h.othersBrowser(t)
	again := func(what string, b *browser, f form) (first page) {
		t.Helper()
		first = b.send(t, f)
		second := b.send(t, f)
		if first.status != http.StatusSeeOther || second.status != http.StatusSeeOther || first.header.Get("Location") != second.header.Get("Location") {
			t.Errorf("%s: got %d %s and %d %s", what, first.status, first.header.Get("Location"), second.status, second.header.Get("Location"))
		}
		return first
	}
	count := func() (money string, wallets, orders int) {
		w := h.call(t, h.third.Token, http.MethodGet, "/pay/api/v1/wallets?limit=100", "")
		return h.third.Money(t).String(), strings.Count(w.body, `"id"`), len(h.third.Orders(t))
	}
	moneyBefore, walletsBefore, ordersBefore := count()

	made := again("a product", seller, seller.get(t, "/sell").form(t, "/sell").with("title", "Only once", "price", "10.00", "stock", "9"))
	product := strings.TrimPrefix(made.header.Get("Location"), "/products/")
	again("a wallet", buyer, buyer.get(t, "/pay/").form(t, "/pay/wallets").with("name", "Second", "amount", "1.00"))
	again("a top-up", buyer, buyer.get(t, "/pay/topup").form(t, "/pay/topup").with("amount", "7.00"))
	shown := "/products/" + product
	again("a purchase", buyer, buyer.get(t, shown).form(t, shown+"/buy").with("quantity", "2"))
	again("an addition to the cart", buyer, buyer.get(t, shown).form(t, shown+"/cart").with("quantity", "3"))
	cart, err := h.third.Shop.Cart(t.Context())
	if err != nil || len(cart.Items) != 1 || cart.Items[0].Quantity != 3 {
		t.Errorf("the cart: got %+v, %v", cart, err)
	}
	again("an order of the cart", buyer, buyer.get(t, "/cart").form(t, "/cart/checkout"))

	money, wallets, orders := count()
	var had, has float64
	_, _ = fmt.Sscan(moneyBefore, &had)
	_, _ = fmt.Sscan(money, &has)
	if want := had + 1 + 7 - 20 - 30; has != want || wallets != walletsBefore+1 || orders != ordersBefore+2 {
		t.Errorf("%.2f in %d wallets after %d orders, want %.2f in %d after %d", has, wallets, orders, want, walletsBefore+1, ordersBefore+2)
	}
	x, err := h.keeper(t).Shop.Product(t.Context(), product)
	if err != nil || x.Stock != 9-2-3 {
		t.Errorf("stock: got %d, %v", x.Stock, err)
	}
	// The same token with other content is another wish, and asked about.
	f := seller.get(t, "/sell").form(t, "/sell").with("title", "Twice", "price", "10.00", "stock", "1")
	twin := seller.send(t, f)
	seller.send(t, f.with("title", "Different"))
	all, err := h.keeper(t).Shop.Products(t.Context(), "Different", "", shopclient.Page{})
	if err != nil || len(all.Items) != 0 {
		t.Errorf("another product under a spent token: %+v, %v", all.Items, err)
	}
	for _, id := range []string{product, strings.TrimPrefix(twin.header.Get("Location"), "/products/")} {
		if err := h.keeper(t).Shop.TakeDown(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

// anotherSite sends every form as a page of another site would have the browser do.
func (h *house) anotherSite(t *testing.T) {
	seller, buyer := h.loggedIn(t, sellerName), h.loggedIn(t, buyerName)
	shown := "/products/" + h.product.ID
	stranger := newBrowser(t, h.Shop)
	forms := map[string]struct {
		b *browser
		f form
	}{
		"register":     {stranger, stranger.get(t, "/auth/register").form(t, "/auth/register").with("identifier", "forged@example.com", "password", "forged forged", "password_repeat", "forged forged")},
		"log in":       {stranger, stranger.get(t, "/auth/login").form(t, "/auth/login").with("identifier", buyerName, "password", "correct horse 42")},
		"sell":         {seller, seller.get(t, "/sell").form(t, "/sell").with("title", "Forged", "price", "1.00", "stock", "1")},
		"edit":         {seller, seller.get(t, shown+"/edit").form(t, shown+"/edit").with("price", "0.01")},
		"take down":    {seller, seller.get(t, shown+"/edit").form(t, shown+"/takedown")},
		"buy":          {buyer, buyer.get(t, shown).form(t, shown+"/buy")},
		"add":          {buyer, buyer.get(t, shown).form(t, shown+"/cart")},
		"set":          {buyer, buyer.get(t, "/cart").form(t, "/cart/items/"+h.product.ID).with("quantity", "1")},
		"remove":       {buyer, buyer.get(t, "/cart").form(t, "/cart/items/"+h.product.ID+"/remove")},
		"order":        {buyer, buyer.get(t, "/cart").form(t, "/cart/checkout")},
		"top up":       {buyer, buyer.get(t, "/pay/topup").form(t, "/pay/topup").with("amount", "1.00")},
		"new wallet":   {buyer, buyer.get(t, "/pay/").form(t, "/pay/wallets")},
		"home wallet":  {buyer, buyer.get(t, "/home").form(t, "/home/wallets").with("amount", "1.00")},
		"rename":       {buyer, buyer.get(t, "/auth/account").form(t, "/auth/account").with("name", "Forged")},
		"end sessions": {buyer, buyer.get(t, "/auth/account").form(t, "/auth/account/sessions")},
		"log out":      {buyer, buyer.get(t, "/home").form(t, "/logout")},
		"preferences":  {buyer, buyer.get(t, "/home").form(t, "/preferences").with("lang", "en")},
	}
	for name, c := range forms {
		for _, from := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}, {"Origin", "null"}, {"Origin", "https://localhost.evil.example"}} {
			req := c.f.request(t)
			req.Header.Set(from[0], from[1])
			p := c.b.do(t, req)
			if p.status != http.StatusForbidden || len(p.header["Set-Cookie"]) > 0 {
				t.Errorf("%s with %s: %s: got %d, cookies %s", name, from[0], from[1], p.status, p.header["Set-Cookie"])
			}
		}
	}
	if p := buyer.get(t, "/home"); p.status != http.StatusOK {
		t.Errorf("the buyer was logged out: %d", p.status)
	}
	// A program's call has no cookie, so that a browser can't be made to send one of worth.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Shop+"/api/v1/cart", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := buyer.do(t, req); p.status != http.StatusUnauthorized {
		t.Errorf("REST with a browser's session: got %d", p.status)
	}
}
