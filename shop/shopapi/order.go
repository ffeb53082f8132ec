package shopapi

import (
	"context"
	"log/slog"

	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/ops"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

type orderID struct {
	ID string `path:"id" maxLength:"64"`
}

type orderQuery struct {
	web.PageQuery
	Role     string `query:"role" enum:"buyer,seller" default:"buyer" doc:"seller lists the paid orders with products of mine"`
	Shipment string `query:"shipment" enum:"waiting,shipped,received,refunded" doc:"for a seller: only those of which my shipment is in that state; waiting is what I have to send"`
}

type newOrder struct {
	web.IdempotencyKey
	Body shopclient.NewOrder
}

type payOrder struct {
	ID   string `path:"id" maxLength:"64"`
	Body *struct {
		Wallet string `json:"wallet,omitempty" maxLength:"64" doc:"pay from this wallet rather than the default one"`
	}
}

type orderReply struct{ Body shopclient.Order }

type ordersReply struct{ Body shopclient.Orders }

func (a *api) orderDocument(o shop.Order) shopclient.Order {
	d := shopclient.Order{
		ID:        string(o.ID),
		State:     string(o.State),
		Buyer:     shopclient.Buyer{ID: string(o.Buyer), Name: o.BuyerName},
		Items:     make([]shopclient.OrderItem, len(o.Lines)),
		Total:     o.Amount(),
		CreatedAt: o.CreatedAt.UTC(),
		PayBefore: o.DeadlineAt.UTC(),
	}
	if !o.PaidAt.IsZero() {
		at := o.PaidAt.UTC()
		d.PaidAt = &at
	}
	for i, l := range o.Lines {
		d.Items[i] = shopclient.OrderItem{
			Product:  string(l.ProductID),
			Title:    l.Title,
			Image:    a.image(l.Image),
			Seller:   shopclient.Seller{ID: string(l.Seller), Name: l.SellerName},
			Price:    money.Amount{Minor: l.Price, Currency: o.Currency},
			Quantity: l.Quantity,
			Total:    money.Amount{Minor: l.Price * l.Quantity, Currency: o.Currency},
		}
	}
	return d
}

// standing answers for an order that stands. Where pay is away the order is pending, and a
// job brings it to its end: that is no failure of the call. Where pay refuses, the
// refusal is the answer, with the order's id.
func (a *api) standing(ctx context.Context, o shop.Order, err error) (*orderReply, error) {
	if o.ID == "" {
		return nil, err
	}
	ops.Note(ctx, slog.String("order", string(o.ID)))
	if err != nil {
		switch f := fault.Of(err); f.Kind {
		case fault.Busy, fault.Unknown, fault.Internal, fault.Limited:
			ops.Failed(ctx, err)
		default:
			return nil, f.With("order", string(o.ID))
		}
	}
	return &orderReply{a.orderDocument(o)}, nil
}

func (a *api) placeOrder(ctx context.Context, in *newOrder) (*orderReply, error) {
	n := shop.NewOrder{Cart: in.Body.Cart, Wallet: in.Body.Wallet}
	for _, i := range in.Body.Items {
		seen, err := a.seen(i.Price)
		if err != nil {
			return nil, fault.Of(err).On("items.price")
		}
		n.Items = append(n.Items, shop.Item{Product: shop.ProductID(i.Product), Quantity: i.Quantity, Seen: seen})
	}
	o, err := a.shop.PlaceOrder(ctx, a.user(ctx), n, in.Key)
	return a.standing(ctx, o, err)
}

// seen is the price that the caller says to have seen, nil for none.
func (a *api) seen(p *money.Input) (*money.Amount, error) {
	if p == nil {
		return nil, nil
	}
	seen, err := p.In(a.shop.Currency())
	return &seen, err
}

func (a *api) orders(ctx context.Context, in *orderQuery) (*ordersReply, error) {
	me := a.user(ctx)
	var all []shop.Detail
	var next string
	var err error
	if in.Role == "seller" {
		all, next, err = a.shop.Sales(ctx, me.ID, shop.ShipmentState(in.Shipment), pageOf(in.PageQuery))
	} else {
		all, next, err = a.shop.Orders(ctx, me.ID, pageOf(in.PageQuery))
	}
	if err != nil {
		return nil, err
	}
	out := &ordersReply{shopclient.Orders{Items: make([]shopclient.Order, len(all)), Next: next}}
	for i, o := range all {
		out.Body.Items[i] = a.detailDocument(o)
	}
	return out, nil
}

func (a *api) order(ctx context.Context, in *orderID) (*orderReply, error) {
	return a.detailed(a.shop.See(ctx, a.user(ctx).ID, shop.OrderID(in.ID)))
}

func (a *api) pay(ctx context.Context, in *payOrder) (*orderReply, error) {
	wallet := ""
	if in.Body != nil {
		wallet = in.Body.Wallet
	}
	o, err := a.shop.Pay(ctx, a.user(ctx).ID, shop.OrderID(in.ID), wallet)
	return a.standing(ctx, o, err)
}

func (a *api) cancel(ctx context.Context, in *orderID) (*orderReply, error) {
	o, err := a.shop.Cancel(ctx, a.user(ctx).ID, shop.OrderID(in.ID))
	if err != nil {
		return nil, err
	}
	return &orderReply{a.orderDocument(o)}, nil
}
