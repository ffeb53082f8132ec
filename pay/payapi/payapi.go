// Package payapi is pay's door for programs: it decodes, calls one rule, encodes.
package payapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/web"
	"jishi/pay"
)

// api answers calls. It decides nothing.
type api struct {
	pay  *pay.Service
	from func(context.Context) pay.Caller
}

// Routes adds the API to mux. From says who calls, as found in the token: its user,
// none for a service on its own behalf, and its client; the zero Caller is nobody.
func Routes(mux *http.ServeMux, s *pay.Service, from func(context.Context) pay.Caller) {
	a := &api{s, from}
	h := web.NewAPI(mux, "/pay/api", "Jishi pay")

	web.Register(h, op("GET", "/wallets", "My wallets"), a.wallets)
	web.Register(h, created(op("POST", "/wallets", "Make a wallet, topped up if there is an amount")), a.createWallet)
	web.Register(h, op("GET", "/wallets/{id}", "One wallet of mine"), a.wallet)
	web.Register(h, op("PATCH", "/wallets/{id}", "Rename a wallet or make it the default one"), a.changeWallet)
	web.Register(h, op("GET", "/wallets/{id}/entries", "A wallet's statement, newest first"), a.entries)
	web.Register(h, created(op("POST", "/topups", "Put money into a wallet")), a.createTopUp)
	web.Register(h, created(op("POST", "/payments", "Pay for an order, or try again")), a.createPayment)
	web.Register(h, op("GET", "/payments", "The payment for an order"), a.paymentOf)
	web.Register(h, op("GET", "/payments/{id}", "One payment, for its payer and its merchant"), a.payment)
	web.Register(h, op("POST", "/payments/{id}/close", "Close a payment unless it is captured"), a.close)
	web.Register(h, op("POST", "/payments/close", "Close the payment for an order, asked for or not"), a.closeOrder)
}

func op(method, path, summary string) huma.Operation {
	return huma.Operation{
		Method: method, Path: "/pay/api/v1" + path, Summary: summary,
		Security: []map[string][]string{{"bearer": {}}},
	}
}

func created(o huma.Operation) huma.Operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// user is the calling user. A service has no wallets of its own.
func (a *api) user(ctx context.Context) (authclient.UserID, error) {
	c, err := a.caller(ctx)
	if err != nil {
		return "", err
	}
	if c.User == "" {
		return "", fault.ErrForbidden
	}
	return c.User, nil
}

// caller is who asks.
func (a *api) caller(ctx context.Context) (pay.Caller, error) {
	c := a.from(ctx)
	if c.Merchant == "" {
		return pay.Caller{}, fault.ErrUnauthenticated
	}
	return c, nil
}
