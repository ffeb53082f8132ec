package shopapi

import (
	"context"
	"time"

	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

type partID struct {
	ID string `path:"id" maxLength:"64"`
}

type shipping struct {
	ID   string `path:"id" maxLength:"64"`
	Body shopclient.Shipping
}

type newRefund struct {
	ID string `path:"id" maxLength:"64"`
	web.IdempotencyKey
	Body shopclient.NewRefund
}

type giveBack struct {
	ID   string `path:"id" maxLength:"64"`
	Body shopclient.Reason
}

type refusal struct {
	ID   string `path:"id" maxLength:"64"`
	Body shopclient.Refusal
}

type decision struct {
	ID   string `path:"id" maxLength:"64"`
	Body shopclient.Decision
}

type refundReply struct{ Body shopclient.Refund }

type refundsReply struct{ Body shopclient.Refunds }

type caseQuery struct{ web.PageQuery }

// detailDocument is an order with what has become of it.
func (a *api) detailDocument(d shop.Detail) shopclient.Order {
	doc := a.orderDocument(d.Order)
	doc.Actions = d.Actions
	for _, sh := range d.Shipments {
		doc.Shipments = append(doc.Shipments, shipmentDocument(sh))
	}
	for _, e := range d.History {
		doc.History = append(doc.History, shopclient.Event{At: e.At.UTC(), What: e.What, By: e.By, Shipment: string(e.Shipment), Refund: string(e.Refund)})
	}
	return doc
}

func shipmentDocument(sh shop.ShipmentDetail) shopclient.Shipment {
	doc := shopclient.Shipment{
		ID:         string(sh.ID),
		State:      string(sh.State),
		Seller:     shopclient.Seller{ID: string(sh.Seller), Name: sh.SellerName},
		Amount:     money.Amount{Minor: sh.Amount, Currency: sh.Currency},
		Refunded:   money.Amount{Minor: sh.Refunded, Currency: sh.Currency},
		Carrier:    sh.Carrier,
		Tracking:   sh.Tracking,
		ShippedAt:  moment(sh.ShippedAt.Time),
		ConfirmAt:  moment(sh.ConfirmAt.Time),
		ReceivedAt: moment(sh.ReceivedAt.Time),
		ReleasedAt: moment(sh.ReleasedAt.Time),
		Actions:    sh.Actions,
	}
	for _, r := range sh.Refunds {
		doc.Refunds = append(doc.Refunds, refundDocument(r))
	}
	return doc
}

func refundDocument(r shop.RefundDetail) shopclient.Refund {
	return shopclient.Refund{
		ID:           string(r.ID),
		Order:        string(r.OrderID),
		Shipment:     string(r.ShipmentID),
		State:        string(r.State),
		Amount:       r.Money(),
		Reason:       r.Reason,
		Answer:       r.Answer,
		Decision:     r.Decision,
		AnswerBefore: moment(r.AnswerBefore),
		PaidAt:       moment(r.PaidAt.Time),
		CreatedAt:    r.CreatedAt.UTC(),
		Actions:      r.Actions,
	}
}

// moment is nil for a time that there is not.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// detailed answers with an order.
func (a *api) detailed(d shop.Detail, err error) (*orderReply, error) {
	if err != nil {
		return nil, err
	}
	return &orderReply{a.detailDocument(d)}, nil
}

func (a *api) ship(ctx context.Context, in *shipping) (*orderReply, error) {
	return a.detailed(a.shop.Ship(ctx, a.user(ctx).ID, shop.ShipmentID(in.ID), in.Body.Carrier, in.Body.Tracking))
}

func (a *api) receive(ctx context.Context, in *partID) (*orderReply, error) {
	return a.detailed(a.shop.Receive(ctx, a.user(ctx).ID, shop.ShipmentID(in.ID)))
}

func (a *api) giveBack(ctx context.Context, in *giveBack) (*orderReply, error) {
	return a.detailed(a.shop.GiveBack(ctx, a.user(ctx).ID, shop.ShipmentID(in.ID), in.Body.Reason))
}

func (a *api) askRefund(ctx context.Context, in *newRefund) (*refundReply, error) {
	amount, err := a.seen(in.Body.Amount)
	if err != nil {
		return nil, fault.Of(err).On("amount")
	}
	r, err := a.shop.AskRefund(ctx, a.user(ctx).ID, shop.ShipmentID(in.ID), shop.NewRefund{Amount: amount, Reason: in.Body.Reason}, in.Key)
	if err != nil {
		return nil, err
	}
	return &refundReply{refundDocument(r)}, nil
}

func (a *api) grant(ctx context.Context, in *partID) (*orderReply, error) {
	return a.detailed(a.shop.Grant(ctx, a.user(ctx).ID, shop.RefundID(in.ID)))
}

func (a *api) refuse(ctx context.Context, in *refusal) (*orderReply, error) {
	return a.detailed(a.shop.Refuse(ctx, a.user(ctx).ID, shop.RefundID(in.ID), in.Body.Answer))
}

func (a *api) withdraw(ctx context.Context, in *partID) (*orderReply, error) {
	return a.detailed(a.shop.Withdraw(ctx, a.user(ctx).ID, shop.RefundID(in.ID)))
}

func (a *api) appeal(ctx context.Context, in *partID) (*orderReply, error) {
	return a.detailed(a.shop.Appeal(ctx, a.user(ctx).ID, shop.RefundID(in.ID)))
}

func (a *api) decide(ctx context.Context, in *decision) (*orderReply, error) {
	return a.detailed(a.shop.Decide(ctx, a.user(ctx).ID, shop.RefundID(in.ID), in.Body.Grant, in.Body.Answer))
}

func (a *api) cases(ctx context.Context, in *caseQuery) (*refundsReply, error) {
	all, next, err := a.shop.Cases(ctx, a.user(ctx).ID, pageOf(in.PageQuery))
	if err != nil {
		return nil, err
	}
	out := &refundsReply{shopclient.Refunds{Items: make([]shopclient.Refund, len(all)), Next: next}}
	for i, r := range all {
		out.Body.Items[i] = refundDocument(r)
	}
	return out, nil
}
