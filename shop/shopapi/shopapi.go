// Package shopapi is the shop for programs: the REST API under /api/v1. It decodes, calls
// one rule of shop, and encodes; what may happen is decided there.
package shopapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"jishi/auth/authguard"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/kit/web"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

// Config is what the API stands on.
type Config struct {
	Shop    *shop.Service
	User    func(context.Context) shop.Person // whose token came along; no ID is nobody
	BaseURL string                            // of the shop, without a trailing slash: pictures are named with it

	Webhooks [][]byte // secrets with which pay signs what it tells the shop
}

type api struct {
	shop *shop.Service
	user func(context.Context) shop.Person
	base string

	hooks [][]byte
}

// Routes adds the API to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, c Config) {
	a := &api{shop: c.Shop, user: c.User, base: c.BaseURL, hooks: c.Webhooks}
	mux.HandleFunc("POST /webhooks/pay", a.webhook) // pay calls it; no part of the API
	h := web.NewAPI(mux, about, a.somebody)

	web.Register(h, open("listProducts", "/products", "Products", "Newest first."), a.products)
	web.Register(h, open("getProduct", "/products/{id}", "One product", "Sold or taken down. The ETag is for If-Match.", shopclient.ErrNoProduct), a.product)
	web.Register(h, made(mine("addProduct", "POST", "/products", "Offer a product for sale", "", offer()...)), a.addProduct)
	web.Register(h, mine("changeProduct", "PATCH", "/products/{id}", "Change or restock a product of mine",
		"Only what is sent changes. With If-Match a product that was changed since is left alone: 412. A stock with stock_seen is "+
			"applied as a difference, so that what was sold in between stays sold. Orders keep what they were placed with.",
		append(offer(), shopclient.ErrNoProduct, shopclient.ErrNotSeller, shopclient.ErrStale, shopclient.ErrStockTaken)...), a.changeProduct)
	web.Register(h, mine("takeDownProduct", "DELETE", "/products/{id}", "Take a product of mine down", "Orders that were placed go on.",
		shopclient.ErrNoProduct, shopclient.ErrNotSeller), a.takeDown)
	web.Register(h, mine("listOwnProducts", "GET", "/me/products", "What I sell", "Newest first, with what I took down."), a.ownProducts)
	web.Register(h, upload("addPicture", "/pictures", "Upload a picture",
		"PNG, JPEG, GIF or WebP. It is decoded under limits and stored anew, without metadata; the answer's name is the image of a product.",
		picture.ErrTooLarge, picture.ErrFormat, picture.ErrAnimated, shopclient.ErrUploads), a.addPicture)

	web.Register(h, mine("getCart", "GET", "/cart", "My cart", "With today's prices. Nothing in it is reserved."), a.cart)
	web.Register(h, mine("addCartItem", "POST", "/cart/items", "Add to my cart", "Pieces of a product, to those that are there.", cart()...), a.addCartItem)
	web.Register(h, mine("setCartItem", "PUT", "/cart/items/{id}", "Set the quantity of a product in my cart", "", cart()...), a.setCartItem)
	web.Register(h, mine("removeCartItem", "DELETE", "/cart/items/{id}", "Take a product out of my cart", "One that isn't there is no error."), a.removeCartItem)

	web.Register(h, made(mine("placeOrder", "POST", "/orders", "Buy products, or everything in my cart",
		"All or nothing: the pieces are held, and paid from my wallet at once. 402 leaves the order pending: it says what is missing, and "+
			"checkout_url is where to pay. Where pay is away the order is answered as pending, and is brought to its end by itself; one that names a wallet "+
			"is not placed then, since only pay knows whose it is.",
		append(payment(), rest.ErrUnreachable, rest.ErrNoReply, shopclient.ErrOpenOrders, shopclient.ErrOpenPieces, shopclient.ErrSoldOut, shopclient.ErrUnavailable, shopclient.ErrPriceChanged, shopclient.ErrItems, shopclient.ErrQuantity,
			shopclient.ErrCartEmpty, shopclient.ErrCartChanged, money.ErrMalformed, money.ErrRange, money.ErrCurrency)...)), a.placeOrder)
	web.Register(h, mine("listOrders", "GET", "/orders", "What I bought, or sold", "Newest first."), a.orders)
	web.Register(h, mine("getOrder", "GET", "/orders/{id}", "One order of mine",
		"With its shipments, their refunds, and what has happened. A seller sees the own part of a paid order, an operator all of any.",
		shopclient.ErrNoOrder), a.order)
	web.Register(h, mine("payOrder", "POST", "/orders/{id}/pay", "Pay a pending order of mine",
		"From the wallet that is named, or the default one. An order that was paid at the cashier becomes paid by it too.",
		append(payment(), shopclient.ErrNoOrder, shopclient.ErrWrongState)...), a.pay)
	web.Register(h, mine("cancelOrder", "POST", "/orders/{id}/cancel", "Cancel a pending order of mine",
		"Its pieces can be bought again.", shopclient.ErrNoOrder, shopclient.ErrWrongState, rest.ErrUnreachable, rest.ErrNoReply), a.cancel)

	web.Register(h, mine("shipShipment", "POST", "/shipments/{id}/ship", "Send a shipment of mine", "For its seller. The same again changes nothing.",
		shipment(shopclient.ErrRefundOpen, shopclient.ErrCarrier, shopclient.ErrTracking)...), a.ship)
	web.Register(h, mine("receiveShipment", "POST", "/shipments/{id}/receive", "A shipment has arrived", "For its buyer: the seller gets the money.",
		shipment(shopclient.ErrRefundOpen)...), a.receive)
	web.Register(h, mine("giveBackShipment", "POST", "/shipments/{id}/give-back", "Refund a shipment that I won't send", "For its seller.",
		shipment(shopclient.ErrRefundOpen, shopclient.ErrReason)...), a.giveBack)
	web.Register(h, made(mine("askRefund", "POST", "/shipments/{id}/refunds", "Ask for money back",
		"For its buyer. While the request is open, nothing else can become of the shipment.",
		shipment(shopclient.ErrRefundOpen, shopclient.ErrRefundWindow, shopclient.ErrRefundRequests, shopclient.ErrRefundAmount, shopclient.ErrReason,
			money.ErrMalformed, money.ErrRange, money.ErrCurrency)...)), a.askRefund)
	web.Register(h, mine("grantRefund", "POST", "/refunds/{id}/grant", "Give money back", "For the seller.", refund()...), a.grant)
	web.Register(h, mine("refuseRefund", "POST", "/refunds/{id}/refuse", "Refuse to give money back", "For the seller.",
		refund(shopclient.ErrAnswer)...), a.refuse)
	web.Register(h, mine("withdrawRefund", "POST", "/refunds/{id}/withdraw", "Take a request back", "For the buyer.", refund()...), a.withdraw)
	web.Register(h, mine("appealRefund", "POST", "/refunds/{id}/appeal", "Take a refused request to the operator",
		"For the buyer: in the time in which it could be asked for, and at least as long after the refusal as a seller has to answer.",
		refund(shopclient.ErrRefundOpen, shopclient.ErrRefundWindow, shopclient.ErrRefundAmount, shopclient.ErrShipmentState, shopclient.ErrNoOperator)...), a.appeal)
	web.Register(h, mine("decideRefund", "POST", "/refunds/{id}/decide", "Decide a case", "For operators.", refund(shopclient.ErrAnswer)...), a.decide)
	web.Register(h, mine("listCases", "GET", "/cases", "Refunds that wait for the operator", "For operators. Newest first.", fault.ErrForbidden), a.cases)
	web.Register(h, mine("listFindings", "GET", "/findings", "What the shop and pay did not agree on",
		"For operators, newest first. They are compared all the time; what is clearly right is mended by itself.", fault.ErrForbidden), a.findings)
}

