package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// writable are the forms in which people write, with what makes the rest of them right.
func (h *house) writable(t *testing.T) map[string]struct {
	b *browser
	f form
} {
	type one = struct {
		b *browser
		f form
	}
	seller, buyer := h.loggedIn(t, sellerName), h.loggedIn(t, buyerName)
	shown := "/products/" + h.product.ID
	stranger := newBrowser(t, h.Shop)
	return map[string]one{
		"register":    {stranger, stranger.get(t, "/auth/register").form(t, "/auth/register").with("identifier", "text@example.com", "password", "good enough", "password_repeat", "good enough", "name", "x")},
		"log in":      {stranger, stranger.get(t, "/auth/login").form(t, "/auth/login").with("identifier", buyerName, "password", "wrong password")},
		"account":     {buyer, buyer.get(t, "/auth/account").form(t, "/auth/account")},
		"sell":        {seller, seller.get(t, "/sell").form(t, "/sell").with("title", "Cup", "price", "3.00", "stock", "1")},
		"edit":        {seller, seller.get(t, shown+"/edit").form(t, shown+"/edit")},
		"buy":         {buyer, buyer.get(t, shown).form(t, shown+"/buy")},
		"add":         {buyer, buyer.get(t, shown).form(t, shown+"/cart")},
		"set":         {buyer, buyer.get(t, "/cart").form(t, "/cart/items/"+h.product.ID)},
		"order":       {buyer, buyer.get(t, "/cart").form(t, "/cart/checkout")},
		"top up":      {buyer, buyer.get(t, "/pay/topup").form(t, "/pay/topup").with("amount", "1.00")},
		"new wallet":  {buyer, buyer.get(t, "/pay/").form(t, "/pay/wallets").with("name", "x")},
		"home wallet": {buyer, buyer.get(t, "/home").form(t, "/home/wallets").with("name", "x", "amount", "1.00")},
		"name":        {buyer, buyer.get(t, "/pay/wallets/"+h.wallet.ID).form(t, "/pay/wallets/"+h.wallet.ID+"/name")},
	}
}

// noText is refused in every field, hidden ones too, before any rule sees it: some
// databases would store something else.
func (h *house) noText(t *testing.T) {
	for name, c := range h.writable(t) {
		for field := range c.f.fields {
			for _, bad := range []string{"a\x00b", "\x00", "\xff\xfe", "a\xc3", "\xed\xa0\x80"} {
				if p := c.b.send(t, c.f.with(field, bad)); p.status != http.StatusUnprocessableEntity {
					t.Errorf("%s with %s=%q: got %d %s", name, field, bad, p.status, p.header.Get("Location"))
				}
			}
		}
	}
	for _, c := range []struct{ method, path, body, field string }{
		{http.MethodPost, "/api/v1/products", `{"title":%s,"price":"3.00","stock":1}`, "title"},
		{http.MethodPost, "/api/v1/products", `{"title":"Cup","description":%s,"price":"3.00","stock":1}`, "description"},
		{http.MethodPost, "/api/v1/products", `{"title":"Cup","image":%s,"price":"3.00","stock":1}`, "image"},
		{http.MethodPost, "/api/v1/products", `{"title":"Cup","price":%s,"stock":1}`, "price"},
		{http.MethodPatch, "/api/v1/products/" + h.product.ID, `{"title":%s}`, "title"},
		{http.MethodPost, "/api/v1/orders", `{"cart":true,"wallet":%s}`, "wallet"},
		{http.MethodPost, "/api/v1/orders", `{"items":[{"product":%s,"quantity":1}]}`, "items.product"},
		{http.MethodPost, "/pay/api/v1/wallets", `{"name":%s}`, "name"},
		{http.MethodPatch, "/pay/api/v1/wallets/" + h.wallet.ID, `{"name":%s}`, "name"},
		{http.MethodPost, "/pay/api/v1/topups", `{"wallet":%s,"amount":"1.00"}`, "wallet"},
		{http.MethodPost, "/auth/api/v1/users", `{"identifier":%s,"password":"good enough"}`, "identifier"},
		{http.MethodPost, "/auth/api/v1/users", `{"identifier":"text@example.com","password":%s}`, "password"},
		{http.MethodPost, "/auth/api/v1/users", `{"identifier":"text@example.com","password":"good enough","name":%s}`, "name"},
	} {
		token := h.buyer.Token
		if strings.Contains(c.path, "products") {
			token = h.seller.Token
		}
		a := h.call(t, token, c.method, c.path, fmt.Sprintf(c.body, `"a\u0000b"`))
		if a.status != http.StatusUnprocessableEntity || !strings.HasPrefix(strings.TrimPrefix(c.field, "items."), strings.TrimPrefix(strings.SplitN(a.field(), ".amount", 2)[0], "items.")) || a.field() == "" {
			t.Errorf("%s %s, NUL in %s: got %d %s", c.method, c.path, c.field, a.status, a.body)
		}
		h.call(t, token, c.method, c.path, fmt.Sprintf(c.body, "\"a\xff\"")).refuses(t, c.path+" with broken UTF-8", http.StatusBadRequest, "")
	}
	b := h.loggedIn(t, buyerName)
	for _, path := range []string{"/?q=%00", "/?q=%ff", "/?cursor=%00", "/products/%00", "/products/" + h.product.ID + "%00", "/orders/%ff", "/pay/wallets/" + h.wallet.ID + "%00", "/pay/topup?wallet=%00", "/auth/login?return=/%00", "/nowhere%00", "/%ff"} {
		if p := b.get(t, path); p.status != http.StatusBadRequest && p.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d", path, p.status)
		}
	}
	for _, path := range []string{"/api/v1/products?q=%00", "/api/v1/products/" + h.product.ID + "%00", "/api/v1/orders/%ff", "/pay/api/v1/wallets/" + h.wallet.ID + "%00", "/pay/api/v1/payments?order=%00"} {
		if a := h.call(t, h.buyer.Token, http.MethodGet, path, ""); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
}

