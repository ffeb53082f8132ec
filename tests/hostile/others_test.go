package hostile_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"jishi/kit/fault"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

const otherName = "other@example.com"

// other is a third person, with money of their own.
func (h *house) other(t testing.TB) *harness.Person {
	t.Helper()
	if h.third == nil {
		h.third = h.Register(t, otherName, "Other")
		h.third.OpenWallet(t, "500.00")
	}
	return h.third
}

func (h *house) othersBrowser(t testing.TB) *browser {
	t.Helper()
	h.other(t)
	if h.thirds == nil {
		h.thirds = h.loggedIn(t, otherName)
	}
	return h.thirds
}

func (h *house) othersWallet(t *testing.T) {
	token, b := h.other(t).Token, h.othersBrowser(t)
	path := "/pay/api/v1/wallets/" + h.wallet.ID
	h.call(t, token, http.MethodGet, path, "").refuses(t, "read", http.StatusNotFound, "wallet")
	h.call(t, token, http.MethodGet, path+"/entries", "").refuses(t, "entries", http.StatusNotFound, "wallet")
	h.call(t, token, http.MethodPatch, path, `{"name":"mine"}`).refuses(t, "rename", http.StatusNotFound, "wallet")
	h.call(t, token, http.MethodPatch, path, `{"default":true}`).refuses(t, "default", http.StatusNotFound, "wallet")
	h.call(t, token, http.MethodPost, "/pay/api/v1/topups", fmt.Sprintf(`{"wallet":%q,"amount":"1.00"}`, h.wallet.ID)).refuses(t, "top-up", http.StatusNotFound, "wallet")
	before := len(h.other(t).Orders(t))
	h.call(t, token, http.MethodPost, "/api/v1/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":1}],"wallet":%q}`, h.product.ID, h.wallet.ID)).refuses(t, "pay", http.StatusNotFound, "wallet")
	if orders := h.other(t).Orders(t); len(orders) != before {
		t.Errorf("an order was placed that was to be paid from somebody else's wallet: %+v", orders[0])
	}

	shown := "/pay/wallets/" + h.wallet.ID
	own := b.get(t, "/pay/topup").form(t, "/pay/topup").with("wallet", h.wallet.ID, "amount", "1.00")
	for name, p := range map[string]page{
		"the statement": b.get(t, shown),
		"the top-up":    b.send(t, own),
		"the rename":    b.send(t, form{action: own.action.JoinPath("../wallets", h.wallet.ID, "name"), fields: own.with("name", "mine").fields}),
		"the default":   b.send(t, form{action: own.action.JoinPath("../wallets", h.wallet.ID, "default"), fields: own.fields}),
	} {
		if p.status != http.StatusNotFound || strings.Contains(p.body, h.wallet.Number) {
			t.Errorf("%s of somebody else's wallet: got %d %s", name, p.status, p.url)
		}
	}
}

func (h *house) othersCart(t *testing.T) {
	token, b := h.other(t).Token, h.othersBrowser(t)
	if a := h.call(t, token, http.MethodGet, "/api/v1/cart", ""); strings.Contains(a.body, h.product.ID) {
		t.Errorf("the other's cart has the buyer's product: %s", a.body)
	}
	if a := h.call(t, token, http.MethodDelete, "/api/v1/cart/items/"+h.product.ID, ""); a.status >= 500 {
		t.Errorf("remove: got %d %s", a.status, a.body)
	}
	f := h.loggedIn(t, buyerName).get(t, "/cart").form(t, "/cart/checkout") // the buyer's form in the other's browser
	if p := b.send(t, f); p.status != http.StatusConflict {
		t.Errorf("order somebody else's cart: got %d %s", p.status, p.text("main"))
	}
}

func (h *house) othersOrder(t *testing.T) {
	token, b := h.other(t).Token, h.othersBrowser(t)
	path := "/api/v1/orders/" + h.order.ID
	h.call(t, token, http.MethodGet, path, "").refuses(t, "read", http.StatusNotFound, "")
	h.call(t, token, http.MethodPost, path+"/pay", "").refuses(t, "pay", http.StatusNotFound, "")
	h.call(t, token, http.MethodPost, path+"/cancel", "").refuses(t, "cancel", http.StatusNotFound, "")
	pending := h.pendingOrder(t)
	h.call(t, token, http.MethodPost, "/api/v1/orders/"+pending.ID+"/cancel", "").refuses(t, "cancel", http.StatusNotFound, "")
	payment, err := h.buyer.Pay.PaymentOf(t.Context(), h.order.ID)
	if err != nil || payment.ID == "" {
		t.Fatalf("the payment: got %+v, %v", payment, err)
	}
	h.call(t, token, http.MethodGet, "/pay/api/v1/payments/"+payment.ID, "").refuses(t, "payment", http.StatusNotFound, "")
	h.call(t, token, http.MethodPost, "/pay/api/v1/payments/"+payment.ID+"/close", "").refuses(t, "close", http.StatusNotFound, "")
	if p := b.get(t, "/pay/checkout/"+payment.ID); p.status != http.StatusNotFound {
		t.Errorf("somebody else's cashier: got %d", p.status)
	}
	for _, path := range []string{"/orders/" + h.order.ID, "/orders/" + h.order.ID + "/status", "/orders/" + h.order.ID + "/return"} {
		if p := b.get(t, path); p.status != http.StatusNotFound {
			t.Errorf("%s: got %d %s", path, p.status, p.header.Get("Location"))
		}
	}
	f := b.get(t, "/pay/topup").form(t, "/pay/topup")
	for _, what := range []string{"pay", "cancel"} {
		f.action = f.action.JoinPath("/../../orders", pending.ID, what)
		if p := b.send(t, f); p.status != http.StatusNotFound {
			t.Errorf("%s: got %d %s", f.action, p.status, p.header.Get("Location"))
		}
	}
	if _, err := h.seller.Shop.Cancel(t.Context(), pending.ID); !isRefusal(err, fault.NotFound) {
		t.Errorf("the seller cancels: got %v", err)
	}
	if o, err := h.poor(t).Shop.Cancel(t.Context(), pending.ID); err != nil || o.State != shopclient.Canceled {
		t.Errorf("its own buyer cancels: got %s, %v", o.State, err)
	}
}

// pendingOrder is somebody's whose money was too little.
func (h *house) pendingOrder(t testing.TB) shopclient.Order {
	t.Helper()
	p := h.poor(t)
	_, err := p.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: h.product.ID, Quantity: 1}}}, "")
	if !errors.Is(err, shopclient.ErrUnpaid) && !errors.Is(err, payclient.ErrInsufficient) {
		t.Fatalf("an order without money: %v", err)
	}
	return p.Orders(t)[0]
}

func (h *house) poor(t testing.TB) *harness.Person {
	t.Helper()
	if h.fourth == nil {
		h.fourth = h.Register(t, "poor@example.com", "Poor")
		h.fourth.OpenWallet(t, "0.01")
	}
	return h.fourth
}

// keeper is another seller, of what is really sold here.
func (h *house) keeper(t testing.TB) *harness.Person {
	t.Helper()
	if h.fifth == nil {
		h.fifth = h.Register(t, "keeper@example.com", "Keeper")
		h.fifth.OpenWallet(t, "")
	}
	return h.fifth
}

func (h *house) othersProduct(t *testing.T) {
	token, b := h.other(t).Token, h.othersBrowser(t)
	path := "/api/v1/products/" + h.product.ID
	h.call(t, token, http.MethodPatch, path, `{"title":"mine","price":"0.01"}`).refuses(t, "change", http.StatusForbidden, "")
	h.call(t, token, http.MethodDelete, path, "").refuses(t, "take down", http.StatusForbidden, "")
	shown := "/products/" + h.product.ID
	if p := b.get(t, shown+"/edit"); p.status != http.StatusForbidden {
		t.Errorf("the form: got %d", p.status)
	}
	f := h.loggedIn(t, sellerName).get(t, shown+"/edit").form(t, shown+"/edit").with("title", "mine")
	if p := b.send(t, f); p.status != http.StatusForbidden {
		t.Errorf("change: got %d %s", p.status, p.text("main"))
	}
	f.action = f.action.JoinPath("../takedown")
	if p := b.send(t, f); p.status != http.StatusForbidden {
		t.Errorf("take down: got %d %s", p.status, p.text("main"))
	}
}

func (h *house) wrongIDs(t *testing.T) {
	b := h.loggedIn(t, buyerName)
	ids := []string{
		h.order.ID, h.wallet.ID, h.buyer.ID, "prd_", "ord_0", "wal_" + strings.Repeat("0", 26), "0", "-1", "null", "*", "prd_%27%20OR%201=1",
		strings.Repeat("x", 64), strings.Repeat("x", 65), strings.Repeat("x", 5000), "%E5%95%86%E5%93%81", "..%2f..%2fetc", "%20", "prd_%2e%2e",
	}
	clear := func(what string, status int, body string) {
		t.Helper()
		if status != http.StatusNotFound && status != http.StatusUnprocessableEntity {
			t.Errorf("%.80s: got %d %.200s", what, status, body)
		}
	}
	for _, id := range ids {
		for _, path := range []string{"/api/v1/products/" + id, "/api/v1/orders/" + id, "/pay/api/v1/wallets/" + id, "/pay/api/v1/wallets/" + id + "/entries", "/pay/api/v1/payments/" + id} {
			if id == h.order.ID && strings.Contains(path, "/orders/") || id == h.wallet.ID && strings.Contains(path, "/wallets/") {
				continue
			}
			a := h.call(t, h.buyer.Token, http.MethodGet, path, "")
			clear(path, a.status, a.body)
		}
		for _, path := range []string{"/products/" + id, "/products/" + id + "/edit", "/orders/" + id, "/orders/" + id + "/status", "/pay/wallets/" + id, "/pay/checkout/" + id, "/pictures/" + id} {
			if id == h.order.ID && strings.Contains(path, "/orders/") || id == h.wallet.ID && strings.Contains(path, "/wallets/") {
				continue
			}
			p := b.get(t, path)
			clear(path, p.status, p.text("main"))
		}
	}
	for _, id := range []string{h.order.ID, "", "prd_x", strings.Repeat("x", 65), "null"} {
		a := h.call(t, h.buyer.Token, http.MethodPost, "/api/v1/orders", fmt.Sprintf(`{"items":[{"product":%q,"quantity":1}]}`, id))
		if a.status != http.StatusNotFound && a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict {
			t.Errorf("order of %q: got %d %s", id, a.status, a.body)
		}
		a = h.call(t, h.buyer.Token, http.MethodPost, "/pay/api/v1/topups", fmt.Sprintf(`{"wallet":%q,"amount":"1.00"}`, id))
		if a.status != http.StatusNotFound && a.status != http.StatusUnprocessableEntity || a.field() != "wallet" {
			t.Errorf("top-up of %q: got %d %s", id, a.status, a.body)
		}
	}
	for _, cursor := range []string{"x", "bnVsbA", "WzFd", "W10", "WyIiXQ", "eyJhIjoxfQ", "WyJ6enoiXQ", "-1", "'", strings.Repeat("A", 257)} {
		for _, path := range []string{"/api/v1/products", "/api/v1/orders", "/pay/api/v1/wallets", "/pay/api/v1/wallets/" + h.wallet.ID + "/entries"} {
			a := h.call(t, h.buyer.Token, http.MethodGet, path+"?cursor="+cursor, "")
			if a.status != http.StatusOK && (a.status != http.StatusUnprocessableEntity || a.field() != "cursor") {
				t.Errorf("%s from %s: got %d %s", path, cursor, a.status, a.body)
			}
		}
		for _, path := range []string{"/", "/orders", "/pay/wallets/" + h.wallet.ID} {
			if p := b.get(t, path+"?cursor="+cursor); p.status != http.StatusOK && p.status != http.StatusUnprocessableEntity {
				t.Errorf("%s from %s: got %d", path, cursor, p.status)
			}
		}
	}
	for _, limit := range []string{"0", "-1", "101", "1e9", "99999999999999999999", "x"} {
		h.call(t, h.buyer.Token, http.MethodGet, "/api/v1/orders?limit="+limit, "").refuses(t, "limit "+limit, http.StatusUnprocessableEntity, "limit")
	}
}