const (
	products  = "Products"
	carts     = "Cart"
	orders    = "Orders"
	shipments = "Shipments"
	refunds   = "Refunds"
)

// about is the document's head.
var about = web.About{
	Prefix: "/api",
	Title:  "Jishi shop",
	Description: "Products, the cart and orders. Prices are decimal strings with their currency. What one user has is not there for " +
		"another: 404.\n\nReading products needs no token; the rest needs a user's token for the audience `shop`.",
	Groups: []web.Group{
		{Name: products, Description: "What is sold. Anybody who has registered can sell."},
		{Name: carts, Description: "What a user means to buy."},
		{Name: orders, Description: "Purchases: pending until they are paid, or canceled; completed when every shipment has ended."},
		{Name: shipments, Description: "What each seller sends of a paid order: waiting, shipped, received, or refunded."},
		{Name: refunds, Description: "Money that goes back: asked for, granted or refused by the seller, and then decided by an operator if the buyer wants."},
	},
	Token: []*fault.Error{authguard.ErrToken, authguard.ErrUnavailable},
}

// open is a call that needs no token.
func open(id, path, summary, text string, refuses ...*fault.Error) web.Call {
	c := mine(id, http.MethodGet, path, summary, text, refuses...)
	c.Open = true
	return c
}

func mine(id, method, path, summary, text string, refuses ...*fault.Error) web.Call {
	c := web.Call{
		ID: id, Group: products, Method: method, Path: "/api/v1" + path, Summary: summary, Description: text, Refuses: refuses,
	}
	switch {
	case strings.HasPrefix(path, "/cart"):
		c.Group = carts
	case strings.HasPrefix(path, "/orders"):
		c.Group = orders
	case strings.HasPrefix(path, "/shipments"):
		c.Group = shipments
	case strings.HasPrefix(path, "/refunds"), path == "/cases", path == "/findings":
		c.Group = refunds
	}
	if method == http.MethodDelete {
		c.Status = http.StatusNoContent
	}
	return c
}

