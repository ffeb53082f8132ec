package shopweb

import (
	"context"
	"log/slog"
	"net/http"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/pay/payclient"
	"jishi/shop"
)

const (
	homeWallets  = 5
	homeProducts = 8
)

// homeView is a user's own page.
type homeView struct {
	Name        string
	Operates    bool // the market
	Wallets     []walletView
	MoreWallets bool
	Away        string // why there are no wallets to see, or ""
	Products    []productView
	Next        string // address of more products
	Form        walletForm
}

type walletView struct {
	URL     string
	Number  string
	Name    string
	Balance string
	Held    string // "" when nothing is
	Default bool
}

func walletOf(ctx context.Context, w payclient.Wallet) walletView {
	v := walletView{
		URL: ui.SiteOf(ctx).Wallet(w.ID), Number: w.Number, Name: w.Name, Balance: locale.Money(ctx, w.Balance), Default: w.Default,
	}
	held := w.Balance
	if held.Minor -= w.Available.Minor; held.Minor > 0 {
		v.Held = locale.Money(ctx, held)
	}
	return v
}

// walletForm makes a wallet and puts money into it.
type walletForm struct {
	Token  string
	Name   string
	Amount string
	Sign   string // of the currency
	Wrong  texts
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) error {
	return p.showHome(w, r, http.StatusOK, walletForm{Token: web.FormToken()})
}

// showHome shows the page also when pay is away: what the shop knows is still there.
func (p *pages) showHome(w http.ResponseWriter, r *http.Request, status int, form walletForm) error {
	ctx := r.Context()
	user := p.user(ctx)
	form.Sign = locale.Sign(ctx, p.shop.Currency())
	v := homeView{Name: user.Name, Operates: p.shop.Operates(user.ID), Form: form}
	wallets, err := p.wallets.Wallets(ctx, payclient.Page{Limit: homeWallets})
	if err != nil {
		ops.Note(ctx, slog.String("wallets", err.Error()))
		v.Away = locale.T(ctx, "shop.home.wallets.away")
	}
	v.MoreWallets = wallets.Next != ""
	for _, x := range wallets.Items {
		v.Wallets = append(v.Wallets, walletOf(ctx, x))
	}
	if v.Products, v.Next, err = p.ownProducts(ctx, user.ID); err != nil {
		return err
	}
	if _, err := p.countCart(w, r); err != nil {
		return err
	}
	return web.Render(w, r, status, homePage(v))
}

func (p *pages) ownProducts(ctx context.Context, seller authclient.UserID) ([]productView, string, error) {
	all, next, err := p.shop.Products(ctx, shop.ProductQuery{Seller: seller}, database.Page{Limit: homeProducts})
	if err != nil {
		return nil, "", err
	}
	var views []productView
	for _, x := range all {
		views = append(views, p.viewOf(ctx, x))
	}
	if next != "" && len(views) > 0 {
		next = views[0].SellerURL
	}
	return views, next, nil
}

// createWallet passes the form on to pay; the one-time token is the key of the call.
func (p *pages) createWallet(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	in, token, err := web.WithToken(web.Form(r))
	if err != nil {
		return err
	}
	form := walletForm{Token: token, Name: in.Get("name"), Amount: in.Get("amount")}
	made, err := p.wallets.CreateWallet(ctx, payclient.NewWallet{Name: form.Name, Amount: form.Amount}, token)
	if err != nil {
		status, ok := answerable(ctx, err)
		if !ok && fault.Of(err).Kind != fault.Forbidden { // which says that there are no top-ups
			return err
		}
		form.Token, form.Wrong = web.TokenAgain(token, err), textsOf(ctx, err, "name", "amount")
		return web.Again(err, p.showHome(w, r, status, form))
	}
	done := "shop.home.wallet.done"
	if made.Balance.Minor == 0 {
		done = "shop.home.wallet.empty"
	}
	web.SetFlash(w, r, done)
	return web.SeeOther(w, r, "/home")
}
