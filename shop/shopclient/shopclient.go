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
	StockSeen   *int64       `json:"stock_seen,omitempty" doc:"the stock that the seller saw: only the difference to it is applied, so that what was sold in between stays sold. If-Match or an Idempotency-Key keeps it from being applied twice when it is sent again"`
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

// Event is something that has happened to an order, or to a part of it.
type Event struct {
	At       time.Time `json:"at"`
	What     string    `json:"what" example:"shipment.shipped" doc:"order, shipment or refund, and its new state; order.late and order.repaid are money that came after an order was canceled, and went back"`
	By       string    `json:"by,omitempty" enum:"buyer,seller,operator" doc:"absent when it happened by itself"`
	Shipment string    `json:"shipment,omitempty"`
	Refund   string    `json:"refund,omitempty"`
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

// ChangeProduct changes a product that is still at that version, or at any with 0. The same key and
// change again change nothing.
func (c *Client) ChangeProduct(ctx context.Context, id string, version int64, in ProductChange, key string) (Product, error) {
	hc := *c.http
	if version > 0 {
		hc.Transport = ifMatch{hc.Transport, strconv.Quote(strconv.FormatInt(version, 10))}
	}
	return rest.Call[Product](ctx, &hc, http.MethodPatch, c.product(id), key, in)
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
