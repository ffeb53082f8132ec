package payapi

import (
	"context"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

type topUpReply struct{ Body payclient.TopUp }

// newTopUp is payclient.NewTopUp, with the amount in either form.
type newTopUp struct {
	Wallet string      `json:"wallet" maxLength:"64" example:"wal_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Amount money.Input `json:"amount"`
}

func (a *api) createTopUp(ctx context.Context, in *struct {
	web.IdempotencyKey
	Body newTopUp
}) (*topUpReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	amount, err := in.Body.Amount.In(a.pay.Currency())
	if err != nil {
		return nil, fault.Of(err).On("amount")
	}
	t, err := a.pay.TopUp(ctx, user, pay.NewTopUp{Wallet: pay.WalletID(in.Body.Wallet), Amount: amount.Minor}, in.Key)
	if err != nil {
		return nil, err
	}
	return &topUpReply{topUpOf(t)}, nil
}

func (a *api) topUp(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
}) (*topUpReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	t, err := a.pay.OwnTopUp(ctx, user, pay.TopUpID(in.ID))
	if err != nil {
		return nil, err
	}
	return &topUpReply{topUpOf(t)}, nil
}

func (a *api) topUps(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.PageQuery
}) (*struct{ Body payclient.TopUps }, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	all, next, err := a.pay.TopUps(ctx, user, pay.WalletID(in.ID), database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.TopUps{Items: make([]payclient.TopUp, len(all)), Next: next}
	for i, t := range all {
		out.Items[i] = topUpOf(t)
	}
	return &struct{ Body payclient.TopUps }{out}, nil
}

func (a *api) terms(context.Context, *struct{}) (*struct{ Body payclient.Terms }, error) {
	r := a.pay.TopUpRules()
	return &struct{ Body payclient.Terms }{payclient.Terms{
		Currency: string(a.pay.Currency()),
		TopUps:   payclient.TopUpTerms{On: r.On, Play: r.Play, Min: r.Min, Max: r.Max},
	}}, nil
}

func topUpOf(t pay.TopUp) payclient.TopUp {
	return payclient.TopUp{ID: string(t.ID), Wallet: string(t.Wallet), Amount: t.Amount, State: t.State, CreatedAt: t.CreatedAt.UTC()}
}