func made(c web.Call) web.Call {
	c.Status = http.StatusCreated
	return c
}

func upload(id, path, summary, text string, refuses ...*fault.Error) web.Call {
	c := made(mine(id, http.MethodPost, path, summary, text, refuses...))
	c.MaxBody = picture.MaxBytes + 1<<10
	c.Media = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}
	return c
}

// offer is what a product's rules refuse.
func offer() []*fault.Error {
	return []*fault.Error{
		shopclient.ErrTitle, shopclient.ErrDescription, shopclient.ErrPrice, shopclient.ErrStock, shopclient.ErrImage, money.ErrCurrency,
	}
}

func cart() []*fault.Error {
	return []*fault.Error{shopclient.ErrNoProduct, shopclient.ErrQuantity, shopclient.ErrCartFull, money.ErrMalformed, money.ErrRange, money.ErrCurrency}
}

// payment is what pay may refuse when an order is paid. The first ones leave it pending.
func payment() []*fault.Error {
	return []*fault.Error{shopclient.ErrUnpaid, payclient.ErrNotFound, payclient.ErrClosed, payclient.ErrExpired}
}

// shipment is what everything that one does with a shipment may be refused with, and more.
func shipment(more ...*fault.Error) []*fault.Error {
	return append([]*fault.Error{fault.ErrForbidden, shopclient.ErrNoShipment, shopclient.ErrShipmentState}, more...)
}

// refund is the same for a refund.
func refund(more ...*fault.Error) []*fault.Error {
	return append([]*fault.Error{fault.ErrForbidden, shopclient.ErrNoRefund, shopclient.ErrRefundState}, more...)
}

// somebody refuses nobody, before each call that isn't open.
func (a *api) somebody(r *http.Request) (context.Context, error) {
	if a.user(r.Context()).ID == "" {
		return nil, fault.ErrUnauthenticated
	}
	return r.Context(), nil
}

func pageOf(q web.PageQuery) database.Page { return database.Page{Cursor: q.Cursor, Limit: q.Limit} }

// image is the address of a picture, for programs that don't know where the shop is.
func (a *api) image(image string) string {
	if picture.Valid(image) {
		return a.base + "/pictures/" + image
	}
	return image
}

// imageName is what a product keeps of an address that image gave.
func (a *api) imageName(image string) string {
	if name, ok := strings.CutPrefix(image, a.base+"/pictures/"); ok && picture.Valid(name) {
		return name
	}
	return image
}

func etag(version int64) string { return strconv.Quote(strconv.FormatInt(version, 10)) }

// versionOf reads If-Match: 0 for any version, -1 for none that a product can have.
func versionOf(ifMatch string) int64 {
	if ifMatch == "" || ifMatch == "*" {
		return 0
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
	if err != nil || n <= 0 {
		return -1
	}
	return n
}
