package payweb

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

// checkoutView is the cashier: what is to be paid, and from what.
type checkoutView struct {
	Token     string
	Action    string
	Facts     []ui.Fact
	Title     string // of the amount
	Amount    string
	Open      bool
	Tone      ui.Tone // of Says
	Says      string  // what is the matter, "" when nothing is
	ReturnURL string  // to the merchant, "" where there is none
	Choices   []choiceView
	Enough    bool
	TopUp     topUpView
	New       newWalletView
}

type choiceView struct {
	ID       string
	Name     string
	Number   string
	Balance  string
	Enough   bool
	Chosen   bool
	TopUpURL string // with what is missing in this wallet
}

func (p *pages) checkout(w http.ResponseWriter, r *http.Request) error {
	return p.showCheckout(w, r, nil)
}

// showCheckout shows the cashier. What the payment is now says why it was refused, except where
// only the chosen wallet had too little.
func (p *pages) showCheckout(w http.ResponseWriter, r *http.Request, refusal *fault.Error) error {
	ctx := r.Context()
	c, err := p.pay.Checkout(ctx, p.user(ctx), pay.PaymentID(r.PathValue("id")))
	if err != nil {
		return err
	}
	v, status := checkoutOf(ctx, c), http.StatusOK
	if refusal != nil {
		status = refusal.Kind.Status()
		if v.Says == "" {
			v.Tone, v.Says = ui.Warn, locale.T(ctx, "pay.checkout.refused", "missing", refusal.Extra["missing"])
		}
	}
	return web.Render(w, r, status, checkoutPage(v))
}

func checkoutOf(ctx context.Context, c pay.Checkout) checkoutView {
	here := checkoutURL(c.Payment.ID)
	rules := topUpsOf(ctx, c.TopUps)
	missing := c.Missing
	if missing.Minor > 0 && missing.Minor < c.TopUps.Min.Minor {
		missing = c.TopUps.Min
	}
	v := checkoutView{
		Token: web.FormToken(), Action: here, Amount: locale.Money(ctx, c.Payment.Amount), ReturnURL: c.Payment.ReturnURL,
		Open: c.Payment.State == payclient.Open, Enough: c.Enough,
		Facts: []ui.Fact{
			{Name: locale.T(ctx, "pay.checkout.order"), Value: c.Payment.Order, URL: c.Payment.ReturnURL},
			{Name: locale.T(ctx, "pay.checkout.created"), Value: locale.Time(ctx, c.Payment.CreatedAt)},
		},
		TopUp: topUpView{
			Token: web.FormToken(), Return: here, Wallet: string(c.Fullest), Amount: missing.String(), TopUps: rules,
		},
		New: newWalletView{Token: web.FormToken(), Return: here, Amount: c.Payment.Amount.String(), TopUps: rules},
	}
	for _, choice := range c.Choices {
		v.Choices = append(v.Choices, choiceOf(ctx, c, choice, here))
		v.TopUp.Choices = append(v.TopUp.Choices, ui.Option{
			Value: string(choice.ID), Text: locale.T(ctx, "pay.wallet.option", "name", nameOf(ctx, choice.Wallet), "balance", choice.Available),
		})
	}
	v.Tone, v.Says = matter(ctx, c)
	v.Title = locale.T(ctx, "pay.checkout.amount")
	if v.Open {
		v.Title = locale.T(ctx, "pay.checkout.due")
		v.Facts = append(v.Facts, ui.Fact{Name: locale.T(ctx, "pay.checkout.expires"), Value: locale.Time(ctx, c.Payment.ExpiresAt)})
	}
	if !c.Payment.SettledAt.IsZero() {
		v.Facts = append(v.Facts, ui.Fact{Name: locale.T(ctx, "pay.checkout.settled."+c.Payment.State), Value: locale.Time(ctx, c.Payment.SettledAt)})
	}
	return v
}

func choiceOf(ctx context.Context, c pay.Checkout, choice pay.Choice, here string) choiceView {
	v := choiceView{
		ID: string(choice.ID), Name: nameOf(ctx, choice.Wallet), Number: choice.Number,
		Balance: locale.Money(ctx, choice.Available), Enough: choice.Enough, Chosen: choice.Chosen,
	}
	if !choice.Enough {
		missing := c.Payment.Amount
		missing.Minor -= choice.Available.Minor
		v.TopUpURL = topUpURL(choice.ID) + "&amount=" + missing.String() + "&return=" + url.QueryEscape(here)
	}
	return v
}

// matter is what a payment's state means to its payer.
func matter(ctx context.Context, c pay.Checkout) (ui.Tone, string) {
	switch {
	case c.Payment.State == payclient.Captured:
		return ui.Good, locale.T(ctx, "pay.checkout.captured")
	case c.Payment.State == payclient.Authorized:
		return ui.Good, locale.T(ctx, "pay.checkout.authorized")
	case c.Payment.Expired:
		return ui.Warn, locale.T(ctx, "pay.checkout.expired")
	case c.Payment.State == payclient.Closed:
		return ui.Plain, locale.T(ctx, "pay.checkout.closed")
	case !c.Enough:
		return ui.Warn, locale.T(ctx, "pay.checkout.short", "missing", c.Missing)
	}
	return ui.Plain, ""
}

// payNow needs no stored token: a payment is captured once, and who sends the form again
// is taken to the same place.
func (p *pages) payNow(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pay.PaymentID(r.PathValue("id"))
	f, err := formOf(r)
	if err != nil {
		return err
	}
	paid, err := p.pay.Pay(ctx, p.user(ctx), id, pay.WalletID(f.Get("wallet")))
	for _, known := range []error{payclient.ErrInsufficient, payclient.ErrNoWallet, payclient.ErrClosed, payclient.ErrExpired} {
		if errors.Is(err, known) {
			return p.showCheckout(w, r, fault.Of(err))
		}
	}
	if err != nil {
		return err
	}
	web.SetFlash(w, r, "pay.flash.paid."+paid.State, "amount", locale.Money(ctx, paid.Amount))
	if paid.ReturnURL == "" {
		return web.SeeOther(w, r, checkoutURL(id))
	}
	return web.SeeOther(w, r, paid.ReturnURL)
}
