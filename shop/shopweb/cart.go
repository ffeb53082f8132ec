package shopweb

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"jishi/kit/database"
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
	Changed  bool   // something is not as the reader saw it
	Stuck    bool   // something can't be bought
	Guest    bool   // the reader logs in before paying
	CanOrder bool   // something can be bought
}

type cartLineView struct {
	Product   productView
	Quantity  string
	Typed     string // the quantity in its field: another one where that was refused
	Error     string // why it was
	Seen      string // today's price as a decimal: this page shows it
	Total     string
	Buyable   bool
	Gone      bool   // it is no longer on sale
	Note      string // why it isn't buyable, or ""
	OldPrice  string // what the reader saw before, or ""
	Marked    bool   // something is not as the reader saw it
	Left      string // how many there are when that is too few, or ""
	TakeLeft  string // text of the button that takes as many
	SetURL    string
	RemoveURL string
}

// inTurn lets the forms that change the cart wait for one another, in the order in which they were
// sent: a guest's whole cart is in each request and in each answer, and each answer shows the
// whole cart as it was then.
const inTurn = "body:queue all"

func (p *pages) cartView(ctx context.Context) (cartView, error) {
	c, err := p.cartOf(ctx)
	if err != nil {
		return cartView{}, err
	}
	v := cartView{
		Total:    locale.Money(ctx, c.Total),
		Token:    web.FormToken(),
		Changed:  c.Changed(),
		Guest:    p.user(ctx).ID == "",
		CanOrder: c.Buyable(),
	}
	for _, l := range c.Lines {
		v.Stuck = v.Stuck || l.Trouble != shop.None
		v.Lines = append(v.Lines, p.cartLineView(ctx, l))
	}
	return v, nil
}

func (p *pages) cartLineView(ctx context.Context, l shop.CartLine) cartLineView {
	path := "/cart/items/" + url.PathEscape(string(l.Product.ID))
	v := cartLineView{
		Product:   p.viewOf(ctx, l.Product),
		Quantity:  strconv.FormatInt(l.Quantity, 10),
		Typed:     strconv.FormatInt(l.Quantity, 10),
		Seen:      l.Product.Amount().String(),
		Total:     locale.Money(ctx, l.Total),
		Buyable:   l.Trouble == shop.None,
		SetURL:    path,
		RemoveURL: path + "/remove",
	}
	v.Marked = l.PriceChanged() || l.Trouble != shop.None
	if l.PriceChanged() {
		v.OldPrice = locale.Money(ctx, l.Seen)
	}
	switch l.Trouble {
	case shop.None:
	case shop.Gone:
		v.Note, v.Gone = locale.T(ctx, "shop.down"), true
	case shop.SoldOut:
		v.Note = locale.T(ctx, "shop.soldout")
	case shop.Short:
		v.Note = locale.T(ctx, "shop.stock.only", "count", l.Product.Stock)
		v.Left = strconv.FormatInt(l.Product.Stock, 10)
		v.TakeLeft = locale.T(ctx, "shop.cart.take", "count", l.Product.Stock)
	}
	return v
}

func (p *pages) cart(w http.ResponseWriter, r *http.Request) error {
	return p.showCart(w, r, http.StatusOK, nil, typed{})
}

// typed is a quantity as it was typed for a product in the cart.
type typed struct {
	product  shop.ProductID
	quantity string
}

// cartAgain shows the cart as it is now, with what was refused beside the field that it was
// typed in, or above everything.
func (p *pages) cartAgain(w http.ResponseWriter, r *http.Request, refused error, in typed) error {
	status, ok := answerable(r.Context(), refused)
	if !ok {
		return refused
	}
	return web.Again(refused, p.showCart(w, r, status, refused, in))
}

// showCart shows the page, or for htmx the part that changed.
func (p *pages) showCart(w http.ResponseWriter, r *http.Request, status int, refused error, in typed) error {
	v, err := p.cartView(r.Context())
	if err != nil {
		return err
	}
	if refused != nil {
		v.refuse(r.Context(), fault.Of(refused), in)
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

// refuse puts a refusal beside its field, or above everything.
func (v *cartView) refuse(ctx context.Context, f *fault.Error, in typed) {
	text := locale.Fault(ctx, f)
	for i := range v.Lines {
		if l := &v.Lines[i]; f.Field == "quantity" && l.Product.ID == string(in.product) && !l.Gone {
			l.Typed, l.Error = in.quantity, text
			return
		}
	}
	v.Problem = text
}

// setQuantity needs no one-time token: twice is once.
func (p *pages) setQuantity(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	in := typed{shop.ProductID(r.PathValue("id")), form.Get("quantity")}
	r, err = p.setInCart(w, r, in.product, whole(in.quantity), p.glimpsed(form.Get("price")))
	if err != nil {
		return p.cartAgain(w, r, err, in)
	}
	return p.cartDone(w, r, nil)
}

func (p *pages) remove(w http.ResponseWriter, r *http.Request) error {
	r, err := p.takeFromCart(w, r, shop.ProductID(r.PathValue("id")))
	return p.cartDone(w, r, err)
}

func (p *pages) cartDone(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return p.cartAgain(w, r, err, typed{})
	}
	if web.IsFragment(r) {
		return database.Afterwards(p.showCart(w, r, http.StatusOK, nil, typed{}))
	}
	return web.SeeOther(w, r, "/cart")
}

// toCart is where a guest's checkout comes back to after the login, and a reload of a
// checkout that was refused.
func (p *pages) toCart(w http.ResponseWriter, r *http.Request) error {
	return web.SeeOther(w, r, "/cart")
}

// checkout orders what the buyer saw in the cart, at the prices that stood there. A guest
// logs in, and sees the cart once more: there may have been something in the user's.
func (p *pages) checkout(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if p.user(ctx).ID == "" {
		return web.SeeOther(w, r, "/cart/checkout")
	}
	form, token, err := web.WithToken(web.Form(r))
	if err != nil {
		return err
	}
	products, quantities, prices := form["product"], form["quantity"], form["price"]
	if len(products) == 0 || len(products) != len(quantities) || len(products) != len(prices) {
		return p.cartAgain(w, r, shopclient.ErrCartChanged, typed{})
	}
	in := shop.NewOrder{Cart: true}
	for i := range products {
		seen, err := p.seen(prices[i])
		if err != nil {
			return p.cartAgain(w, r, err, typed{})
		}
		in.Items = append(in.Items, shop.Item{Product: shop.ProductID(products[i]), Quantity: whole(quantities[i]), Seen: seen})
	}
	o, err := p.shop.PlaceOrder(ctx, p.user(ctx), in, token)
	if o.ID == "" { // and what was to be ordered is in the cart still, so a new token does
		return p.cartAgain(w, r, err, typed{})
	}
	if _, err := p.countCart(w, r); err != nil {
		return database.Afterwards(err)
	}
	return p.placed(w, r, o, err)
}
