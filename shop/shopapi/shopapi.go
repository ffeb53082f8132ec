// Package shopapi is the shop for programs: the REST API under /api/v1. It decodes, calls
// one rule of shop, and encodes; what may happen is decided there.
package shopapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

// Config is what the API stands on.
type Config struct {
	Shop    *shop.Service
	User    func(context.Context) shop.Person // whose token came along; no ID is nobody
	BaseURL string                            // of the shop, without a trailing slash: pictures are named with it
}

type api struct {
	shop *shop.Service
	user func(context.Context) shop.Person
	base string
}

// Routes adds the API to mux. This list is the table of contents. Who may not be nobody
// is checked here, since reading products needs no token.
func Routes(mux *http.ServeMux, c Config) {
	a := &api{shop: c.Shop, user: c.User, base: c.BaseURL}
	h := web.NewAPI(mux, "/api", "Jishi shop")
	describe(h)

	web.Register(h, open("GET", "/products", "Products, newest first"), a.products)
	web.Register(h, open("GET", "/products/{id}", "One product"), a.product)
	web.Register(h, created("/products", "Offer a product for sale"), a.addProduct)
	web.Register(h, mine("PATCH", "/products/{id}", "Change a product of mine"), a.changeProduct)
	web.Register(h, mine("DELETE", "/products/{id}", "Take a product of mine down"), a.takeDown)
	web.Register(h, upload("/pictures", "Upload a picture"), a.addPicture)

	web.Register(h, mine("GET", "/cart", "My cart"), a.cart)
	web.Register(h, mine("PUT", "/cart/items/{id}", "Set the quantity of a product in my cart"), a.setCartItem)
	web.Register(h, mine("DELETE", "/cart/items/{id}", "Take a product out of my cart"), a.removeCartItem)

	web.Register(h, created("/orders", "Buy products, or everything in my cart"), a.placeOrder)
	web.Register(h, mine("GET", "/orders", "What I bought, or sold"), a.orders)
	web.Register(h, mine("GET", "/orders/{id}", "One order of mine"), a.order)
	web.Register(h, mine("POST", "/orders/{id}/pay", "Pay a pending order of mine"), a.pay)
	web.Register(h, mine("POST", "/orders/{id}/cancel", "Cancel a pending order of mine"), a.cancel)
}

func open(method, path, summary string) huma.Operation {
	return huma.Operation{Method: method, Path: "/api/v1" + path, Summary: summary}
}

func mine(method, path, summary string) huma.Operation {
	op := open(method, path, summary)
	op.Security = []map[string][]string{{"bearer": {}}}
	if method == http.MethodDelete {
		op.DefaultStatus = http.StatusNoContent
	}
	return op
}

func created(path, summary string) huma.Operation {
	op := mine(http.MethodPost, path, summary)
	op.DefaultStatus = http.StatusCreated
	return op
}

func upload(path, summary string) huma.Operation {
	op := created(path, summary)
	op.MaxBodyBytes = picture.MaxBytes + 1<<10
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, media := range []string{"image/png", "image/jpeg", "image/gif", "image/webp"} {
		op.RequestBody.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	return op
}

// describe tells the document what a price looks like on the wire.
func describe(h huma.API) {
	h.OpenAPI().Components.Schemas.RegisterTypeAlias(reflect.TypeFor[shopclient.Price](), reflect.TypeFor[price]())
}

// price is the schema of shopclient.Price.
type price struct{}

// Schema says that a price comes in two forms.
func (price) Schema(huma.Registry) *huma.Schema {
	decimal := &huma.Schema{Type: huma.TypeString, Examples: []any{"12.00"}}
	return &huma.Schema{
		Description: "a decimal in the market's currency, or an amount with its currency as in answers",
		OneOf: []*huma.Schema{decimal, {
			Type:       huma.TypeObject,
			Properties: map[string]*huma.Schema{"amount": decimal, "currency": {Type: huma.TypeString, Examples: []any{"CNY"}}},
			Required:   []string{"amount", "currency"},
		}},
	}
}

// me is the user of the token.
func (a *api) me(ctx context.Context) (shop.Person, error) {
	p := a.user(ctx)
	if p.ID == "" {
		return shop.Person{}, fault.ErrUnauthenticated
	}
	return p, nil
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