// tooLong is refused, or cut where that is the rule, but never too much for a server.
func (h *house) tooLong(t *testing.T) {
	for name, c := range h.writable(t) {
		written := c.f.written()
		for field := range c.f.fields {
			if c.f.kinds[field] == "hidden" && len(written) > 0 {
				continue // a price that was seen, a token: what isn't right there is as if it weren't there
			}
			for _, long := range []string{strings.Repeat("9", 100_000), strings.Repeat("长", 100_000)} {
				p := c.b.send(t, c.f.with(field, long))
				if p.status < 400 || p.status >= 500 {
					t.Errorf("%s with a long %s: got %d %.200s", name, field, p.status, p.header.Get("Location"))
				}
			}
		}
	}
	for _, c := range []struct{ path, body string }{
		{"/api/v1/products", `{"title":"Cup","description":%s,"price":"3.00","stock":1}`},
		{"/api/v1/products", `{"title":"Cup","image":%s,"price":"3.00","stock":1}`},
		{"/api/v1/orders", `{"cart":true,"wallet":%s}`},
		{"/pay/api/v1/wallets", `{"name":%s}`},
		{"/pay/api/v1/topups", `{"wallet":%s,"amount":"1.00"}`},
		{"/auth/api/v1/users", `{"identifier":"text@example.com","password":"good enough","name":%s}`},
	} {
		if a := h.call(t, h.buyer.Token, http.MethodPost, c.path, fmt.Sprintf(c.body, quoted(strings.Repeat("长", 100_000)))); a.status != http.StatusUnprocessableEntity || a.field() == "" {
			t.Errorf("%s %s: got %d %.300s", c.path, c.body, a.status, a.body)
		}
	}
	b := newBrowser(t, h.Shop)
	for _, path := range []string{"/?q=" + strings.Repeat("x", 20_000), "/" + strings.Repeat("x", 20_000), "/?" + strings.Repeat("a=b&", 5_000), "/session/login?return=/" + strings.Repeat("x", 20_000)} {
		if p := b.get(t, path); p.status >= 500 || len(p.header.Get("Set-Cookie")) > 4096 {
			t.Errorf("%.30s: got %d and a cookie of %d bytes", path, p.status, len(p.header.Get("Set-Cookie")))
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.Shop+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 100_000))
	if a := h.do(t, req); a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long header: got %d", a.status)
	}
}
