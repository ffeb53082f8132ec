package payapi

import (
	"context"
	"time"

	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

const csvType = "text/csv; charset=utf-8"

func (a *api) export(ctx context.Context, in *struct {
	ID   string    `path:"id" maxLength:"64"`
	From time.Time `query:"from" doc:"The first moment; the wallet's beginning when absent." example:"2026-01-01T00:00:00Z"`
	To   time.Time `query:"to" doc:"The first moment that is not in it; now when absent." example:"2026-02-01T00:00:00Z"`
}) (*web.Stream, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	e, err := a.pay.Export(ctx, user, pay.WalletID(in.ID), in.From, in.To)
	if err != nil {
		return nil, err
	}
	return web.NewStream(web.File{Name: in.ID + ".csv", Type: csvType, Write: e.WriteCSV}), nil
}

func (a *api) balance(ctx context.Context, in *struct {
	ID string    `path:"id" maxLength:"64"`
	At time.Time `query:"at" required:"true" doc:"The last moment whose transfers count." example:"2026-01-31T23:59:59Z"`
}) (*struct{ Body payclient.Balance }, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	balance, available, err := a.pay.BalanceAt(ctx, user, pay.WalletID(in.ID), in.At)
	if err != nil {
		return nil, err
	}
	return &struct{ Body payclient.Balance }{payclient.Balance{At: in.At.UTC(), Balance: balance, Available: available}}, nil
}
