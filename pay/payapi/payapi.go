// Package payapi is pay's door for programs: it decodes, calls one rule, encodes.
package payapi

import (
	"context"
	"net/http"
	"strings"

	"jishi/auth/authclient"
	"jishi/auth/authguard"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

// api answers calls. It decides nothing.
type api struct {
	pay  *pay.Service
	from func(context.Context) pay.Caller
}

// Routes adds the API to mux. From says who calls, as found in the token: its user,
// none for a service on its own behalf, and its client; the zero Caller is nobody.
// This list is the table of contents.
func Routes(mux *http.ServeMux, s *pay.Service, from func(context.Context) pay.Caller) {
	a := &api{s, from}
	h := web.NewAPI(mux, about, a.somebody)

	web.Register(h, call("listWallets", "GET", "/wallets", "My wallets", "Oldest first. A user has at most 50."), a.wallets)
	web.Register(h, made(call("createWallet", "POST", "/wallets", "Make a wallet",
		"The first one is the default one. With an amount it is topped up in the same step."),
		payclient.ErrName, payclient.ErrCurrency, payclient.ErrTopUpRange, payclient.ErrTopUpsOff, payclient.ErrTooMany,
		money.ErrMalformed, money.ErrRange, money.ErrCurrency), a.createWallet)
	web.Register(h, call("getWallet", "GET", "/wallets/{id}", "One wallet of mine", "", payclient.ErrNotFound), a.wallet)
	web.Register(h, call("changeWallet", "PATCH", "/wallets/{id}", "Rename a wallet or make it the default one", "",
		payclient.ErrNotFound, payclient.ErrName), a.changeWallet)
	web.Register(h, call("listEntries", "GET", "/wallets/{id}/entries", "A wallet's statement",
		"Newest first. Every entry has the balance after it.", payclient.ErrNotFound), a.entries)
	web.Register(h, streamed(call("exportEntries", "GET", "/wallets/{id}/entries.csv", "A wallet's statement as a file",
		"CSV, oldest first, between lines for the opening and the closing balance; as long as it takes.", payclient.ErrNotFound), csvType), a.export)
	web.Register(h, call("getBalance", "GET", "/wallets/{id}/balance", "What a wallet had at a time", "", payclient.ErrNotFound), a.balance)

	web.Register(h, call("getTerms", "GET", "/terms", "Currency and top-ups",
		"What amounts are in, whether wallets can be topped up, with real money or play money, and by how much at once."), a.terms)
	web.Register(h, made(call("createTopUp", "POST", "/topups", "Put money into a wallet",
		"The answer's state is created while the money is on its way."),
		payclient.ErrNotFound, payclient.ErrTopUpRange, payclient.ErrTopUpsOff, money.ErrMalformed, money.ErrRange, money.ErrCurrency), a.createTopUp)
	web.Register(h, call("listTopUps", "GET", "/wallets/{id}/topups", "A wallet's top-ups", "Newest first, arrived or not.", payclient.ErrNotFound), a.topUps)
	web.Register(h, call("getTopUp", "GET", "/topups/{id}", "One top-up of mine", "", payclient.ErrNoTopUp), a.topUp)

	web.Register(h, made(call("createPayment", "POST", "/payments", "Pay for an order, or try again",
		"For merchants, with the buyer's token. Merchant and order make the payment unique, so there is no other key: the same "+
			"payment again gives the captured one, or tries again while it is open. 402 leaves it open and says what is missing."),
		append(capture(), payclient.ErrMismatch, payclient.ErrOrder, payclient.ErrParties, payclient.ErrExpiry,
			money.ErrMalformed, money.ErrRange, money.ErrCurrency)...), a.createPayment)
	web.Register(h, call("findPayment", "GET", "/payments", "The payment for an order", "For its payer and its merchant.", payclient.ErrNoPayment), a.paymentOf)
	web.Register(h, call("listPayments", "GET", "/merchant/payments", "A merchant's payments",
		"By order, for the merchant's own token: to compare them with its orders. As they stand: one whose time is over may be open still."), a.payments)
	web.Register(h, call("getPayment", "GET", "/payments/{id}", "One payment", "For its payer and its merchant.", payclient.ErrNoPayment), a.payment)
	web.Register(h, call("getCheckout", "GET", "/payments/{id}/checkout", "A payment at the cashier",
		"What it can be paid from, and what is missing, for its payer.", payclient.ErrNoPayment), a.checkout)
	web.Register(h, call("payPayment", "POST", "/payments/{id}/pay", "Pay an open payment",
		"From the wallet that is named, or the default one. Once it is captured the same call gives the captured payment.",
		append(capture(), payclient.ErrNoPayment)...), a.payNow)
	web.Register(h, call("closePayment", "POST", "/payments/{id}/close", "Close a payment unless it is captured",
		"The answer's state says which of the two holds, for ever. What is held for it is the payer's again: the merchant ends it with its own token, a user only what is open.",
		payclient.ErrNoPayment, payclient.ErrHeld), a.close)
	web.Register(h, call("closeOrder", "POST", "/orders/{order}/close", "Close the payment for an order, asked for or not",
		"Where nobody has asked for the payment yet, a closed one is recorded, so that a payment which comes late is refused.",
		payclient.ErrOrder, payclient.ErrNoPayment, payclient.ErrHeld), a.closeOrder)

	web.Register(h, call("capturePayment", "POST", "/payments/{id}/capture", "Take what is held",
		"For the merchant's own token. All of it, or less; the rest is the payer's again. A payment is captured once: the same capture again gives it.",
		payclient.ErrNoPayment, payclient.ErrNotAuthorized, payclient.ErrClosed, payclient.ErrExpired, payclient.ErrMismatch,
		payclient.ErrParties, payclient.ErrNoParty, payclient.ErrTooMuch, money.ErrMalformed, money.ErrRange, money.ErrCurrency), a.capture)
	web.Register(h, made(call("createRefund", "POST", "/payments/{id}/refunds", "Give a share back",
		"For the merchant's own token, whose own id makes the refund unique: the same one again is the same refund. Out of escrow as long as "+
			"there is something of the share in it; once all of it was released, out of the payee's wallet. The fee is not given back."),
		append(ofShare(), payclient.ErrReason, payclient.ErrPayeeShort)...), a.createRefund)
	web.Register(h, call("listRefunds", "GET", "/payments/{id}/refunds", "A payment's refunds", "Newest first, for the merchant's own token.", payclient.ErrNoPayment), a.refunds)
	web.Register(h, made(call("createRelease", "POST", "/payments/{id}/releases", "Give a payee their share",
		"For the merchant's own token, whose own id makes the release unique: the same one again is the same release. Out of escrow into "+
			"the payee's default wallet, less the market's fee; who has no wallet gets one."), ofShare()...), a.createRelease)
	web.Register(h, call("listReleases", "GET", "/payments/{id}/releases", "A payment's releases", "Newest first, for the merchant's own token.", payclient.ErrNoPayment), a.releases)

	web.Register(h, made(call("createWebhook", "POST", "/webhooks", "Be told of payments",
		"For the merchant's own token. What became of its payments otherwise than by its own calls is posted there, signed with the secret in the answer. "+
			"The secret is not shown again."), payclient.ErrWebhookURL, payclient.ErrTooManyWebhooks), a.createWebhook)
	web.Register(h, call("listWebhooks", "GET", "/webhooks", "My webhooks", "For the merchant's own token; oldest first, at most 10."), a.webhooks)
	web.Register(h, call("rotateWebhook", "POST", "/webhooks/{id}/rotate", "Give a webhook a new secret",
		"For the merchant's own token. The secret before signs as well for a day.", payclient.ErrNoWebhook), a.rotateWebhook)
	web.Register(h, call("deleteWebhook", "DELETE", "/webhooks/{id}", "End a webhook", "For the merchant's own token.", payclient.ErrNoWebhook), a.deleteWebhook)
}

const (
	wallets  = "Wallets"
	topUps   = "Top-ups"
	payments = "Payments"
	webhooks = "Webhooks"
)

// about is the document's head.
var about = web.About{
	Prefix: "/pay/api",
	Title:  "Jishi pay",
	Description: "Wallets, their statements, top-ups and payments. Amounts are decimal strings with their currency. What one user has is " +
		"not there for another: 404.\n\nA user's token is one for the audience `pay`. The merchant of a payment is the client that the token was issued to. A program that got its token by `jishi token` is none: what is paid with it the payer gives on or back.",
	Groups: []web.Group{
		{Name: wallets, Description: "Money of a user, on the market's ledger."},
		{Name: topUps, Description: "Money from outside into a wallet."},
		{Name: payments, Description: "Money asked for an order: open until there is enough, then captured into escrow, or closed. What is captured is refunded or released, share by share."},
		{Name: webhooks, Description: "Events of a merchant's payments: `payment.authorized` and `payment.captured` by the payer at the cashier, `payment.closed` " +
			"by the payer or at its deadline. The body is `{type, timestamp, data}` with the payment as data, signed by Standard Webhooks. Only 2xx is success; " +
			"anything else is tried again for three days, 410 ends the webhook."},
	},
	Token: []*fault.Error{authguard.ErrToken, authguard.ErrUnavailable},
}

// call is one that needs a token.
func call(id, method, path, summary, text string, refuses ...*fault.Error) web.Call {
	c := web.Call{
		ID: id, Group: payments, Method: method, Path: "/pay/api/v1" + path, Summary: summary, Description: text,
		Refuses: append(refuses, fault.ErrForbidden),
	}
	switch {
	case strings.Contains(path, "topups"), path == "/terms":
		c.Group = topUps
	case strings.HasPrefix(path, "/wallets"):
		c.Group = wallets
	case strings.HasPrefix(path, "/webhooks"):
		c.Group = webhooks
	}
	return c
}

func made(c web.Call, refuses ...*fault.Error) web.Call {
	c.Status = http.StatusCreated
	c.Refuses = append(c.Refuses, refuses...)
	return c
}

func streamed(c web.Call, media string) web.Call {
	c.Streams = media
	return c
}

// capture is what taking the money may refuse.
func capture() []*fault.Error {
	return []*fault.Error{payclient.ErrInsufficient, payclient.ErrNoWallet, payclient.ErrNotFound, payclient.ErrClosed, payclient.ErrExpired}
}

// ofShare is what refunds and releases may refuse.
func ofShare() []*fault.Error {
	return []*fault.Error{
		payclient.ErrNoPayment, payclient.ErrNotCaptured, payclient.ErrNoParty, payclient.ErrTooMuch, payclient.ErrMismatch,
		payclient.ErrReference, payclient.ErrAmount, money.ErrMalformed, money.ErrRange, money.ErrCurrency,
	}
}

// user is the calling user. A service has no wallets of its own.
func (a *api) user(ctx context.Context) (authclient.UserID, error) {
	c := a.from(ctx)
	if c.User == "" {
		return "", fault.ErrForbidden
	}
	return c.User, nil
}

// somebody refuses nobody, before each call that isn't open.
func (a *api) somebody(r *http.Request) (context.Context, error) {
	if a.from(r.Context()).Merchant == "" {
		return nil, fault.ErrUnauthenticated
	}
	return r.Context(), nil
}
