package shopweb

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/money"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

// eager is how many products of a list are seen at once on most screens.
const eager = 4

// productView is a product as pages show it.
type productView struct {
	ID          string
	URL         string
	Title       string
	Description string
	Image       ui.Image // as large as the page allows
	Card        ui.Image // in a grid of products
	Thumbnail   ui.Image // in a line of a list
	Price       string   // "¥12.00"
	Stock       string   // "3 left"
	SoldOut     bool
	Down        bool
	Seller      string
	SellerURL   string
	EditURL     string // for its seller only
	Buy         formView
	Add         formView
}

// formView is a small form of a product.
type formView struct {
	Action   string
	ID       string // of the form; its field's is made from it
	Token    string
	Seen     string // the price as a decimal
	Return   string // the page that it stands on
	Quantity string
	Labelled bool // there is room to show the field's label
	Done     string
	Error    string
}

func (p *pages) viewOf(ctx context.Context, x shop.Product) productView {
	site := ui.SiteOf(ctx)
	v := productView{
		ID:          string(x.ID),
		URL:         site.Product(string(x.ID)),
		Title:       x.Title,
		Description: x.Description,
		Image:       imageOf(x.Image, picture.Large, pageSizes),
		Card:        imageOf(x.Image, picture.Small, cardSizes),
		Thumbnail:   imageOf(x.Image, picture.Small, lineSizes),
		Price:       locale.Money(ctx, x.Amount()),
		Stock:       locale.T(ctx, "shop.stock", "count", x.Stock),
		SoldOut:     x.Stock <= 0,
		Down:        x.State != shop.Listed,
		Seller:      x.SellerName,
		SellerURL:   site.Products() + "?seller=" + url.QueryEscape(string(x.Seller)),
		Buy:         buyForm(ctx, x),
		Add:         addForm(ctx, x),
	}
	if x.Seller == p.user(ctx).ID && !v.Down {
		v.EditURL = v.URL + "/edit"
	}
	return v
}

func buyForm(ctx context.Context, x shop.Product) formView {
	f := addForm(ctx, x)
	f.Action, f.ID = "/products/"+url.PathEscape(string(x.ID))+"/buy", "buy-"+string(x.ID)
	return f
}

func addForm(ctx context.Context, x shop.Product) formView {
	return formView{
		Action:   "/products/" + url.PathEscape(string(x.ID)) + "/cart",
		ID:       "add-" + string(x.ID),
		Token:    web.FormToken(),
		Seen:     x.Amount().String(),
		Quantity: "1",
	}.on(ui.From(ctx).Path)
}

// on is the form on that page.
func (f formView) on(path string) formView {
	f.Return, f.Labelled = path, strings.HasPrefix(path, "/products/")
	return f
}

// again is the form as it was sent, after a refusal.
func (f *formView) again(sent url.Values, err error) {
	f.Quantity, f.Token = sent.Get("quantity"), web.TokenAgain(sent.Get(web.TokenField), err)
}

// listView is a page of products.
type listView struct {
	Heading  string
	Intro    string
	Welcome  bool // the reader may be new here
	Products []productView
	Next     string // address of the next page
	Empty    emptyView
}

// emptyView is what stands where a list has nothing.
type emptyView struct{ Title, Text, URL, Action string }

func (p *pages) products(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	query := shop.ProductQuery{Search: q.Get("q"), Seller: authclient.UserID(q.Get("seller"))}
	all, next, err := p.shop.Products(ctx, query, database.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return err
	}
	v := listView{
		Heading: locale.T(ctx, "shop.products"),
		Intro:   locale.T(ctx, "shop.products.intro"),
		Welcome: r.URL.RawQuery == "" && p.user(ctx).ID == "",
		Empty: emptyView{
			Title: locale.T(ctx, "shop.products.empty"), Text: locale.T(ctx, "shop.products.empty.text"),
			URL: ui.SiteOf(ctx).Sell(), Action: locale.T(ctx, "shop.sell"),
		},
	}
	switch {
	case query.Search != "":
		v.Heading, v.Intro = locale.T(ctx, "shop.products.found", "q", query.Search), ""
		v.Empty = emptyView{
			Title: locale.T(ctx, "shop.products.none"), Text: locale.T(ctx, "shop.products.none.text"),
			URL: ui.SiteOf(ctx).Products(), Action: locale.T(ctx, "shop.products"),
		}
	case query.Seller != "" && len(all) > 0:
		v.Heading, v.Intro = locale.T(ctx, "shop.products.of", "name", all[0].SellerName), ""
	}
	for _, x := range all {
		v.Products = append(v.Products, p.viewOf(ctx, x))
	}
	if next != "" {
		q.Set("cursor", next)
		v.Next = "/?" + q.Encode()
	}
	return web.Render(w, r, http.StatusOK, productsPage(v))
}

