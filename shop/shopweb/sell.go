package shopweb

import (
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

// sellView is the form of a product, new or not, with what was written in it.
type sellView struct {
	Heading     string
	Action      string
	Submit      string
	Token       string
	Version     string // of the product that is changed; "" for a new one
	StockSeen   string
	Title       string
	Description string
	Address     string // of a picture elsewhere
	Stored      string // name of a picture that is uploaded already
	Preview     ui.Image
	Price       string
	Sign        string // of the currency
	Stock       string
	TakeDownURL string
	Wrong       texts
}

// sellFields are those that have a place for their error.
var sellFields = []string{"title", "description", "image", "price", "stock"}

// read takes what was written.
func (v *sellView) read(form url.Values) {
	v.Token, v.Version, v.StockSeen = form.Get(web.TokenField), form.Get("version"), form.Get("stock_seen")
	v.Title, v.Description = form.Get("title"), form.Get("description")
	v.Price, v.Stock = form.Get("price"), form.Get("stock")
	v.Address, v.Stored = form.Get("image"), form.Get("stored")
}

// image is what the product is to show: an upload comes before an address, and an
// address before what was there.
func (v *sellView) image() string {
	if v.Address != "" {
		return v.Address
	}
	return v.Stored
}

// upload stores the file that came with the form, if one did.
func (p *pages) upload(r *http.Request, v *sellView) error {
	if r.MultipartForm == nil || len(r.MultipartForm.File["image"]) == 0 || r.MultipartForm.File["image"][0].Size == 0 {
		return nil
	}
	var f multipart.File
	f, err := r.MultipartForm.File["image"][0].Open()
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	name, err := p.shop.AddPicture(r.Context(), p.user(r.Context()).ID, f)
	if err != nil {
		return err
	}
	v.Stored, v.Address = name, "" // kept in the form if something else in it is wrong
	return nil
}

func (p *pages) newSell(r *http.Request) sellView {
	ctx := r.Context()
	return sellView{
		Heading: locale.T(ctx, "shop.sell"),
		Action:  "/sell",
		Submit:  locale.T(ctx, "shop.sell.submit"),
		Token:   web.FormToken(),
		Sign:    locale.Sign(ctx, p.shop.Currency()),
	}
}

func (p *pages) sellForm(w http.ResponseWriter, r *http.Request) error {
	return web.Render(w, r, http.StatusOK, sellPage(p.newSell(r)))
}

func (p *pages) sell(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, token, err := web.WithToken(web.FileForm(r))
	if err != nil {
		return err
	}
	v := p.newSell(r)
	v.read(form)
	in := shop.NewProduct{Title: v.Title, Description: v.Description, Price: v.Price, Stock: whole(v.Stock)}
	uploaded := p.upload(r, &v)
	in.Image = v.image()
	var x shop.Product
	if uploaded == nil {
		x, err = p.shop.AddProduct(ctx, p.user(ctx), in, token)
	}
	if err := errors.Join(uploaded, err); err != nil {
		return p.sellAgain(w, r, v, err)
	}
	web.SetFlash(w, r, "shop.sell.done", "title", x.Title)
	return web.SeeOther(w, r, "/products/"+url.PathEscape(string(x.ID)))
}

// sellAgain shows the form with what is wrong in it.
func (p *pages) sellAgain(w http.ResponseWriter, r *http.Request, v sellView, err error) error {
	status, ok := answerable(r.Context(), err)
	if !ok {
		return err
	}
	v.Token = web.TokenAgain(v.Token, err)
	v.Wrong = textsOf(r.Context(), err, sellFields...)
	v.Preview = imageOf(v.image(), picture.Small, lineSizes)
	return web.Render(w, r, status, sellPage(v))
}

// changing is the form of one of the user's own products.
func (p *pages) changing(r *http.Request) (sellView, error) {
	ctx := r.Context()
	x, err := p.shop.OwnProduct(ctx, p.user(ctx).ID, shop.ProductID(r.PathValue("id")))
	if err != nil {
		return sellView{}, err
	}
	path := "/products/" + url.PathEscape(string(x.ID))
	v := sellView{
		Heading:     locale.T(ctx, "shop.edit"),
		Action:      path + "/edit",
		Submit:      locale.T(ctx, "shop.edit.submit"),
		Token:       web.FormToken(),
		Version:     strconv.FormatInt(x.Version, 10),
		StockSeen:   strconv.FormatInt(x.Stock, 10),
		Title:       x.Title,
		Description: x.Description,
		Preview:     imageOf(x.Image, picture.Small, lineSizes),
		Price:       x.Amount().String(),
		Sign:        locale.Sign(ctx, p.shop.Currency()),
		Stock:       strconv.FormatInt(x.Stock, 10),
		TakeDownURL: path + "/takedown",
	}
	if picture.Valid(x.Image) {
		v.Stored = x.Image
	} else {
		v.Address = x.Image
	}
	return v, nil
}

func (p *pages) editForm(w http.ResponseWriter, r *http.Request) error {
	v, err := p.changing(r)
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, sellPage(v))
}

func (p *pages) edit(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, token, err := web.WithToken(web.FileForm(r))
	if err != nil {
		return err
	}
	v, err := p.changing(r)
	if err != nil {
		return err
	}
	v.read(form)
	uploaded := p.upload(r, &v)
	image, stock, seen := v.image(), whole(v.Stock), whole(v.StockSeen)
	in := shop.ProductChange{
		Version:     whole(v.Version),
		Title:       &v.Title,
		Description: &v.Description,
		Image:       &image,
		Price:       &v.Price,
		Stock:       &stock,
		StockSeen:   &seen,
	}
	var x shop.Product
	if uploaded == nil {
		x, err = p.shop.ChangeProduct(ctx, p.user(ctx).ID, shop.ProductID(r.PathValue("id")), in, token)
	}
	switch {
	case errors.Is(err, database.ErrMismatch): // the form was sent before, and written in since
		err = shopclient.ErrStale
	case errors.Is(err, shopclient.ErrStockTaken):
		v.StockSeen = fmt.Sprint(fault.Of(err).Extra["available"]) // as the text beside the field says
	}
	if err := errors.Join(uploaded, err); err != nil {
		return p.sellAgain(w, r, v, err)
	}
	web.SetFlash(w, r, "shop.edit.done")
	return web.SeeOther(w, r, "/products/"+url.PathEscape(string(x.ID)))
}

func (p *pages) takeDown(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := p.shop.TakeDown(ctx, p.user(ctx).ID, shop.ProductID(r.PathValue("id"))); err != nil {
		return err
	}
	web.SetFlash(w, r, "shop.takedown.done")
	return web.SeeOther(w, r, "/home")
}
