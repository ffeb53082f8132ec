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

type walletReply struct{ Body payclient.Wallet }

type walletPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *api) wallets(ctx context.Context, in *web.PageQuery) (*struct{ Body payclient.Wallets }, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	wallets, next, err := a.pay.Wallets(ctx, user, database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.Wallets{Items: make([]payclient.Wallet, len(wallets)), Next: next}
	for i, w := range wallets {
		out.Items[i] = walletOf(w)
	}
	return &struct{ Body payclient.Wallets }{out}, nil
}

// newWallet is payclient.NewWallet, with the amount in either form.
type newWallet struct {
	Name     string       `json:"name,omitempty" maxLength:"160" doc:"at most 40 characters" example:"Groceries"`
	Currency string       `json:"currency,omitempty" maxLength:"3" example:"CNY" doc:"the market's when absent"`
	Amount   *money.Input `json:"amount,omitempty" doc:"top it up in the same step"`
}

// rule is what the rule takes; a wallet may be made without a body.
func (n *newWallet) rule(c money.Currency) (pay.NewWallet, error) {
	if n == nil {
		return pay.NewWallet{}, nil
	}
	w := pay.NewWallet{Name: n.Name, Currency: money.Currency(n.Currency)}
	if n.Amount == nil {
		return w, nil
	}
	amount, err := n.Amount.In(c)
	if err != nil {
		return w, fault.Of(err).On("amount")
	}
	w.TopUp = amount.Minor
	return w, nil
}

func (a *api) createWallet(ctx context.Context, in *struct {
	web.IdempotencyKey
	Body *newWallet
}) (*walletReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	w, err := in.Body.rule(a.pay.Currency())
	if err != nil {
		return nil, err
	}
	made, err := a.pay.OpenWallet(ctx, user, w, in.Key)
	if err != nil {
		return nil, err
	}
	return &walletReply{walletOf(made)}, nil
}

func (a *api) wallet(ctx context.Context, in *walletPath) (*walletReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.pay.Wallet(ctx, user, pay.WalletID(in.ID))
	if err != nil {
		return nil, err
	}
	return &walletReply{walletOf(w)}, nil
}

func (a *api) changeWallet(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"64"`
	Body payclient.WalletChange
}) (*walletReply, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.pay.ChangeWallet(ctx, user, pay.WalletID(in.ID), pay.WalletChange{
		Name: in.Body.Name, Default: in.Body.Default != nil,
	})
	if err != nil {
		return nil, err
	}
	return &walletReply{walletOf(w)}, nil
}

func (a *api) entries(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.PageQuery
}) (*struct{ Body payclient.Entries }, error) {
	user, err := a.user(ctx)
	if err != nil {
		return nil, err
	}
	s, err := a.pay.Statement(ctx, user, pay.WalletID(in.ID), database.Page{Cursor: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := payclient.Entries{Items: make([]payclient.Entry, len(s.Entries)), Next: s.Next}
	for i, e := range s.Entries {
		out.Items[i] = payclient.Entry{
			ID: e.ID, Kind: e.Kind, Amount: e.Amount, Reserved: e.Reserved, Balance: e.Balance, Held: e.Held,
			TopUp: string(e.TopUp), Payment: string(e.Payment), Order: e.Order, CreatedAt: e.CreatedAt.UTC(),
		}
	}
	return &struct{ Body payclient.Entries }{out}, nil
}

func walletOf(w pay.Wallet) payclient.Wallet {
	return payclient.Wallet{
		ID: string(w.ID), Number: w.Number, Name: w.Name, Balance: w.Balance, Available: w.Available,
		Default: w.Default, CreatedAt: w.CreatedAt.UTC(),
	}
}
