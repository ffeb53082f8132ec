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
	Number  string
	Name    string
	Balance string
	Default bool
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
		v.Wallets = append(v.Wallets, walletView{Number: x.Number, Name: x.Name, Balance: locale.Money(ctx, x.Balance), Default: x.Default})
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
	in, err := web.Form(r)
	if err != nil {
		return err
	}
	token, err := web.TokenOf(in)
	if err != nil {
		return err
	}
	form := walletForm{Token: token, Name: in.Get("name"), Amount: in.Get("amount")}
	_, err = p.wallets.CreateWallet(ctx, payclient.NewWallet{Name: form.Name, Amount: form.Amount}, token)
	if err != nil {
		f := fault.Of(err)
		switch f.Kind {
		case fault.Invalid, fault.Conflict:
		case fault.Busy, fault.Unknown:
			ops.Note(ctx, slog.String("err", err.Error()))
		default:
			return err
		}
		form.Wrong = textsOf(ctx, err, "name", "amount")
		return p.showHome(w, r, f.Kind.Status(), form)
	}
	web.SetFlash(w, r, "shop.home.wallet.done")
	return web.SeeOther(w, r, "/home")
}
