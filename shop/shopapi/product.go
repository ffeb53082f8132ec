package shopapi

import (
	"bytes"
	"context"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

type productID struct {
	ID string `path:"id" maxLength:"64"`
}

type productQuery struct {
	web.PageQuery
	Q      string `query:"q" maxLength:"100" doc:"words in the title or the description"`
	Seller string `query:"seller" maxLength:"64" doc:"a user's id"`
}

type productsReply struct{ Body shopclient.Products }

type productReply struct {
	ETag string `header:"ETag"`
	Body shopclient.Product
}

type newProduct struct {
	web.IdempotencyKey
	Body shopclient.NewProduct
}

type productChange struct {
	ID      string `path:"id" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"the ETag of the product as it was read; a newer one is 412"`
	web.IdempotencyKey
	Body shopclient.ProductChange
}

type newPicture struct {
	RawBody []byte
}

type pictureReply struct{ Body shopclient.Picture }

func (a *api) document(p shop.Product) shopclient.Product {
	return shopclient.Product{
		ID:          string(p.ID),
		Title:       p.Title,
		Description: p.Description,
		Image:       a.image(p.Image),
		Price:       p.Amount(),
		Stock:       p.Stock,
		Seller:      shopclient.Seller{ID: string(p.Seller), Name: p.SellerName},
		Version:     p.Version,
		Listed:      p.State == shop.Listed,
		CreatedAt:   p.CreatedAt.UTC(),
	}
}

func (a *api) productReply(p shop.Product) *productReply {
	return &productReply{ETag: etag(p.Version), Body: a.document(p)}
}

func (a *api) products(ctx context.Context, in *productQuery) (*productsReply, error) {
	return a.list(ctx, shop.ProductQuery{Search: in.Q, Seller: authclient.UserID(in.Seller)}, in.PageQuery)
}

func (a *api) list(ctx context.Context, q shop.ProductQuery, page web.PageQuery) (*productsReply, error) {
	all, next, err := a.shop.Products(ctx, q, pageOf(page))
	if err != nil {
		return nil, err
	}
	out := &productsReply{shopclient.Products{Items: make([]shopclient.Product, len(all)), Next: next}}
	for i, p := range all {
		out.Body.Items[i] = a.document(p)
	}
	return out, nil
}

func (a *api) ownProducts(ctx context.Context, in *web.PageQuery) (*productsReply, error) {
	return a.list(ctx, shop.ProductQuery{Seller: a.user(ctx).ID, TakenDown: true}, *in)
}

func (a *api) product(ctx context.Context, in *productID) (*productReply, error) {
	p, err := a.shop.Product(ctx, shop.ProductID(in.ID))
	if err != nil {
		return nil, err
	}
	return a.productReply(p), nil
}

func (a *api) addProduct(ctx context.Context, in *newProduct) (*productReply, error) {
	price, err := a.decimal(in.Body.Price)
	if err != nil {
		return nil, err
	}
	p, err := a.shop.AddProduct(ctx, a.user(ctx), shop.NewProduct{
		Title:       in.Body.Title,
		Description: in.Body.Description,
		Image:       a.imageName(in.Body.Image),
		Price:       price,
		Stock:       in.Body.Stock,
	}, in.Key)
	if err != nil {
		return nil, err
	}
	return a.productReply(p), nil
}

func (a *api) changeProduct(ctx context.Context, in *productChange) (*productReply, error) {
	c := shop.ProductChange{
		Version:     versionOf(in.IfMatch),
		Title:       in.Body.Title,
		Description: in.Body.Description,
		Stock:       in.Body.Stock,
		StockSeen:   in.Body.StockSeen,
	}
	if in.Body.Image != nil {
		name := a.imageName(*in.Body.Image)
		c.Image = &name
	}
	if in.Body.Price != nil {
		price, err := a.decimal(*in.Body.Price)
		if err != nil {
			return nil, err
		}
		c.Price = &price
	}
	p, err := a.shop.ChangeProduct(ctx, a.user(ctx).ID, shop.ProductID(in.ID), c, in.Key)
	if err != nil {
		return nil, err
	}
	return a.productReply(p), nil
}

func (a *api) takeDown(ctx context.Context, in *productID) (*struct{}, error) {
	return nil, a.shop.TakeDown(ctx, a.user(ctx).ID, shop.ProductID(in.ID))
}

func (a *api) addPicture(ctx context.Context, in *newPicture) (*pictureReply, error) {
	if len(in.RawBody) > picture.MaxBytes {
		return nil, picture.ErrTooLarge
	}
	name, err := a.shop.AddPicture(ctx, a.user(ctx).ID, bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, err
	}
	return &pictureReply{shopclient.Picture{Name: name, URL: a.image(name)}}, nil
}

// decimal is a price in the market's currency.
func (a *api) decimal(p money.Input) (string, error) {
	if p.Currency != "" && p.Currency != a.shop.Currency() {
		return "", money.ErrCurrency.On("price")
	}
	return p.Amount, nil
}
