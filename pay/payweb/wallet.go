package payweb

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"jishi/kit/database"
	"jishi/kit/locale"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/pay"
)

// walletsView is the list of wallets with the form for one more.
type walletsView struct {
	Wallets []walletView
	Total   string
	New     newWalletView
}

// walletView is a wallet as it is shown.
type walletView struct {
	Number   string
	Name     string
	Balance  string
	Held     string // "" when nothing is
	Default  bool
	URL      string
	TopUpURL string
}

// newWalletView is the form that makes a wallet.
type newWalletView struct {
	Token, Return string
	Name, Amount  string
	Errors        complaints
	TopUps        topUpsView
}

func (p *pages) wallets(w http.ResponseWriter, r *http.Request) error {
	return p.showWallets(w, r, http.StatusOK, newWalletView{Token: web.FormToken(), Return: home})
}

func (p *pages) showWallets(w http.ResponseWriter, r *http.Request, status int, n newWalletView) error {
	ctx := r.Context()
	purse, err := p.pay.Purse(ctx, p.user(ctx))
	if err != nil {
		return err
	}
	n.TopUps = topUpsOf(ctx, p.pay.TopUpRules())
	v := walletsView{Total: locale.Money(ctx, purse.Total), New: n}
	for _, wallet := range purse.Wallets {
		v.Wallets = append(v.Wallets, walletOf(ctx, wallet))
	}
	return web.Render(w, r, status, walletsPage(v))
}

func walletOf(ctx context.Context, w pay.Wallet) walletView {
	v := walletView{
		Number: w.Number, Name: nameOf(ctx, w), Balance: locale.Money(ctx, w.Balance), Default: w.Default,
		URL: walletURL(w.ID), TopUpURL: topUpURL(w.ID),
	}
	held := w.Balance
	if held.Minor -= w.Available.Minor; held.Minor > 0 {
		v.Held = locale.Money(ctx, held)
	}
	return v
}

func (p *pages) createWallet(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f, err := formOf(r)
	if err != nil {
		return err
	}
	var made pay.Wallet
	amount, err := f.amount(p.pay.Currency(), true)
	if err == nil {
		made, err = p.pay.OpenWallet(ctx, p.user(ctx), pay.NewWallet{Name: f.Get("name"), TopUp: amount}, f.token)
	}
	back := web.LocalPath(f.Get("return"), home)
	if c, token, ok := complaintsOf(ctx, err, f.token); err != nil && ok {
		return web.Again(err, p.showWallets(w, r, c.status, newWalletView{
			Token: token, Return: back, Name: f.Get("name"), Amount: f.Get("amount"), Errors: c,
		}))
	}
	if err != nil {
		return err
	}
	web.SetFlash(w, r, "pay.flash.wallet", "name", nameOf(ctx, made))
	return web.SeeOther(w, r, back)
}

// statementView is a wallet with its entries.
type statementView struct {
	Wallet  walletView
	Entries []entryView
	Next    string
	TopUp   topUpView
	Rename  renameView
	Default defaultView

	ExportURL string // of the form that downloads the statement
}

type entryView struct {
	What     string
	URL      string // of what it was for, "" when there is no page
	Amount   string // with its sign
	Incoming bool
	Balance  string
	At       string
}

type renameView struct {
	Token, Action, Name string
	Error               string
}

type defaultView struct{ Token, Action string }

func (p *pages) wallet(w http.ResponseWriter, r *http.Request) error {
	return p.showWallet(w, r, http.StatusOK, nil)
}

// showWallet shows the statement; wrong is the rename form that was refused, if one was.
func (p *pages) showWallet(w http.ResponseWriter, r *http.Request, status int, wrong *renameView) error {
	ctx, id := r.Context(), pay.WalletID(r.PathValue("id"))
	s, err := p.pay.Statement(ctx, p.user(ctx), id, database.Page{Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return err
	}
	v := statementView{
		Wallet: walletOf(ctx, s.Wallet),
		TopUp: topUpView{
			Token: web.FormToken(), Wallet: string(id), Return: walletURL(id), TopUps: topUpsOf(ctx, p.pay.TopUpRules()),
		},
		Rename:  renameView{Token: web.FormToken(), Action: walletURL(id) + "/name", Name: s.Wallet.Name},
		Default: defaultView{Token: web.FormToken(), Action: walletURL(id) + "/default"},

		ExportURL: walletURL(id) + "/statement.csv",
	}
	if wrong != nil {
		v.Rename = *wrong
	}
	if s.Next != "" {
		v.Next = walletURL(id) + "?cursor=" + url.QueryEscape(s.Next)
	}
	for _, e := range s.Entries {
		v.Entries = append(v.Entries, entryOf(ctx, e))
	}
	return web.Render(w, r, status, statementPage(v))
}

func entryOf(ctx context.Context, e pay.Entry) entryView {
	v := entryView{
		Amount: signed(ctx, e.Amount), Incoming: e.Amount.Minor > 0, Balance: locale.Money(ctx, e.Balance), At: locale.Time(ctx, e.CreatedAt),
	}
	v.What = locale.T(ctx, "pay.entry.kind."+kindOf(e), "order", e.Order, "amount", e.Reserved)
	switch e.Kind {
	case "payment", "hold", "void":
		v.URL = checkoutURL(e.Payment)
	case "refund":
		if v.Incoming { // the payer's; a payee has no business with the payment
			v.URL = checkoutURL(e.Payment)
		}
	}
	return v
}

// kindOf tells the two ends of a refund apart.
func kindOf(e pay.Entry) string {
	if e.Kind == "refund" && e.Amount.Minor < 0 {
		return "refunded"
	}
	return e.Kind
}

func signed(ctx context.Context, a money.Amount) string {
	switch {
	case a.Minor > 0:
		return "+" + locale.Money(ctx, a)
	case a.Minor == 0: // a reservation, whose text has what is reserved
		return "—"
	}
	return locale.Money(ctx, a)
}

func (p *pages) rename(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pay.WalletID(r.PathValue("id"))
	f, err := formOf(r)
	if err != nil {
		return err
	}
	name := f.Get("name")
	_, err = p.pay.ChangeWallet(ctx, p.user(ctx), id, pay.WalletChange{Name: &name})
	if c, token, ok := complaintsOf(ctx, err, f.token); err != nil && ok {
		return web.Again(err, p.showWallet(w, r, c.status, &renameView{
			Token: token, Action: walletURL(id) + "/name", Name: name, Error: strings.Join(append(c.other, c.fields["name"]), " "),
		}))
	}
	if err != nil {
		return err
	}
	web.SetFlash(w, r, "pay.flash.renamed")
	return web.SeeOther(w, r, walletURL(id))
}

func (p *pages) makeDefault(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), pay.WalletID(r.PathValue("id"))
	if _, err := formOf(r); err != nil {
		return err
	}
	made, err := p.pay.ChangeWallet(ctx, p.user(ctx), id, pay.WalletChange{Default: true})
	if err != nil {
		return err
	}
	web.SetFlash(w, r, "pay.flash.default", "name", nameOf(ctx, made))
	return web.SeeOther(w, r, walletURL(id))
}
