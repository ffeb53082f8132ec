// Package payclient is pay as other services see it: the documents that travel, the
// refusals, and a client. It is all of pay that they may import; it knows none of
// pay's rules.
package payclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"jishi/kit/money"
	"jishi/kit/rest"
)

// Party is who receives a share of a payment, a user's id. At any time refunded and
// released together are at most captured, and that at most amount. A new payment's parties
// have payee and amount only.
type Party struct {
	Payee    string       `json:"payee" example:"usr_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Amount   money.Amount `json:"amount"`
	Captured money.Amount `json:"captured,omitzero" doc:"what was taken of it from the payer"`
	Refunded money.Amount `json:"refunded,omitzero" doc:"what went back to the payer"`
	Released money.Amount `json:"released,omitzero" doc:"what the payee has, the fee included"`
}

// NewPayment asks for the sum of the parties' amounts. The merchant is the client that
// the token was issued to, the payer its user; merchant and order make the payment
// unique, whatever is asked how often.
type NewPayment struct {
	Order     string    `json:"order"`
	Parties   []Party   `json:"parties"`
	Wallet    string    `json:"wallet,omitempty"`    // "" is the payer's default wallet
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero is pay's own choice
	Hold      bool      `json:"hold,omitempty"`      // only authorise: the amount is held until Capture takes it
}

// States of a payment. An open one waits for money, of an authorized one the amount is
// held in the payer's wallet until the merchant captures it. Captured and closed are for
// ever. Who is too late finds a payment closed, and its amount not held any more.
const (
	Open       = "open"
	Authorized = "authorized"
	Captured   = "captured"
	Closed     = "closed"
)

// Payment is money asked for an order.
type Payment struct {
	ID          string       `json:"id" example:"pay_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Order       string       `json:"order" example:"ord_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Merchant    string       `json:"merchant" example:"shop" doc:"the OAuth client that asked"`
	Payer       string       `json:"payer" doc:"a user's id; empty where an order was closed before anybody asked"`
	State       string       `json:"state" enum:"open,authorized,captured,closed"`
	Hold        bool         `json:"hold,omitempty" doc:"paying it only holds the amount, until the merchant captures it"`
	Amount      money.Amount `json:"amount"`
	Authorized  money.Amount `json:"authorized" doc:"what the payer has agreed to, held at first"`
	Captured    money.Amount `json:"captured" doc:"what was taken from the payer"`
	Refunded    money.Amount `json:"refunded" doc:"what went back to the payer"`
	Released    money.Amount `json:"released" doc:"what the payees have, the fees included"`
	Parties     []Party      `json:"parties"`
	Wallet      string       `json:"wallet,omitempty" doc:"the wallet that paid"`
	CheckoutURL string       `json:"checkout_url" doc:"the page where the payer can top up and pay"`
	ExpiresAt   time.Time    `json:"expires_at" doc:"it is closed then, unless it is captured"`
	CreatedAt   time.Time    `json:"created_at"`
	SettledAt   *time.Time   `json:"settled_at,omitempty" doc:"when it was captured or closed"`
}

// Payments is a page of payments, by order.
type Payments struct {
	Items []Payment `json:"items"`
	Next  string    `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// OrderRange is the orders that follow one, by id, up to another; "" is no bound.
type OrderRange struct{ After, UpTo string }

// NewWallet makes a wallet. Amount, if not "", tops it up in the same step.
type NewWallet struct {
	Name     string `json:"name,omitempty"`
	Currency string `json:"currency,omitempty"` // "" is the market's
	Amount   string `json:"amount,omitempty"`   // decimal, "12.00"
}

// WalletChange changes what is not nil. A wallet becomes the default one by Default
// true, and stops being it when another one does.
type WalletChange struct {
	Name    *string `json:"name,omitempty" maxLength:"160" doc:"at most 40 characters"`
	Default *bool   `json:"default,omitempty" enum:"true" doc:"make it the default wallet"`
}

// Wallet is money of a user. A user may have several.
type Wallet struct {
	ID        string       `json:"id" example:"wal_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Number    string       `json:"number" example:"9512 3456 7890 1235" doc:"for people: 16 digits, the last one checks the others"`
	Name      string       `json:"name"`
	Balance   money.Amount `json:"balance"`
	Available money.Amount `json:"available" doc:"the balance without what is held"`
	Default   bool         `json:"default" doc:"it pays where no wallet is named"`
	CreatedAt time.Time    `json:"created_at"`
}

