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

type (
	refundReply  struct{ Body payclient.Refund }
	releaseReply struct{ Body payclient.Release }
)

// newCapture is payclient.NewCapture.
type newCapture struct {
	Parties []newParty `json:"parties,omitempty" maxItems:"100" doc:"as much of these shares, and nothing of the others; all of every share when absent"`
}

func (a *api) capture(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body *newCapture
}) (*paymentReply, error) {
	var parties []pay.Party
	var err error
	if in.Body != nil {
		if parties, err = a.parties(in.Body.Parties); err != nil {
			return nil, err
		}
	}
	p, err := a.pay.Capture(ctx, a.from(ctx), pay.PaymentID(in.ID), parties)
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

// some is an amount in minor units, 0 where none is named.
func (a *api) some(in *money.Input) (int64, error) {
	if in == nil {
		return 0, nil
	}
	amount, err := in.In(a.pay.Currency())
	if err != nil {
		return 0, fault.Of(err).On("amount")
	}
	if amount.Minor == 0 {
		return 0, payclient.ErrAmount
	}
	return amount.Minor, nil
}

func (a *api) createRefund(ctx context.Context, in *struct {
	Payment string `path:"id" maxLength:"64"`
	Body    payclient.NewRefund
}) (*refundReply, error) {
	amount, err := a.some(in.Body.Amount)
	if err != nil {
		return nil, err
	}
	r, err := a.pay.Refund(ctx, a.from(ctx), pay.PaymentID(in.Payment), pay.NewRefund{
		ID: in.Body.ID, Payee: in.Body.Payee, Amount: amount, Reason: in.Body.Reason,
	})
	if err != nil {
		return nil, err
	}
	return &refundReply{refundOf(r)}, nil
}

func (a *api) createRelease(ctx context.Context, in *struct {
	Payment string `path:"id" maxLength:"64"`
	Body    payclient.NewRelease
}) (*releaseReply, error) {
	amount, err := a.some(in.Body.Amount)
	if err != nil {
		return nil, err
	}
	r, err := a.pay.Release(ctx, a.from(ctx), pay.PaymentID(in.Payment), pay.NewRelease{ID: in.Body.ID, Payee: in.Body.Payee, Amount: amount})
	if err != nil {
		return nil, err
	}
	return &releaseReply{releaseOf(r)}, nil
}

// ofPayment is a page of a list of one payment's.
type ofPayment struct {
	Payment string `path:"id" maxLength:"64"`
	web.PageQuery
}

func (a *api) refunds(ctx context.Context, in *ofPayment) (*struct{ Body payclient.Refunds }, error) {
	all, next, err := a.pay.Refunds(ctx, a.from(ctx), pay.PaymentID(in.Payment), database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.Refunds{Items: make([]payclient.Refund, len(all)), Next: next}
	for i, r := range all {
		out.Items[i] = refundOf(r)
	}
	return &struct{ Body payclient.Refunds }{out}, nil
}

func (a *api) releases(ctx context.Context, in *ofPayment) (*struct{ Body payclient.Releases }, error) {
	all, next, err := a.pay.Releases(ctx, a.from(ctx), pay.PaymentID(in.Payment), database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.Releases{Items: make([]payclient.Release, len(all)), Next: next}
	for i, r := range all {
		out.Items[i] = releaseOf(r)
	}
	return &struct{ Body payclient.Releases }{out}, nil
}

func refundOf(r pay.Refund) payclient.Refund {
	return payclient.Refund{
		ID: r.ID, Payment: string(r.Payment), Order: r.Order, Payee: r.Payee, Amount: r.Amount,
		Reason: r.Reason, From: r.From, CreatedAt: r.CreatedAt.UTC(),
	}
}

func releaseOf(r pay.Release) payclient.Release {
	return payclient.Release{
		ID: r.ID, Payment: string(r.Payment), Order: r.Order, Payee: r.Payee, Amount: r.Amount, Fee: r.Fee, Net: r.Net,
		Wallet: string(r.Wallet), CreatedAt: r.CreatedAt.UTC(),
	}
}
