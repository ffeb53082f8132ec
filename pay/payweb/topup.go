package payweb

import (
	"context"
	"net/http"

	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/pay"
)

// topUpsView is what a form says of top-ups in general.
type topUpsView struct {
	On, Play bool
	Range    string // "¥0.01 to ¥1,000,000.00"
	Prefix   string // the currency's sign
}

func topUpsOf(ctx context.Context, r pay.TopUpRules) topUpsView {
	return topUpsView{
		On: r.On, Play: r.Play, Prefix: locale.Sign(ctx, r.Min.Currency),
		Range: locale.T(ctx, "pay.topup.range", "min", r.Min, "max", r.Max),
	}
}

// topUpView is the form that puts money into a wallet: the one of Wallet, or one of Choices.
type topUpView struct {
	Token, Return  string
	Wallet, Amount string
	Choices        []ui.Option
	Errors         complaints
	TopUps         topUpsView
	BackURL        string // to the cashier, when the reader came from there
}

func (p *pages) topUpForm(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	return p.showTopUp(w, r, http.StatusOK, topUpView{
		Token: web.FormToken(), Return: web.LocalPath(q.Get("return"), ""), Wallet: q.Get("wallet"), Amount: q.Get("amount"),
	})
}

func (p *pages) showTopUp(w http.ResponseWriter, r *http.Request, status int, v topUpView) error {
	ctx := r.Context()
	purse, err := p.pay.Purse(ctx, p.user(ctx))
	if err != nil {
		return err
	}
	v.TopUps, v.BackURL = topUpsOf(ctx, p.pay.TopUpRules()), v.Return
	for _, wallet := range purse.Wallets {
		v.Choices = append(v.Choices, ui.Option{
			Value: string(wallet.ID), Text: locale.T(ctx, "pay.wallet.option", "name", nameOf(ctx, wallet), "balance", wallet.Available),
		})
		if v.Wallet == "" && wallet.Default {
			v.Wallet = string(wallet.ID)
		}
	}
	return web.Render(w, r, status, topUpPage(v))
}

func (p *pages) topUp(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f, err := formOf(r)
	if err != nil {
		return err
	}
	var t pay.TopUp
	amount, err := f.amount(p.pay.Currency(), false)
	if err == nil {
		t, err = p.pay.TopUp(ctx, p.user(ctx), pay.NewTopUp{Wallet: pay.WalletID(f.Get("wallet")), Amount: amount}, f.token)
	}
	if c, token, ok := complaintsOf(ctx, err, f.token); err != nil && ok {
		return web.Again(err, p.showTopUp(w, r, c.status, topUpView{
			Token: token, Return: web.LocalPath(f.Get("return"), ""), Wallet: f.Get("wallet"), Amount: f.Get("amount"), Errors: c,
		}))
	}
	if err != nil {
		return err
	}
	web.SetFlash(w, r, "pay.flash.topup."+t.State, "amount", locale.Money(ctx, t.Amount))
	return web.SeeOther(w, r, web.LocalPath(f.Get("return"), walletURL(t.Wallet)))
}