// Wallets is a page of wallets, oldest first.
type Wallets struct {
	Items []Wallet `json:"items"`
	Next  string   `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Entry is one line of a wallet's statement.
type Entry struct {
	ID        string       `json:"id" doc:"the transfer in the ledger"`
	Kind      string       `json:"kind" enum:"topup,payment,hold,void,refund,sale,fee" doc:"what it was; a hold sets an amount aside for a payment, a void gives it back, a sale is the payee's share, a fee the market's part of it"`
	Amount    money.Amount `json:"amount" doc:"negative when the money went out; zero of a hold and a void"`
	Reserved  money.Amount `json:"reserved" doc:"what a hold set aside, or a void gave back"`
	Balance   money.Amount `json:"balance" doc:"of the wallet after it"`
	Held      money.Amount `json:"held" doc:"in the wallet after it; the balance without it is available"`
	TopUp     string       `json:"topup,omitempty"`
	Payment   string       `json:"payment,omitempty"`
	Order     string       `json:"order,omitempty" doc:"what the payment was for"`
	CreatedAt time.Time    `json:"created_at"`
}

// Entries is a page of a statement, newest first.
type Entries struct {
	Items []Entry `json:"items"`
	Next  string  `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Balance is what a wallet had at a time.
type Balance struct {
	At        time.Time    `json:"at"`
	Balance   money.Amount `json:"balance"`
	Available money.Amount `json:"available" doc:"what of it was not held"`
}

// NewTopUp puts money into a wallet.
type NewTopUp struct {
	Wallet string `json:"wallet"`
	Amount string `json:"amount"` // decimal, "12.00"
}

// States of a top-up.
const (
	Created   = "created"
	Succeeded = "succeeded"
)

// TopUp is money on its way into a wallet, or arrived there.
type TopUp struct {
	ID        string       `json:"id" example:"top_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Wallet    string       `json:"wallet"`
	Amount    money.Amount `json:"amount"`
	State     string       `json:"state" enum:"created,succeeded"`
	CreatedAt time.Time    `json:"created_at"`
}

// TopUps is a page of a wallet's top-ups, newest first.
type TopUps struct {
	Items []TopUp `json:"items"`
	Next  string  `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Terms is what amounts and top-ups are here.
type Terms struct {
	Currency string     `json:"currency" example:"CNY" doc:"of every amount"`
	TopUps   TopUpTerms `json:"topups"`
}

// TopUpTerms is what can be topped up.
type TopUpTerms struct {
	On   bool         `json:"on" doc:"wallets can be topped up"`
	Play bool         `json:"play" doc:"the money is not real"`
	Min  money.Amount `json:"min" doc:"at once"`
	Max  money.Amount `json:"max" doc:"at once"`
}

// Checkout is a payment at the cashier.
type Checkout struct {
	Payment   Payment      `json:"payment"`
	Choices   []Choice     `json:"choices" doc:"the payer's wallets; none once it can't be paid any more"`
	Enough    bool         `json:"enough" doc:"one of the wallets suffices"`
	Missing   money.Amount `json:"missing" doc:"in the wallet that has most"`
	Expired   bool         `json:"expired" doc:"it was closed because its time was over"`
	ReturnURL string       `json:"return_url,omitempty" doc:"where the merchant takes its payer back"`
}

// Choice is a wallet at the cashier.
type Choice struct {
	Wallet Wallet `json:"wallet"`
	Enough bool   `json:"enough" doc:"it suffices"`
	Chosen bool   `json:"chosen" doc:"it pays where none is named, or would do best"`
}

// Source is where the money of a payment comes from.
type Source struct {
	Wallet string `json:"wallet,omitempty" maxLength:"64" doc:"the payer's default wallet when absent"`
}

// Page is where a list goes on: the Next of the page before, and how many at most.
type Page struct {
	Cursor string
	Limit  int // 0 is 20
}

func (p Page) query() string {
	q := url.Values{}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return "?" + q.Encode()
}

// Client calls pay's REST API.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the pay service at base, a URL without a trailing slash. hc
// decides how it gets there (network or memory) and with whose token.
func New(base string, hc *http.Client) *Client {
	return &Client{base: base + "/pay/api/v1", http: hc}
}

// Create pays for an order at once. The order is the idempotency key: the same payment
// again, from whichever wallet, gives the captured (or, with Hold, authorized) one, or
// tries again while it is open. ErrInsufficient and ErrNoWallet leave it open; ErrClosed,
// ErrExpired and ErrMismatch are final.
func (c *Client) Create(ctx context.Context, in NewPayment) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodPost, c.base+"/payments", "", in)
}

// Payment is one payment, for its merchant and its payer.
func (c *Client) Payment(ctx context.Context, id string) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodGet, c.payment(id), "", nil)
}

