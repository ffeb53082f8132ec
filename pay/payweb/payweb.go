// Package payweb is pay for people: wallets, statements, top-ups and the cashier. Every
// page works without script. It reads a form, calls one rule of pay, and shows a view;
// what may happen is decided there.
package payweb

import (
	"context"
	"embed"
	"net/http"
	"net/url"

	"jishi/auth/authclient"
	"jishi/kit/locale"
	"jishi/kit/web"
	"jishi/pay"
)

// Locales has the texts of the pages and of pay's refusals.
//
//go:embed locales
var Locales embed.FS

// Config is what the pages stand on.
type Config struct {
	Pay   *pay.Service
	User  func(context.Context) authclient.UserID // who is logged in, "" is nobody
	Login func(next http.Handler) http.Handler    // lets users through and others log in first
}

type pages struct {
	pay  *pay.Service
	user func(context.Context) authclient.UserID
}

// Routes adds the pages to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, c Config) {
	p := &pages{pay: c.Pay, user: c.User}
	users := func(pattern string, h web.Page) { mux.Handle(pattern, c.Login(h)) }

	users("GET /pay/{$}", p.wallets)
	users("POST /pay/wallets", p.createWallet)
	users("GET /pay/wallets/{id}", p.wallet)
	users("GET /pay/wallets/{id}/statement.csv", p.export)
	users("POST /pay/wallets/{id}/name", p.rename)
	users("POST /pay/wallets/{id}/default", p.makeDefault)

	users("GET /pay/topup", p.topUpForm)
	users("POST /pay/topup", p.topUp)

	users("GET /pay/checkout/{id}", p.checkout)
	users("POST /pay/checkout/{id}", p.payNow)
}

// home is the list of wallets.
const home = "/pay/"

func walletURL(id pay.WalletID) string { return "/pay/wallets/" + url.PathEscape(string(id)) }

func checkoutURL(id pay.PaymentID) string { return "/pay/checkout/" + url.PathEscape(string(id)) }

func topUpURL(id pay.WalletID) string { return "/pay/topup?wallet=" + url.QueryEscape(string(id)) }

// nameOf is what a wallet is called: its name, or the end of its number.
func nameOf(ctx context.Context, w pay.Wallet) string {
	if w.Name != "" {
		return w.Name
	}
	return locale.T(ctx, "pay.wallet.unnamed", "end", w.Number[max(len(w.Number)-4, 0):])
}
