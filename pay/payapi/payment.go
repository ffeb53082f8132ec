package payapi

import (
	"context"
	"time"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

type paymentReply struct{ Body payclient.Payment }

type paymentPath struct {
	ID string `path:"id" maxLength:"64"`
}

// newPayment is payclient.NewPayment, with the amounts in either form.
type newPayment struct {
	Order     string     `json:"order" maxLength:"64" doc:"makes the payment unique; asking again for the same order is harmless" example:"ord_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Parties   []newParty `json:"parties" minItems:"1" maxItems:"100" doc:"who receives what; the payment is over their sum"`
	Wallet    string     `json:"wallet,omitempty" maxLength:"64" doc:"the payer's default wallet when absent"`
	ExpiresAt time.Time  `json:"expires_at,omitzero" doc:"it is closed then, unless it is captured; 30 minutes from now when absent"`
	Hold      bool       `json:"hold,omitempty" doc:"only authorise: the amount is held in the wallet until it is captured"`
}

type newParty struct {
	Payee  string      `json:"payee" maxLength:"64" doc:"a user's id" example:"usr_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Amount money.Input `json:"amount"`
}

func (a *api) createPayment(ctx context.Context, in *struct{ Body newPayment }) (*paymentReply, error) {
	parties, err := a.parties(in.Body.Parties)
	if err != nil {
		return nil, err
	}
	made, err := a.pay.Charge(ctx, a.from(ctx), pay.NewPayment{
		Order: in.Body.Order, Parties: parties, Wallet: pay.WalletID(in.Body.Wallet),
		ExpiresAt: in.Body.ExpiresAt, Hold: in.Body.Hold,
	})
	if err != nil {
		return nil, err
	}
	return replyOf(made), nil
}

func (a *api) parties(in []newParty) ([]pay.Party, error) {
	parties := make([]pay.Party, len(in))
	for i, p := range in {
		amount, err := p.Amount.In(a.pay.Currency())
		if err != nil {
			return nil, fault.Of(err).On("parties")
		}
		parties[i] = pay.Party{Payee: p.Payee, Amount: amount.Minor}
	}
	return parties, nil
}

func (a *api) payment(ctx context.Context, in *paymentPath) (*paymentReply, error) {
	p, err := a.pay.Payment(ctx, a.from(ctx), pay.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

func (a *api) paymentOf(ctx context.Context, in *struct {
	Order string `query:"order" required:"true" maxLength:"64"`
}) (*paymentReply, error) {
	p, err := a.pay.PaymentOf(ctx, a.from(ctx), in.Order)
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

func (a *api) payments(ctx context.Context, in *struct {
	After string `query:"after" maxLength:"64" doc:"only of orders that follow this one"`
	UpTo  string `query:"up_to" maxLength:"64" doc:"only of orders up to this one"`
	web.PageQuery
}) (*struct{ Body payclient.Payments }, error) {
	all, next, err := a.pay.Payments(ctx, a.from(ctx), payclient.OrderRange{After: in.After, UpTo: in.UpTo}, database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.Payments{Items: make([]payclient.Payment, len(all)), Next: next}
	for i, p := range all {
		out.Items[i] = p.Document()
	}
	return &struct{ Body payclient.Payments }{out}, nil
}

func (a *api) close(ctx context.Context, in *paymentPath) (*paymentReply, error) {
	p, err := a.pay.Close(ctx, a.from(ctx), pay.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

func (a *api) closeOrder(ctx context.Context, in *struct {
	Order string `path:"order" maxLength:"64"`
}) (*paymentReply, error) {
	p, err := a.pay.CloseOrder(ctx, a.from(ctx), in.Order)
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

func (a *api) checkout(ctx context.Context, in *paymentPath) (*struct{ Body payclient.Checkout }, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	c, err := a.pay.Checkout(ctx, user, pay.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	out := payclient.Checkout{
		Payment: replyOf(c.Payment).Body, Choices: make([]payclient.Choice, len(c.Choices)),
		Enough: c.Enough, Missing: c.Missing, Expired: c.Payment.Expired, ReturnURL: c.Payment.ReturnURL,
	}
	for i, choice := range c.Choices {
		out.Choices[i] = payclient.Choice{Wallet: walletOf(choice.Wallet), Enough: choice.Enough, Chosen: choice.Chosen}
	}
	return &struct{ Body payclient.Checkout }{out}, nil
}

func (a *api) payNow(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body *payclient.Source
}) (*paymentReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	var from payclient.Source
	if in.Body != nil {
		from = *in.Body
	}
	p, err := a.pay.Pay(ctx, user, pay.PaymentID(in.ID), pay.WalletID(from.Wallet))
	if err != nil {
		return nil, err
	}
	return replyOf(p), nil
}

func replyOf(p pay.Payment) *paymentReply { return &paymentReply{p.Document()} }