func (p *pages) product(w http.ResponseWriter, r *http.Request) error {
	x, err := p.shop.Product(r.Context(), shop.ProductID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, productPage(p.viewOf(r.Context(), x), ""))
}

// buy orders a quantity of one product. What the buyer has to decide anew (the price
// changed, too few are left) is asked on the product's page.
func (p *pages) buy(w http.ResponseWriter, r *http.Request) error {
	ctx, pid := r.Context(), shop.ProductID(r.PathValue("id"))
	form, token, err := web.WithToken(web.Form(r))
	if err != nil {
		return err
	}
	var o shop.Order
	seen, err := p.seen(form.Get("price"))
	if err == nil {
		in := shop.NewOrder{Items: []shop.Item{{Product: pid, Quantity: whole(form.Get("quantity")), Seen: seen}}}
		o, err = p.shop.PlaceOrder(ctx, p.user(ctx), in, token)
	}
	if status, ok := answerable(ctx, err); ok && o.ID == "" {
		return web.Again(err, p.productAgain(w, r, status, pid, form, err, func(v *productView) *formView { return &v.Buy }))
	}
	return p.placed(w, r, o, err)
}

// productAgain shows the product's page with that one of its forms which was refused.
func (p *pages) productAgain(w http.ResponseWriter, r *http.Request, status int, pid shop.ProductID, sent url.Values, refused error, form func(*productView) *formView) error {
	ctx := r.Context()
	x, err := p.shop.Product(ctx, pid)
	if err != nil {
		return err
	}
	v := p.viewOf(ctx, x)
	problem := v.refuse(ctx, form(&v), sent, refused)
	return web.Render(w, r, status, productPage(v, problem))
}

// refuse puts a refusal beside the quantity of one of the product's forms, or gives what
// stands above everything.
func (v *productView) refuse(ctx context.Context, form *formView, in url.Values, err error) string {
	f := fault.Of(err)
	text := locale.Fault(ctx, f)
	form.again(in, err)
	if f.Field == "quantity" && !v.SoldOut && !v.Down { // there is a form for it to stand in
		form.Error = text
		return ""
	}
	return text
}

// seen is the price that a form was shown with.
func (p *pages) seen(decimal string) (*money.Amount, error) {
	a, err := money.Parse(decimal, p.shop.Currency())
	if err != nil {
		return nil, shopclient.ErrPriceChanged.Because(err)
	}
	return &a, nil
}

// addToCart answers htmx with the form anew, since its token is spent.
func (p *pages) addToCart(w http.ResponseWriter, r *http.Request) error {
	ctx, pid := r.Context(), shop.ProductID(r.PathValue("id"))
	form, token, err := web.WithToken(web.Form(r))
	if err != nil {
		return err
	}
	n := whole(form.Get("quantity"))
	back := web.LocalPath(form.Get("return"), "/products/"+url.PathEscape(string(pid)))
	r, refused := p.putInCart(w, r, pid, n, p.glimpsed(form.Get("price")), token)
	if refused != nil {
		return web.Again(refused, p.notAdded(w, r, pid, form, back, refused))
	}
	count, err := p.countCart(w, r)
	if err != nil {
		return database.Afterwards(err)
	}
	if !web.IsFragment(r) {
		web.SetFlash(w, r, "shop.cart.added", "count", n)
		return web.SeeOther(w, r, back)
	}
	x, err := p.shop.Product(ctx, pid)
	if err != nil {
		return database.Afterwards(err)
	}
	f := addForm(ctx, x).on(back)
	f.Done = locale.T(ctx, "shop.cart.added", "count", n)
	return web.Render(w, r, http.StatusOK, addedToCart(f, count))
}

// notAdded shows the form once more, on the product's page or where it stood.
func (p *pages) notAdded(w http.ResponseWriter, r *http.Request, pid shop.ProductID, form url.Values, back string, refused error) error {
	ctx := r.Context()
	status, ok := answerable(ctx, refused)
	if !ok {
		return refused
	}
	count, err := p.countCart(w, r)
	if err != nil {
		return err
	}
	if !web.IsFragment(r) {
		return p.productAgain(w, r, status, pid, form, refused, func(v *productView) *formView { return &v.Add })
	}
	x, err := p.shop.Product(ctx, pid)
	if err != nil {
		return err
	}
	f := addForm(ctx, x).on(back)
	f.again(form, refused)
	f.Error = locale.Fault(ctx, fault.Of(refused))
	return web.Render(w, r, status, addedToCart(f, count))
}
