package shopweb

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

// cartView is the cart as its page shows it.
type cartView struct {
	Lines    []cartLineView
	Total    string
	Token    string
	Problem  string // why the last attempt failed
	CanOrder bool   // every line is available
}

type cartLineView struct {
	Product   productView
	Quantity  string
	Seen      string // the price as a decimal
	Total     string
	Note      string // why it isn't available, or ""
	SetURL    string
	RemoveURL string
}

func (p *pages) cartView(ctx context.Context) (cartView, error) {
	c, err := p.shop.Cart(ctx, p.user(ctx).ID)
	if err != nil {
		return cartView{}, err
	}
	v := cartView{Total: locale.Money(ctx, c.Total), Token: web.FormToken(), CanOrder: len(c.Lines) > 0}
	for _, l := range c.Lines {
		path := "/cart/items/" + url.PathEscape(string(l.Product.ID))
		line := cartLineView{
			Product:   p.viewOf(ctx, l.Product),
			Quantity:  strconv.FormatInt(l.Quantity, 10),
			Seen:      l.Product.Amount().String(),
			Total:     locale.Money(ctx, l.Total),
			SetURL:    path,
			RemoveURL: path + "/remove",
		}
		if !l.Available {
			v.CanOrder = false
			line.Note = unavailable(ctx, l)
		}
		v.Lines = append(v.Lines, line)
	}
	return v, nil
}

func unavailable(ctx context.Context, l shop.CartLine) string {
	switch {
	case l.Product.State != shop.Listed:
		return locale.T(ctx, "shop.down")
	case l.Product.Stock <= 0:
		return locale.T(ctx, "shop.soldout")
	}
	return locale.T(ctx, "shop.stock.only", "count", l.Product.Stock)
}

func (p *pages) cart(w http.ResponseWriter, r *http.Request) error {
	return p.showCart(w, r, nil)
}

// showCart shows the cart as it is now: the page, or for htmx the part that changed,
// with what was refused above it.
func (p *pages) showCart(w http.ResponseWriter, r *http.Request, refused error) error {
	status := http.StatusOK
	if refused != nil {
		var ok bool
		if status, ok = answerable(refused); !ok {
			return refused
		}
	}
	v, err := p.cartView(r.Context())
	if err != nil {
		return err
	}
	if refused != nil {
		v.Problem = locale.Fault(r.Context(), fault.Of(refused))
	}
	count, err := p.countCart(w, r)
	if err != nil {
		return err
	}
	if web.IsFragment(r) {
		return web.Render(w, r, status, cartChanged(v, count))
	}
	return web.Render(w, r, status, cartPage(v))
}

// setQuantity needs no one-time token: twice is once.
func (p *pages) setQuantity(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	return p.cartDone(w, r, p.shop.SetCartQuantity(ctx, p.user(ctx).ID, shop.ProductID(r.PathValue("id")), whole(form.Get("quantity"))))
}

func (p *pages) remove(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	return p.cartDone(w, r, p.shop.RemoveFromCart(ctx, p.user(ctx).ID, shop.ProductID(r.PathValue("id"))))
}

func (p *pages) cartDone(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil || web.IsFragment(r) {
		return p.showCart(w, r, err)
	}
	return web.SeeOther(w, r, "/cart")
}

// checkout orders what the buyer saw in the cart, at the prices that stood there.
func (p *pages) checkout(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	token, err := web.TokenOf(form)
	if err != nil {
		return err
	}
	products, quantities, prices := form["product"], form["quantity"], form["price"]
	if len(products) == 0 || len(products) != len(quantities) || len(products) != len(prices) {
		return p.showCart(w, r, shopclient.ErrCartChanged)
	}
	in := shop.NewOrder{Cart: true}
	for i := range products {
		seen, err := p.seen(prices[i])
		if err != nil {
			return p.showCart(w, r, err)
		}
		in.Items = append(in.Items, shop.Item{Product: shop.ProductID(products[i]), Quantity: whole(quantities[i]), Seen: seen})
	}
	o, err := p.shop.PlaceOrder(ctx, p.user(ctx), in, token)
	if o.ID == "" {
		return p.showCart(w, r, err)
	}
	if _, err := p.countCart(w, r); err != nil {
		return err
	}
	return p.placed(w, r, o, err)
}