// PaymentOf is the payment for an order, or ErrNoPayment.
func (c *Client) PaymentOf(ctx context.Context, order string) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodGet, c.base+"/payments?order="+url.QueryEscape(order), "", nil)
}

// Payments lists the payments of the merchant's own for orders in a range.
func (c *Client) Payments(ctx context.Context, in OrderRange, p Page) (Payments, error) {
	q := url.Values{"after": {in.After}, "up_to": {in.UpTo}}
	return rest.Call[Payments](ctx, c.http, http.MethodGet, c.base+"/merchant/payments"+p.query()+"&"+q.Encode(), "", nil)
}

// Close ends the payment for an order unless it is captured: the answer's state says
// which of the two holds, for ever. What is held for it is the payer's again; with a user's
// token that is ErrHeld, and only an open one is ended. Where nobody
// has asked for the payment yet, a closed one is recorded, so that a Create which comes
// late is ErrClosed.
func (c *Client) Close(ctx context.Context, order string) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodPost, c.base+"/orders/"+url.PathEscape(order)+"/close", "", nil)
}

// CreateWallet makes a wallet, topped up if in says so. The same key and content
// again give the same wallet.
func (c *Client) CreateWallet(ctx context.Context, in NewWallet, key string) (Wallet, error) {
	return rest.Call[Wallet](ctx, c.http, http.MethodPost, c.base+"/wallets", key, in)
}

// ChangeWallet renames a wallet or makes it the default one.
func (c *Client) ChangeWallet(ctx context.Context, id string, in WalletChange) (Wallet, error) {
	return rest.Call[Wallet](ctx, c.http, http.MethodPatch, c.wallet(id), "", in)
}

// Wallets lists the caller's wallets.
func (c *Client) Wallets(ctx context.Context, p Page) (Wallets, error) {
	return rest.Call[Wallets](ctx, c.http, http.MethodGet, c.base+"/wallets"+p.query(), "", nil)
}

// Wallet is one of the caller's wallets.
func (c *Client) Wallet(ctx context.Context, id string) (Wallet, error) {
	return rest.Call[Wallet](ctx, c.http, http.MethodGet, c.wallet(id), "", nil)
}

// Entries is the statement of one of the caller's wallets.
func (c *Client) Entries(ctx context.Context, wallet string, p Page) (Entries, error) {
	return rest.Call[Entries](ctx, c.http, http.MethodGet, c.wallet(wallet)+"/entries"+p.query(), "", nil)
}

// BalanceAt is what one of the caller's wallets had at a past time.
func (c *Client) BalanceAt(ctx context.Context, wallet string, at time.Time) (Balance, error) {
	return rest.Call[Balance](ctx, c.http, http.MethodGet, c.wallet(wallet)+"/balance?at="+url.QueryEscape(at.UTC().Format(time.RFC3339Nano)), "", nil)
}

// CreateTopUp puts money into a wallet. The same key and content again give the same
// top-up.
func (c *Client) CreateTopUp(ctx context.Context, in NewTopUp, key string) (TopUp, error) {
	return rest.Call[TopUp](ctx, c.http, http.MethodPost, c.base+"/topups", key, in)
}

// TopUp is one of the caller's top-ups, or ErrNoTopUp.
func (c *Client) TopUp(ctx context.Context, id string) (TopUp, error) {
	return rest.Call[TopUp](ctx, c.http, http.MethodGet, c.base+"/topups/"+url.PathEscape(id), "", nil)
}

// TopUps lists the top-ups of one of the caller's wallets.
func (c *Client) TopUps(ctx context.Context, wallet string, p Page) (TopUps, error) {
	return rest.Call[TopUps](ctx, c.http, http.MethodGet, c.wallet(wallet)+"/topups"+p.query(), "", nil)
}

// Terms is what amounts and top-ups are here.
func (c *Client) Terms(ctx context.Context) (Terms, error) {
	return rest.Call[Terms](ctx, c.http, http.MethodGet, c.base+"/terms", "", nil)
}

// Checkout is one of the caller's payments with what it can be paid from.
func (c *Client) Checkout(ctx context.Context, payment string) (Checkout, error) {
	return rest.Call[Checkout](ctx, c.http, http.MethodGet, c.payment(payment)+"/checkout", "", nil)
}

// Pay captures one of the caller's open payments; refusals as from Create.
func (c *Client) Pay(ctx context.Context, payment string, from Source) (Payment, error) {
	return rest.Call[Payment](ctx, c.http, http.MethodPost, c.payment(payment)+"/pay", "", from)
}

func (c *Client) payment(id string) string { return c.base + "/payments/" + url.PathEscape(id) }

func (c *Client) wallet(id string) string { return c.base + "/wallets/" + url.PathEscape(id) }
