// Package shopclient is shop as other programs see it: the documents that travel, the
// refusals, and a client. It knows none of shop's rules.
package shopclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"jishi/kit/money"
	"jishi/kit/rest"
)

// Product is something that is sold.
type Product struct {
	ID          string       `json:"id" example:"prd_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Title       string       `json:"title" example:"Teapot"`
	Description string       `json:"description"`
	Image       string       `json:"image" doc:"address of a picture, or empty"`
	Price       money.Amount `json:"price"`
	Stock       int64        `json:"stock" doc:"pieces that can be bought now"`
	Seller      Seller       `json:"seller"`
	Version     int64        `json:"version" doc:"counts the seller's changes; also the ETag"`
	Listed      bool         `json:"listed" doc:"false once it was taken down"`
	CreatedAt   time.Time    `json:"created_at"`
}

// Seller is who sells a product.
type Seller struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// NewProduct offers something for sale.
type NewProduct struct {
	Title       string      `json:"title" doc:"1 to 120 characters" example:"Teapot"`
	Description string      `json:"description,omitempty" doc:"at most 10,000 characters"`
	Image       string      `json:"image,omitempty" doc:"the name that POST /api/v1/pictures gave, or the address of a picture elsewhere"`
	Price       money.Input `json:"price"`
	Stock       int64       `json:"stock"`
}

// ProductChange changes what is not nil.
type ProductChange struct {
	Title       *string      `json:"title,omitempty"`
	Description *string      `json:"description,omitempty"`
	Image       *string      `json:"image,omitempty"`
	Price       *money.Input `json:"price,omitempty"`
	Stock       *int64       `json:"stock,omitempty" doc:"pieces that can be bought from now on"`
	StockSeen   *int64       `json:"stock_seen,omitempty" doc:"the stock that the seller saw: only the difference to it is applied, so that what was sold in between stays sold"`
}

// Products is a page of products, newest first.
type Products struct {
	Items []Product `json:"items"`
	Next  string    `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Picture is an uploaded picture.
type Picture struct {
	Name string `json:"name" doc:"image of a product"`
	URL  string `json:"url"`
}

// Cart is what a buyer means to buy.
type Cart struct {
	Items []CartItem   `json:"items"`
	Total money.Amount `json:"total" doc:"of the items that are available"`
}

// CartItem is a product in a cart.
type CartItem struct {
	Product      Product      `json:"product"`
	Quantity     int64        `json:"quantity"`
	Total        money.Amount `json:"total"`
	Available    bool         `json:"available" doc:"it is still sold, and there are that many"`
	Trouble      string       `json:"trouble,omitempty" enum:"gone,sold_out,short" doc:"why it can't be bought: it was taken down, nothing is left, or fewer than quantity are (product.stock says how many)"`
	PriceSeen    money.Amount `json:"price_seen" doc:"of one piece, when the buyer last saw it; product.price is today's"`
	PriceChanged bool         `json:"price_changed" doc:"today's price is another one: an order has to confirm it"`
}

// Why an item of a cart can't be bought.
const (
	Gone    = "gone"
	SoldOut = "sold_out"
	Short   = "short"
)

// CartChange sets the quantity of a product in the cart.
type CartChange struct {
	Quantity int64        `json:"quantity" doc:"1 to 999"`
	Price    *money.Input `json:"price,omitempty" doc:"the price that the buyer saw; today's if absent"`
}

// NewCartItem adds pieces of a product to the cart.
type NewCartItem struct {
	Product  string       `json:"product" maxLength:"64" example:"prd_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Quantity int64        `json:"quantity" example:"1" doc:"1 to 999, with those that are there"`
	Price    *money.Input `json:"price,omitempty" doc:"the price that the buyer saw; today's if absent"`
}

// NewOrder buys items, or everything in the cart.
type NewOrder struct {
	Items  []NewItem `json:"items,omitempty" maxItems:"100" doc:"what to buy; with cart, the available items as the buyer saw them"`
	Cart   bool      `json:"cart,omitempty" doc:"buy what is in the cart and take it out: all of it or, with items, what is available; a price that changed since the buyer saw it is refused"`
	Wallet string    `json:"wallet,omitempty" maxLength:"64" doc:"pay from this wallet rather than the default one"`
}

// NewItem is one product of a new order.
type NewItem struct {
	Product  string       `json:"product" maxLength:"64"`
	Quantity int64        `json:"quantity"`
	Price    *money.Input `json:"price,omitempty" doc:"the price that the buyer saw; another one is refused"`
}

// States of an order.
const (
	Pending   = "pending"
	Paid      = "paid"
	Completed = "completed"
	Canceled  = "canceled"
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

// What the caller may do with an order, a shipment or a refund now; each is the last part of a
// call's path.
const (
	ActPay      = "pay"
	ActCancel   = "cancel"
	ActShip     = "ship"
	ActGiveBack = "give-back"
	ActReceive  = "receive"
	ActRefund   = "refunds"
	ActGrant    = "grant"
	ActRefuse   = "refuse"
	ActWithdraw = "withdraw"
	ActAppeal   = "appeal"
	ActDecide   = "decide"
)

// Who did something.
const (
	ByBuyer    = "buyer"
	BySeller   = "seller"
	ByOperator = "operator"
)

// Order is a purchase, with everything as it was when it was placed.
type Order struct {
	ID        string       `json:"id" example:"ord_06f3kq0c8dv3t2mjh41m6r9s5g"`
	State     string       `json:"state" enum:"pending,paid,completed,canceled"`
	Buyer     Buyer        `json:"buyer"`
	Items     []OrderItem  `json:"items" doc:"for a seller, the seller's own only"`
	Total     money.Amount `json:"total" doc:"of the items"`
	CreatedAt time.Time    `json:"created_at"`
	PayBefore time.Time    `json:"pay_before" doc:"it is canceled then, unless it is paid"`
	PaidAt    *time.Time   `json:"paid_at,omitempty"`

	// These are in the answers of the calls that read orders and those that change shipments and
	// refunds; who has just placed, paid or canceled an order reads it to have them.
	Shipments []Shipment `json:"shipments,omitempty" doc:"what each seller sends, once it is paid; for a seller, the seller's own only"`
	History   []Event    `json:"history,omitempty" doc:"what has happened, oldest first; not in lists"`
	Actions   []string   `json:"actions,omitempty" doc:"what the caller may do with it now: pay, cancel"`
}

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

// What the shop and pay can disagree on.
const (
	FoundNotPaid     = "not_paid"     // the money is taken, but the order waits for it
	FoundNotCanceled = "not_canceled" // the payment is closed, but the order waits for it
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
	What     string     `json:"what" enum:"not_paid,not_canceled,not_repaid,not_captured,refund,release,undecided,no_order"`
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

// Event is something that has happened to an order, or to a part of it.
type Event struct {
	At       time.Time `json:"at"`
	What     string    `json:"what" example:"shipment.shipped" doc:"order, shipment or refund, and its new state; order.late and order.repaid are money that came after an order was canceled, and went back"`
	By       string    `json:"by,omitempty" enum:"buyer,seller,operator" doc:"absent when it happened by itself"`
	Shipment string    `json:"shipment,omitempty"`
	Refund   string    `json:"refund,omitempty"`
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

// Buyer is who bought.
type Buyer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// OrderItem is one product of an order.
type OrderItem struct {
	Product  string       `json:"product"`
	Title    string       `json:"title"`
	Image    string       `json:"image"`
	Seller   Seller       `json:"seller"`
	Price    money.Amount `json:"price" doc:"of one piece"`
	Quantity int64        `json:"quantity"`
	Total    money.Amount `json:"total"`
}

// Orders is a page of orders, newest first.
type Orders struct {
	Items []Order `json:"items"`
	Next  string  `json:"next,omitempty" doc:"cursor of the next page; absent on the last one"`
}

// Page is where a list goes on: the Next of the page before, and how many at most.
type Page struct {
	Cursor string
	Limit  int // 0 is 20
}

func (p Page) query(q url.Values) string {
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return "?" + q.Encode()
}

// Client calls shop's REST API.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the shop at base, a URL without a trailing slash. hc decides
// how it gets there and with whose token.
func New(base string, hc *http.Client) *Client {
	return &Client{base: base + "/api/v1", http: hc}
}

// Products lists what is sold; search and seller narrow it when not empty.
func (c *Client) Products(ctx context.Context, search, seller string, p Page) (Products, error) {
	q := url.Values{}
	if search != "" {
		q.Set("q", search)
	}
	if seller != "" {
		q.Set("seller", seller)
	}
	return rest.Call[Products](ctx, c.http, http.MethodGet, c.base+"/products"+p.query(q), "", nil)
}

// Product is one product, taken down or not.
func (c *Client) Product(ctx context.Context, id string) (Product, error) {
	return rest.Call[Product](ctx, c.http, http.MethodGet, c.product(id), "", nil)
}

// AddProduct offers something for sale. The same key and product again give the same one.
func (c *Client) AddProduct(ctx context.Context, in NewProduct, key string) (Product, error) {
	return rest.Call[Product](ctx, c.http, http.MethodPost, c.base+"/products", key, in)
}

// ChangeProduct changes a product that is still at that version, or at any with 0.
func (c *Client) ChangeProduct(ctx context.Context, id string, version int64, in ProductChange) (Product, error) {
	hc := *c.http
	if version > 0 {
		hc.Transport = ifMatch{hc.Transport, strconv.Quote(strconv.FormatInt(version, 10))}
	}
	return rest.Call[Product](ctx, &hc, http.MethodPatch, c.product(id), "", in)
}

// TakeDown ends the sale of a product.
func (c *Client) TakeDown(ctx context.Context, id string) error {
	_, err := rest.Call[struct{}](ctx, c.http, http.MethodDelete, c.product(id), "", nil)
	return err
}

// AddPicture uploads a picture; its name is the image of a product.
func (c *Client) AddPicture(ctx context.Context, file io.Reader) (Picture, error) {
	return rest.Upload[Picture](ctx, c.http, c.base+"/pictures", file)
}

// OwnProducts lists what the caller sells, with what was taken down.
func (c *Client) OwnProducts(ctx context.Context, p Page) (Products, error) {
	return rest.Call[Products](ctx, c.http, http.MethodGet, c.base+"/me/products"+p.query(url.Values{}), "", nil)
}

// AddToCart adds pieces of a product to those in the cart. The same key and pieces again
// add nothing.
func (c *Client) AddToCart(ctx context.Context, in NewCartItem, key string) (Cart, error) {
	return rest.Call[Cart](ctx, c.http, http.MethodPost, c.base+"/cart/items", key, in)
}

// Cart is the caller's cart.
func (c *Client) Cart(ctx context.Context) (Cart, error) {
	return rest.Call[Cart](ctx, c.http, http.MethodGet, c.base+"/cart", "", nil)
}

// SetCartItem puts that many of a product in the cart, however many there were.
func (c *Client) SetCartItem(ctx context.Context, product string, quantity int64) (Cart, error) {
	return rest.Call[Cart](ctx, c.http, http.MethodPut, c.cartItem(product), "", CartChange{Quantity: quantity})
}

// RemoveCartItem takes a product out of the cart.
func (c *Client) RemoveCartItem(ctx context.Context, product string) error {
	_, err := rest.Call[struct{}](ctx, c.http, http.MethodDelete, c.cartItem(product), "", nil)
	return err
}

// PlaceOrder buys. ErrUnpaid means that the order stands and waits for money; its
// members say which order, what is missing and where to pay. The same key and order again
// give the same order.
func (c *Client) PlaceOrder(ctx context.Context, in NewOrder, key string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.base+"/orders", key, in)
}

// Orders lists what the caller bought.
func (c *Client) Orders(ctx context.Context, p Page) (Orders, error) {
	return rest.Call[Orders](ctx, c.http, http.MethodGet, c.base+"/orders"+p.query(url.Values{}), "", nil)
}

// Sales lists the paid orders in which the caller is a seller.
func (c *Client) Sales(ctx context.Context, p Page) (Orders, error) {
	return rest.Call[Orders](ctx, c.http, http.MethodGet, c.base+"/orders"+p.query(url.Values{"role": {"seller"}}), "", nil)
}

// ToShip lists the orders of which the caller has a part to send.
func (c *Client) ToShip(ctx context.Context, p Page) (Orders, error) {
	q := url.Values{"role": {"seller"}, "shipment": {Waiting}}
	return rest.Call[Orders](ctx, c.http, http.MethodGet, c.base+"/orders"+p.query(q), "", nil)
}

// Order is one purchase of the caller, or the caller's part of a sale; an operator sees all.
func (c *Client) Order(ctx context.Context, id string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodGet, c.order(id), "", nil)
}

// Pay tries again to pay an order that is pending; ErrUnpaid as from PlaceOrder.
func (c *Client) Pay(ctx context.Context, id, wallet string) (Order, error) {
	in := struct {
		Wallet string `json:"wallet,omitempty"`
	}{wallet}
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.order(id)+"/pay", "", in)
}

// Cancel ends an order that is not paid.
func (c *Client) Cancel(ctx context.Context, id string) (Order, error) {
	return rest.Call[Order](ctx, c.http, http.MethodPost, c.order(id)+"/cancel", "", nil)
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

// Findings lists what the shop and pay did not agree on, for the operator, who is the caller;
// with a state only those in it.
func (c *Client) Findings(ctx context.Context, state string, p Page) (Findings, error) {
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	return rest.Call[Findings](ctx, c.http, http.MethodGet, c.base+"/findings"+p.query(q), "", nil)
}

// Cases lists the refunds that wait for the operator, who is the caller.
func (c *Client) Cases(ctx context.Context, p Page) (Refunds, error) {
	return rest.Call[Refunds](ctx, c.http, http.MethodGet, c.base+"/cases"+p.query(url.Values{}), "", nil)
}

func (c *Client) shipment(id string) string { return c.base + "/shipments/" + url.PathEscape(id) }
func (c *Client) refund(id string) string   { return c.base + "/refunds/" + url.PathEscape(id) }
func (c *Client) product(id string) string  { return c.base + "/products/" + url.PathEscape(id) }
func (c *Client) cartItem(id string) string { return c.base + "/cart/items/" + url.PathEscape(id) }
func (c *Client) order(id string) string    { return c.base + "/orders/" + url.PathEscape(id) }

// ifMatch makes a request conditional.
type ifMatch struct {
	next http.RoundTripper
	etag string
}

func (m ifMatch) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("If-Match", m.etag)
	next := m.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}
