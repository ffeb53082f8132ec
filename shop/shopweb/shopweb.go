// Package shopweb is the shop for people: its pages and the fragments that htmx swaps in.
// Every page works without script. It reads a form, calls one rule of shop, and shows a
// view; what may happen is decided there.
package shopweb

import (
	"context"
	"embed"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/web"
	"jishi/pay/payclient"
	"jishi/shop"
)

// Locales has the texts of the pages and of shop's refusals.
//
//go:embed locales
var Locales embed.FS

// Wallets is what the home page asks of pay, with the token of the user who is in ctx;
// *payclient.Client is one.
type Wallets interface {
	Wallets(ctx context.Context, p payclient.Page) (payclient.Wallets, error)
	CreateWallet(ctx context.Context, in payclient.NewWallet, key string) (payclient.Wallet, error)
}

// Config is what the pages stand on.
type Config struct {
	Shop    *shop.Service
	Wallets Wallets
	User    func(context.Context) shop.Person    // who is logged in; no ID is nobody
	Login   func(next http.Handler) http.Handler // lets users through and others log in first
	Sealer  *web.Sealer                          // of the carts of those who aren't
	Secure  bool                                 // browsers come over https
}

type pages struct {
	shop    *shop.Service
	wallets Wallets
	user    func(context.Context) shop.Person
	sealer  *web.Sealer
	cookies web.Cookies
}

// Routes adds the pages to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, c Config) {
	p := &pages{shop: c.Shop, wallets: c.Wallets, user: c.User, sealer: c.Sealer, cookies: web.Cookies{Secure: c.Secure}}
	open := func(pattern string, h web.Page) { mux.Handle(pattern, p.carts(h)) }
	users := func(pattern string, h web.Page) { mux.Handle(pattern, p.carts(c.Login(h))) }

	open("GET /{$}", p.products)
	open("GET /products/{id}", p.product)
	mux.Handle("GET /pictures/{name}", web.Page(p.picture))

	users("POST /products/{id}/buy", p.buy)
	open("POST /products/{id}/cart", p.addToCart)
	users("GET /sell", p.sellForm)
	users("POST /sell", p.sell)
	users("GET /products/{id}/edit", p.editForm)
	users("POST /products/{id}/edit", p.edit)
	users("POST /products/{id}/takedown", p.takeDown)

	open("GET /cart", p.cart)
	open("POST /cart/items/{id}", p.setQuantity)
	open("POST /cart/items/{id}/remove", p.remove)
	open("POST /cart/checkout", p.checkout)
	users("GET /cart/checkout", p.toCart)

	users("GET /orders", p.orders)
	users("GET /orders/{id}", p.order)
	users("GET /orders/{id}/status", p.status)
	users("GET /orders/{id}/return", p.back)
	users("POST /orders/{id}/pay", p.pay)
	users("POST /orders/{id}/cancel", p.cancel)

	users("POST /orders/{order}/shipments/{id}/ship", p.change("shop.ship.done", p.ship))
	users("POST /orders/{order}/shipments/{id}/receive", p.change("shop.receive.done", p.receive))
	users("POST /orders/{order}/shipments/{id}/give-back", p.change("shop.give.back.done", p.giveBack))
	users("POST /orders/{order}/shipments/{id}/refunds", p.change("shop.refund.ask.done", p.askRefund))
	users("POST /orders/{order}/refunds/{id}/grant", p.change("shop.grant.done", p.grant))
	users("POST /orders/{order}/refunds/{id}/refuse", p.change("shop.refuse.done", p.refuse))
	users("POST /orders/{order}/refunds/{id}/withdraw", p.change("shop.withdraw.done", p.withdraw))
	users("POST /orders/{order}/refunds/{id}/appeal", p.change("shop.appeal.done", p.appeal))
	users("POST /orders/{order}/refunds/{id}/decide", p.change("shop.decide.done", p.decide))
	users("GET /operator", p.operator)
	users("GET /operator/findings", p.findings)

	users("GET /home", p.home)
	users("POST /home/wallets", p.createWallet)
}

// texts is what is wrong with a form: per field, and what belongs to none.
type texts struct {
	fields map[string]string
	rest   []string
}

// textsOf reads the refusals of a form. Those of the fields that the form has stand
// beside them.
func textsOf(ctx context.Context, err error, fields ...string) texts {
	t := texts{fields: map[string]string{}}
	for _, f := range fault.All(err) {
		text := locale.Fault(ctx, f)
		if t.fields[f.Field] == "" && slices.Contains(fields, f.Field) {
			t.fields[f.Field] = text
			continue
		}
		t.rest = append(t.rest, text)
	}
	return t
}

// answerable tells whether a refusal is shown on the page that the form stood on; the
// others get a page of their own. It gives the status too. A form that may be sent again, or
// has to be, keeps its token and what was typed.
func answerable(ctx context.Context, err error) (int, bool) {
	if err == nil {
		return http.StatusOK, false
	}
	f := fault.Of(err)
	switch f.Kind {
	case fault.Invalid, fault.Malformed, fault.Conflict, fault.Stale, fault.TooLarge, fault.Limited:
		return f.Kind.Status(), true
	case fault.Busy, fault.Unknown:
		ops.Failed(ctx, err)
		return f.Kind.Status(), true
	}
	return f.Kind.Status(), false
}

// whole reads a whole number; what is none is -1, which every rule refuses.
func whole(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return -1
	}
	return n
}
