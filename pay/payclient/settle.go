package payclient

import (
	"context"
	"net/http"
	"time"

	"jishi/kit/money"
	"jishi/kit/rest"
)

// NewCapture takes what is held for an authorized payment: all of it, or of the shares
// that are named as much as is said, and nothing of the others. What isn't taken is not
// held any more; a payment is captured once.
type NewCapture struct {
	Parties []NewShare `json:"parties,omitempty"` // none: all of every share
}

// NewShare is how much of a payee's share is captured.
type NewShare struct {
	Payee  string      `json:"payee" maxLength:"64"`
	Amount money.Input `json:"amount"`
}

// NewRefund gives a share of a captured payment back to the payer, in whole or in part.
// The id is the merchant's own: the same one again is the same refund.
type NewRefund struct {
	ID     string       `json:"id" maxLength:"64" example:"ret_1" doc:"the merchant's own; the same id again is the same refund"`
	Payee  string       `json:"payee" maxLength:"64" doc:"whose share is given back"`
	Amount *money.Input `json:"amount,omitempty" doc:"all that is left of the share when absent"`
	Reason string       `json:"reason,omitempty" maxLength:"800" doc:"for people; at most 200 characters"`
}

// Where the money of a refund came from.
const (
	FromEscrow = "escrow"
	FromPayee  = "payee" // the share had been released
)

// Refund is money that went back to the wallet that had paid.
type Refund struct {
	ID        string       `json:"id"`
	Payment   string       `json:"payment" example:"pay_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Order     string       `json:"order"`
	Payee     string       `json:"payee"`
	Amount    money.Amount `json:"amount"`
	Reason    string       `json:"reason,omitempty"`
	From      string       `json:"from" enum:"escrow,payee" doc:"out of escrow, or out of the payee's wallet where the share had been released"`
	CreatedAt time.Time    `json:"created_at"`
}

// Refunds is a page of a payment's refunds, newest first.
type Refunds struct {
	Items []Refund `json:"items"`
	Next  string   `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// NewRelease gives a payee their share out of escrow, in whole or in part, less the
// market's fee. The id is the merchant's own: the same one again is the same release.
type NewRelease struct {
	ID     string       `json:"id" maxLength:"64" example:"shp_1" doc:"the merchant's own; the same id again is the same release"`
	Payee  string       `json:"payee" maxLength:"64" doc:"who gets it"`
	Amount *money.Input `json:"amount,omitempty" doc:"all that is left of the share when absent"`
}

// Release is money that a payee got.
type Release struct {
	ID        string       `json:"id"`
	Payment   string       `json:"payment" example:"pay_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Order     string       `json:"order"`
	Payee     string       `json:"payee"`
	Amount    money.Amount `json:"amount" doc:"out of escrow"`
	Fee       money.Amount `json:"fee" doc:"the market's part of it"`
	Net       money.Amount `json:"net" doc:"what the payee has of it"`
	Wallet    string       `json:"wallet" doc:"the payee's wallet that it went to"`
	CreatedAt time.Time    `json:"created_at"`
}

// Releases is a page of a payment's releases, newest first.
type Releases struct {
	Items []Release `json:"items"`
	Next  string    `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Capture takes what is held for an authorized payment. The same capture again gives the
// captured payment; another one is ErrMismatch. Before there is a hold it is
// ErrNotAuthorized, too late ErrClosed or ErrExpired. It is for the merchant's own token, as
// are Refund, Release and their lists.
func (c *Client) Capture(ctx context.Context, payment string, in NewCapture) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodPost, c.payment(payment)+"/capture", "", in)
}

// Refund gives money back. Out of escrow first; what was released comes out of the payee's
// wallet, or is ErrPayeeShort. One refund is of one kind: more than what is left in escrow
// is ErrTooMuch as long as there is something left in it.
func (c *Client) Refund(ctx context.Context, payment string, in NewRefund) (Refund, error) {
	return rest.Call[Refund](ctx, c.http, http.MethodPost, c.payment(payment)+"/refunds", "", in)
}

// Refunds lists what went back of a payment.
func (c *Client) Refunds(ctx context.Context, payment string, p Page) (Refunds, error) {
	return rest.Call[Refunds](ctx, c.http, http.MethodGet, c.payment(payment)+"/refunds"+p.query(), "", nil)
}

// Release gives a payee their share, into their default wallet; who has none gets one.
func (c *Client) Release(ctx context.Context, payment string, in NewRelease) (Release, error) {
	return rest.Call[Release](ctx, c.http, http.MethodPost, c.payment(payment)+"/releases", "", in)
}

// Releases lists what payees got of a payment.
func (c *Client) Releases(ctx context.Context, payment string, p Page) (Releases, error) {
	return rest.Call[Releases](ctx, c.http, http.MethodGet, c.payment(payment)+"/releases"+p.query(), "", nil)
}
