package shopclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"jishi/kit/rest"
)

// What the shop and pay can disagree on.
const (
	FoundNotPaid     = "not_paid"     // the money is taken, but the order waits for it
	FoundNotCanceled = "not_canceled" // the payment is closed, or its time is over, but the order waits for it
	FoundNotClosed   = "not_closed"   // the order is canceled, or there is none, but its payment can still be paid
	FoundNotRepaid   = "not_repaid"   // the order is canceled, but its money is still there
	FoundNotCaptured = "not_captured" // the order is paid, but that money was not taken
	FoundRefund      = "refund"       // granted, but pay has not given it back, or the shop has not heard of it
	FoundRelease     = "release"      // the same of a seller's share
	FoundUndecided   = "undecided"    // pay has given more than the shop has decided
	FoundNoOrder     = "no_order"     // money is taken for an order that there isn't
)

// States of a finding.
const (
	FindingOpen   = "open"
	FindingMended = "mended"
)

// Finding is something of an order that the shop and pay did not agree on when they were
// compared.
type Finding struct {
	ID       string     `json:"id" example:"fnd_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Order    string     `json:"order"`
	What     string     `json:"what" enum:"not_paid,not_canceled,not_closed,not_repaid,not_captured,refund,release,undecided,no_order"`
	Found    string     `json:"found" doc:"what each of the two says"`
	State    string     `json:"state" enum:"open,mended"`
	Since    time.Time  `json:"since" doc:"when it was found first"`
	SeenAt   time.Time  `json:"seen_at" doc:"and last"`
	MendedAt *time.Time `json:"mended_at,omitempty"`
}

// Findings is a page of findings, newest first.
type Findings struct {
	Items []Finding `json:"items"`
	Next  string    `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Findings lists what the shop and pay did not agree on, for the operator, who is the caller;
// with a state only those in it.
func (c *Client) Findings(ctx context.Context, state string, p Page) (Findings, error) {
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	return rest.Call[Findings](ctx, c.http, http.MethodGet, c.base+"/findings"+p.query(q), "", nil)
}
