package payapi

import (
	"context"
	"time"

	"jishi/kit/fault"
	"jishi/kit/money"
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
	ExpiresAt time.Time  `json:"expires_at,omitzero" doc:"it can't be captured from then on; 30 minutes from now when absent"`
}

type newParty struct {
	Payee  string      `json:"payee" maxLength:"64" doc:"a user's id" example:"usr_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Amount money.Input `json:"amount"`
}

func (a *api) createPayment(ctx context.Context, in *struct{ Body newPayment }) (*paymentReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	p := pay.NewPayment{
		Order: in.Body.Order, Wallet: pay.WalletID(in.Body.Wallet), ExpiresAt: in.Body.ExpiresAt,
		Parties: make([]pay.Party, len(in.Body.Parties)),
	}
	for i, party := range in.Body.Parties {
		amount, err := party.Amount.In(a.pay.Currency())
		if err != nil {
			return nil, fault.Of(err).On("parties")
		}
		p.Parties[i] = pay.Party{Payee: party.Payee, Amount: amount.Minor}
	}
	made, err := a.pay.Charge(ctx, caller, p)
	if err != nil {
		return nil, err
	}
	return a.replyOf(made), nil
}

func (a *api) payment(ctx context.Context, in *paymentPath) (*paymentReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.pay.Payment(ctx, caller, pay.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	return a.replyOf(p), nil
}

func (a *api) paymentOf(ctx context.Context, in *struct {
	Order string `query:"order" required:"true" maxLength:"64"`
}) (*paymentReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.pay.PaymentOf(ctx, caller, in.Order)
	if err != nil {
		return nil, err
	}
	return a.replyOf(p), nil
}

func (a *api) close(ctx context.Context, in *paymentPath) (*paymentReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.pay.Close(ctx, caller, pay.PaymentID(in.ID))
	if err != nil {
		return nil, err
	}
	return a.replyOf(p), nil
}

func (a *api) closeOrder(ctx context.Context, in *struct {
	Order string `path:"order" maxLength:"64"`
}) (*paymentReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	p, err := a.pay.CloseOrder(ctx, caller, in.Order)
	if err != nil {
		return nil, err
	}
	return a.replyOf(p), nil
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
		Payment: a.replyOf(c.Payment).Body, Choices: make([]payclient.Choice, len(c.Choices)),
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
	return a.replyOf(p), nil
}

func (a *api) replyOf(p pay.Payment) *paymentReply {
	out := payclient.Payment{
		ID: string(p.ID), Order: p.Order, Merchant: p.Merchant, Payer: string(p.Payer), State: p.State,
		Amount: p.Amount, Authorized: p.Captured, Captured: p.Captured, Refunded: p.Captured, Released: p.Captured, Parties: make([]payclient.Party, len(p.Parties)),
		Wallet: string(p.Wallet), CheckoutURL: p.CheckoutURL,
		ExpiresAt: p.ExpiresAt.UTC(), CreatedAt: p.CreatedAt.UTC(),
	}
	out.Refunded.Minor, out.Released.Minor = 0, 0
	for i, party := range p.Parties {
		out.Parties[i] = payclient.Party{Payee: party.Payee, Amount: p.Amount}
		out.Parties[i].Amount.Minor = party.Amount
	}
	if !p.SettledAt.IsZero() {
		at := p.SettledAt.UTC()
		out.SettledAt = &at
	}
	return &paymentReply{out}
}
