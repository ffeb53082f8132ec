package shopapi

import (
	"context"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

type cartReply struct{ Body shopclient.Cart }

type cartChange struct {
	ID   string `path:"id" maxLength:"64"`
	Body shopclient.CartChange
}

type newCartItem struct {
	web.IdempotencyKey
	Body shopclient.NewCartItem
}

func (a *api) cart(ctx context.Context, _ *struct{}) (*cartReply, error) {
	c, err := a.shop.Cart(ctx, a.user(ctx).ID)
	if err != nil {
		return nil, err
	}
	out := &cartReply{shopclient.Cart{Items: make([]shopclient.CartItem, len(c.Lines)), Total: c.Total}}
	for i, l := range c.Lines {
		out.Body.Items[i] = shopclient.CartItem{
			Product:      a.document(l.Product),
			Quantity:     l.Quantity,
			Total:        l.Total,
			Available:    l.Trouble == shop.None,
			Trouble:      string(l.Trouble),
			PriceSeen:    l.Seen,
			PriceChanged: l.PriceChanged(),
		}
	}
	return out, nil
}

func (a *api) addCartItem(ctx context.Context, in *newCartItem) (*cartReply, error) {
	seen, err := a.seen(in.Body.Price)
	if err != nil {
		return nil, fault.Of(err).On("price")
	}
	if err := a.shop.AddToCart(ctx, a.user(ctx).ID, shop.ProductID(in.Body.Product), in.Body.Quantity, seen, in.Key); err != nil {
		return nil, err
	}
	cart, err := a.cart(ctx, nil)
	return cart, database.Afterwards(err)
}

func (a *api) setCartItem(ctx context.Context, in *cartChange) (*cartReply, error) {
	seen, err := a.seen(in.Body.Price)
	if err != nil {
		return nil, fault.Of(err).On("price")
	}
	if err := a.shop.SetCartQuantity(ctx, a.user(ctx).ID, shop.ProductID(in.ID), in.Body.Quantity, seen); err != nil {
		return nil, err
	}
	cart, err := a.cart(ctx, nil)
	return cart, database.Afterwards(err)
}

func (a *api) removeCartItem(ctx context.Context, in *productID) (*struct{}, error) {
	return nil, a.shop.RemoveFromCart(ctx, a.user(ctx).ID, shop.ProductID(in.ID))
}
