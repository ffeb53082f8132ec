package shopclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"jishi/kit/money"
	"jishi/kit/rest"
)

// States of a shipment.
const (
	Waiting  = "waiting"
	Shipped  = "shipped"
	Received = "received"
	Refunded = "refunded"
)

// States of a refund.
const (
	Asked     = "asked"
	Granted   = "granted"
	Refused   = "refused"
	Appealed  = "appealed"
	Denied    = "denied"
	Withdrawn = "withdrawn"
)

// Shipment is what one seller sends of a paid order.
type Shipment struct {
	ID         string       `json:"id" example:"shp_06f3kq0c8dv3t2mjh41m6r9s5g_1"`
	State      string       `json:"state" enum:"waiting,shipped,received,refunded"`
	Seller     Seller       `json:"seller" doc:"whose items of the order it has"`
	Amount     money.Amount `json:"amount" doc:"the seller's share of the order"`
	Refunded   money.Amount `json:"refunded" doc:"what of it goes back to the buyer, or has"`
	Carrier    string       `json:"carrier,omitempty" example:"SF Express"`
	Tracking   string       `json:"tracking,omitempty" example:"SF1234567890"`
	ShippedAt  *time.Time   `json:"shipped_at,omitempty"`
	ConfirmAt  *time.Time   `json:"confirm_at,omitempty" doc:"it counts as received then; the timer stands still while a refund is open"`
	ReceivedAt *time.Time   `json:"received_at,omitempty"`
	ReleasedAt *time.Time   `json:"released_at,omitempty" doc:"when the seller had the money"`
	Refunds    []Refund     `json:"refunds,omitempty" doc:"oldest first"`
	Actions    []string     `json:"actions,omitempty" doc:"what the caller may do with it now: ship, give-back, receive, refunds"`
}

// Refund is money of a shipment that its buyer wants back, or gets.
type Refund struct {
	ID           string       `json:"id" example:"rfd_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Order        string       `json:"order"`
	Shipment     string       `json:"shipment"`
	State        string       `json:"state" enum:"asked,granted,refused,appealed,denied,withdrawn"`
	Amount       money.Amount `json:"amount"`
	Reason       string       `json:"reason" doc:"the buyer's words, or the seller's who gives it unasked"`
	Answer       string       `json:"answer,omitempty" doc:"the seller's, who refused it"`
	Decision     string       `json:"decision,omitempty" doc:"the operator's words"`
	AnswerBefore *time.Time   `json:"answer_before,omitempty" doc:"it is granted then, unless the seller answers"`
	PaidAt       *time.Time   `json:"paid_at,omitempty" doc:"when the buyer had the money"`
	CreatedAt    time.Time    `json:"created_at"`
	Actions      []string     `json:"actions,omitempty" doc:"what the caller may do with it now: grant, refuse, withdraw, appeal, decide"`
}

// Refunds is a page of refunds, newest first.
type Refunds struct {
	Items []Refund `json:"items"`
	Next  string   `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Shipping is how a shipment is sent.
type Shipping struct {
	Carrier  string `json:"carrier" maxLength:"240" example:"SF Express" doc:"1 to 60 characters"`
	Tracking string `json:"tracking" maxLength:"240" example:"SF1234567890" doc:"1 to 60 characters"`
}

// NewRefund asks for money back.
type NewRefund struct {
	Amount *money.Input `json:"amount,omitempty" doc:"all that is left of the shipment's amount when absent"`
	Reason string       `json:"reason" maxLength:"800" doc:"1 to 200 characters"`
}

// Reason says why a seller gives money back unasked.
type Reason struct {
	Reason string `json:"reason" maxLength:"800" doc:"1 to 200 characters"`
}

// Refusal says why a seller doesn't give money back.
type Refusal struct {
	Answer string `json:"answer" maxLength:"800" doc:"1 to 200 characters"`
}

// Decision is an operator's word on a refund.
type Decision struct {
	Grant  bool   `json:"grant" doc:"the money goes back"`
	Answer string `json:"answer" maxLength:"800" doc:"why; 1 to 200 characters"`
}

// Ship sends a shipment of the caller's.
func (c *Client) Ship(ctx context.Context, shipment string, in Shipping) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.shipment(shipment)+"/ship", "", in)
}

// Receive says that a shipment has arrived.
func (c *Client) Receive(ctx context.Context, shipment string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.shipment(shipment)+"/receive", "", nil)
}

// AskRefund asks the seller of a shipment for money back. The same key and request again
// give the same refund.
func (c *Client) AskRefund(ctx context.Context, shipment string, in NewRefund, key string) (Refund, error) {
	return rest.Call[Refund](ctx, c.http, http.MethodPost, c.shipment(shipment)+"/refunds", key, in)
}

// GiveBack refunds a shipment that the caller won't send.
func (c *Client) GiveBack(ctx context.Context, shipment, reason string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.shipment(shipment)+"/give-back", "", Reason{reason})
}

// Grant is the seller's yes to a refund.
func (c *Client) Grant(ctx context.Context, refund string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.refund(refund)+"/grant", "", nil)
}

// Refuse is the seller's no to a refund.
func (c *Client) Refuse(ctx context.Context, refund, answer string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.refund(refund)+"/refuse", "", Refusal{answer})
}

// Withdraw takes a request for a refund back.
func (c *Client) Withdraw(ctx context.Context, refund string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.refund(refund)+"/withdraw", "", nil)
}

// Appeal takes a refund that the seller refused to the operator.
func (c *Client) Appeal(ctx context.Context, refund string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.refund(refund)+"/appeal", "", nil)
}

// Decide is the operator's word on a refund.
func (c *Client) Decide(ctx context.Context, refund string, in Decision) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.refund(refund)+"/decide", "", in)
}

// Cases lists the refunds that wait for the operator, who is the caller.
func (c *Client) Cases(ctx context.Context, p Page) (Refunds, error) {
	return rest.Call[Refunds](ctx, c.http, http.MethodGet, c.base+"/cases"+p.query(url.Values{}), "", nil)
}
