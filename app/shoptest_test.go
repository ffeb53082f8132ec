package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/kit/web"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payapi"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/shoptest"
	"jishi/shop/shopweb"
)

// till is a pay as the shop calls it, with the token of a buyer who has no money yet and with
// its own.
type till struct {
	buyer interface {
		shop.Payer
		shopweb.Wallets
	}
	shop shop.Payments
	ids  map[string]string // of payments that were read, by order

	paid  func() // the buyer gets what is missing
	spent func() // the seller has nothing left
	late  func() // the time to pay is over
}

func fakeTill(t *testing.T) *till {
	p := shoptest.NewPay()
	p.Poor = true
	if _, err := p.CreateWallet(t.Context(), payclient.NewWallet{}, ""); err != nil {
		t.Fatal(err)
	}
	return &till{p, p, map[string]string{}, func() { p.Poor = false }, func() { p.Broke = true }, func() { p.Late = true }}
}

// realTill is pay behind its API.
func realTill(t *testing.T, now time.Time) *till {
	t.Helper()
	clock := func() time.Time { return now }
	db := dbtest.Open(t, dbtest.SQLite(t), pay.Migrate)
	s := pay.New(pay.Config{
		DB: db, Ledger: ledger.New(db, clock), Jobs: job.New(db, clock), Now: clock, Currency: money.CNY, Provider: pay.Sandbox{}, BaseURL: "http://pay.test",
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	type callerKey struct{}
	mux := http.NewServeMux()
	payapi.Routes(mux, s, func(ctx context.Context) pay.Caller {
		c, _ := ctx.Value(callerKey{}).(pay.Caller)
		return c
	})
	there := &http.Client{Transport: web.Local{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := pay.Caller{Merchant: "shop"}
		if token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); token != c.Merchant {
			c.User = authclient.UserID(token)
		}
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})}}
	as := func(who string) *payclient.Client {
		return payclient.New("http://pay.local", rest.Bearer(there, func(context.Context) (string, error) { return who, nil }))
	}
	buyer, seller := as("usr_bob"), as("usr_ann")
	w, err := buyer.CreateWallet(t.Context(), payclient.NewWallet{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return &till{buyer, as("shop"), map[string]string{},
		func() {
			if _, err := buyer.CreateTopUp(t.Context(), payclient.NewTopUp{Wallet: w.ID, Amount: "12"}, ""); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			list, err := seller.Wallets(t.Context(), payclient.Page{})
			if err != nil {
				t.Fatal(err)
			}
			all := []payclient.Party{{Payee: "usr_eve", Amount: list.Items[0].Available}}
			if _, err := seller.Create(t.Context(), payclient.NewPayment{Order: "z", Parties: all}); err != nil {
				t.Fatal(err)
			}
		},
		func() { now = now.Add(time.Hour) },
	}
}

var opens = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// What the shop's own tests take for pay answers and refuses as pay does. Each call finds what
// those before it have left.
func TestTheShopsTestsPlayPay(t *testing.T) {
	for name, with := range map[string]*till{"shoptest": fakeTill(t), "pay": realTill(t, opens)} {
		t.Run(name, func(t *testing.T) {
			with.waits(t)
			with.opens(t)
			with.paid()
			with.isTaken(t)
			with.goesOut(t)
			with.spent()
			is(t, "back of what is spent", with.back(t, "a", "f6", "ann", "1.00", ""), "pay.payee_short")
			is(t, "all back of what is spent", with.back(t, "a", "f6", "ann", "all", ""), "pay.payee_short")
			with.late()
			with.isOver(t)
		})
	}
}

func is(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

const (
	short     = "pay.insufficient, available 0.00, missing 12.00"
	untouched = "12.00, taken 0.00, back 0.00, given 0.00; ann 8.00, taken 0.00, back 0.00, given 0.00; cara 4.00, taken 0.00, back 0.00, given 0.00"
	taken     = "a is captured: 12.00, taken 12.00, back 0.00, given 0.00; ann 8.00, taken 8.00, back 0.00, given 0.00; cara 4.00, taken 4.00, back 0.00, given 0.00"
	atLast    = "a is captured: 12.00, taken 12.00, back 7.00, given 5.00; ann 8.00, taken 8.00, back 3.00, given 5.00; cara 4.00, taken 4.00, back 4.00, given 0.00"
)

// shares are what is bought of two sellers.
func shares() []payclient.Party { return []payclient.Party{share("cara", 400), share("ann", 800)} }

func share(payee string, minor int64) payclient.Party {
	return payclient.Party{Payee: "usr_" + payee, Amount: money.Amount{Minor: minor, Currency: money.CNY}}
}

// waits asks for money that isn't there.
func (x *till) waits(t *testing.T) {
	is(t, "nothing is there", x.read(t, "a"), "pay.no_payment")
	is(t, "too little money", x.ask(t, "a", "", shares()...), short)
	is(t, "it waits", x.read(t, "a"), "a is open: "+untouched)
	is(t, "again, for other money", x.ask(t, "a", "", share("ann", 900), share("cara", 300)), "pay.mismatch")
	is(t, "again, for one more", x.ask(t, "a", "", append(shares(), share("dan", 1))...), "pay.mismatch")
	is(t, "again, from nobody's wallet", x.ask(t, "a", "wal_none", shares()...), "pay.wallet_not_found of wallet")
	is(t, "another from nobody's wallet", x.ask(t, "b", "wal_none", shares()...), "pay.wallet_not_found of wallet")
	is(t, "which leaves nothing", x.read(t, "b"), "pay.no_payment")
	is(t, "back before it is taken", x.back(t, "a", "f0", "ann", "all", ""), "pay.not_captured")
	is(t, "given before it is taken", x.give(t, "a", "r0", "ann", "1.00"), "pay.not_captured")
	is(t, "back of none", x.back(t, "b", "f0", "ann", "all", ""), "pay.no_payment")
	is(t, "given of none", x.give(t, "b", "r0", "ann", "all"), "pay.no_payment")
	is(t, "one that will be closed", x.ask(t, "c", "", shares()...), short)
	for range 2 {
		is(t, "closed", x.end(t, "c"), "c is closed: "+untouched)
		is(t, "closed before it is asked for", x.end(t, "d"), "d is closed: 0.00, taken 0.00, back 0.00, given 0.00")
		is(t, "asked for when it is closed", x.ask(t, "c", "", shares()...), "pay.closed")
		is(t, "asked for for the first time", x.ask(t, "d", "", shares()...), "pay.closed")
	}
	is(t, "back of what is closed", x.back(t, "c", "f0", "ann", "all", ""), "pay.not_captured")
	is(t, "one that will be late", x.ask(t, "e", "", shares()...), short)
}

// opens makes wallets beside the one that there is.
func (x *till) opens(t *testing.T) {
	for range 2 {
		is(t, "a full one", x.open(t, "Full", "3", "full"), "Full has 3.00")
		is(t, "an empty one", x.open(t, "Empty", "", "empty"), "Empty has 0.00")
	}
	is(t, "another with that key", x.open(t, "Full", "4", "full"), "idempotency.mismatch")
	is(t, "no amount", x.open(t, "Odd", "abc", "odd"), "money.malformed of amount")
	is(t, "a refusal uses no key up", x.open(t, "Odd", "1", "odd"), "Odd has 1.00")
	is(t, "one without a key", x.open(t, "Twin", "", ""), "Twin has 0.00")
	is(t, "and another", x.open(t, "Twin", "", ""), "Twin has 0.00")
	is(t, "nobody's", walletOr(x.buyer.Wallet(t.Context(), "wal_none")), "pay.wallet_not_found of wallet")
	list, err := x.buyer.Wallets(t.Context(), payclient.Page{})
	var all []string
	for _, w := range list.Items {
		w, err := x.buyer.Wallet(t.Context(), w.ID)
		all = append(all, walletOr(w, err))
	}
	is(t, "all", or(strings.Join(all, ", "), err), " has 0.00 by default, Full has 3.00, Empty has 0.00, Odd has 1.00, Twin has 0.00, Twin has 0.00")
}

func (x *till) open(t *testing.T, name, amount, key string) string {
	return walletOr(x.buyer.CreateWallet(t.Context(), payclient.NewWallet{Name: name, Amount: amount}, key))
}

func walletOr(w payclient.Wallet, err error) string {
	text := fmt.Sprintf("%s has %s", w.Name, w.Balance)
	if w.Available != w.Balance {
		text += fmt.Sprintf(", %s available", w.Available)
	}
	if w.Default {
		text += " by default"
	}
	return or(text, err)
}

// isTaken pays at last.
func (x *till) isTaken(t *testing.T) {
	for range 2 {
		is(t, "paid", x.ask(t, "a", "", shares()...), taken)
		is(t, "closed too late", x.end(t, "a"), taken)
		is(t, "read", x.read(t, "a"), taken)
	}
	is(t, "again, for other money", x.ask(t, "a", "", share("ann", 1200)), "pay.mismatch")
	is(t, "nobody's share back", x.back(t, "a", "f1", "dan", "all", ""), "pay.no_party of payee")
	is(t, "nobody's share given", x.give(t, "a", "r1", "dan", "1.00"), "pay.no_party of payee")
	is(t, "nothing back", x.back(t, "a", "f1", "ann", "0", ""), "pay.amount of amount")
	is(t, "nothing given", x.give(t, "a", "r1", "ann", "0.00"), "pay.amount of amount")
}

// goesOut gives back and on what was taken.
func (x *till) goesOut(t *testing.T) {
	for range 2 {
		is(t, "given", x.give(t, "a", "1", "ann", "3.00"), "1 of a: 3.00 to ann, net 3.00")
		is(t, "back, with the same id", x.back(t, "a", "1", "ann", "2.00", "broken"), "1 of a: 2.00 of ann's from escrow, broken")
	}
	is(t, "given again, another amount", x.give(t, "a", "1", "ann", "2.00"), "pay.mismatch")
	is(t, "given again, all", x.give(t, "a", "1", "ann", "all"), "pay.mismatch")
	is(t, "given again, to another", x.give(t, "a", "1", "cara", "3.00"), "pay.mismatch")
	is(t, "back again, another amount", x.back(t, "a", "1", "ann", "1.00", "broken"), "pay.mismatch")
	is(t, "back again, another reason", x.back(t, "a", "1", "ann", "2.00", "late"), "pay.mismatch")
	is(t, "more back than waits", x.back(t, "a", "f2", "ann", "3.01", ""), "pay.too_much of amount, left 3.00")
	is(t, "more given than waits", x.give(t, "a", "r2", "ann", "3.01"), "pay.too_much of amount, left 3.00")
	for range 2 {
		is(t, "the rest given", x.give(t, "a", "r2", "ann", "all"), "r2 of a: 3.00 to ann, net 3.00")
		is(t, "the rest back", x.back(t, "a", "f4", "cara", "all", ""), "f4 of a: 4.00 of cara's from escrow, ")
	}
	is(t, "the rest given, as a number", x.give(t, "a", "r2", "ann", "3.00"), "pay.mismatch")
	is(t, "another rest given", x.give(t, "a", "r3", "ann", "all"), "pay.too_much of amount, left 0.00")
	is(t, "another rest back", x.back(t, "a", "f5", "cara", "all", ""), "pay.too_much of amount, left 0.00")
	is(t, "back of what was given", x.back(t, "a", "f2", "ann", "1.00", ""), "f2 of a: 1.00 of ann's from payee, ")
	is(t, "more back than was given", x.back(t, "a", "f3", "ann", "5.01", ""), "pay.too_much of amount, left 5.00")
	is(t, "where it is", x.read(t, "a"), atLast)
	is(t, "all", x.list(t, "", "", 0), "a captured, c closed, d closed, e open")
	is(t, "some", x.list(t, "a", "d", 2), "c closed, d closed")
	is(t, "page by page", x.list(t, "", "d", 2), "a captured, c closed | d closed")
}

// isOver asks when the time to pay is over.
func (x *till) isOver(t *testing.T) {
	for range 2 {
		is(t, "too late", x.ask(t, "e", "", shares()...), "pay.expired")
		is(t, "closed", x.end(t, "e"), "e is closed: "+untouched)
	}
	is(t, "a new one", x.ask(t, "f", "", shares()...), "pay.expiry of expires_at")
	is(t, "which leaves nothing", x.read(t, "f"), "pay.no_payment")
	is(t, "one that was paid", x.ask(t, "a", "", shares()...), atLast)
	is(t, "one that was closed in time", x.ask(t, "c", "", shares()...), "pay.closed")
}

func (x *till) ask(t *testing.T, order, wallet string, parties ...payclient.Party) string {
	return paymentOr(x.buyer.Create(t.Context(), payclient.NewPayment{Order: order, Wallet: wallet, Parties: parties, ExpiresAt: opens.Add(30 * time.Minute)}))
}

func (x *till) read(t *testing.T, order string) string {
	p, err := x.shop.PaymentOf(t.Context(), order)
	x.ids[order] = p.ID
	return paymentOr(p, err)
}

func (x *till) end(t *testing.T, order string) string {
	p, err := x.shop.Close(t.Context(), order)
	x.ids[order] = p.ID
	return paymentOr(p, err)
}

// list is all pages of so many.
func (x *till) list(t *testing.T, after, upTo string, limit int) string {
	var pages []string
	for page := (payclient.Page{Limit: limit}); ; {
		all, err := x.shop.Payments(t.Context(), payclient.OrderRange{After: after, UpTo: upTo}, page)
		if err != nil {
			return or("", err)
		}
		var orders []string
		for _, p := range all.Items {
			orders = append(orders, p.Order+" "+p.State)
		}
		pages = append(pages, strings.Join(orders, ", "))
		if page.Cursor = all.Next; page.Cursor == "" {
			return strings.Join(pages, " | ")
		}
	}
}

// id is that of a payment, or of none.
func (x *till) id(order string) string { return cmp.Or(x.ids[order], "pay_none") }

func (x *till) back(t *testing.T, order, id, payee, amount, reason string) string {
	r, err := x.shop.Refund(t.Context(), x.id(order), payclient.NewRefund{ID: id, Payee: "usr_" + payee, Amount: some(amount), Reason: reason})
	if r.Payment != x.id(order) && err == nil {
		err = fmt.Errorf("it is of payment %s", r.Payment)
	}
	return or(fmt.Sprintf("%s of %s: %s of %s's from %s, %s", r.ID, r.Order, r.Amount, name(r.Payee), r.From, r.Reason), err)
}

func (x *till) give(t *testing.T, order, id, payee, amount string) string {
	r, err := x.shop.Release(t.Context(), x.id(order), payclient.NewRelease{ID: id, Payee: "usr_" + payee, Amount: some(amount)})
	if r.Payment != x.id(order) && err == nil {
		err = fmt.Errorf("it is of payment %s", r.Payment)
	}
	return or(fmt.Sprintf("%s of %s: %s to %s, net %s", r.ID, r.Order, r.Amount, name(r.Payee), r.Net), err)
}

func some(amount string) *money.Input {
	if amount == "all" {
		return nil
	}
	return &money.Input{Amount: amount}
}

func name(payee string) string { return strings.TrimPrefix(payee, "usr_") }

func paymentOr(p payclient.Payment, err error) string {
	text := fmt.Sprintf("%s is %s: %s, taken %s, back %s, given %s", p.Order, p.State, p.Amount, p.Captured, p.Refunded, p.Released)
	for _, s := range p.Parties {
		text += fmt.Sprintf("; %s %s, taken %s, back %s, given %s", name(s.Payee), s.Amount, s.Captured, s.Refunded, s.Released)
	}
	return or(text, err)
}

// or is the answer, or the refusal with its field and the amounts that come with it.
func or(answer string, err error) string {
	if err == nil {
		return answer
	}
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		return err.Error()
	}
	answer = f.Code
	if f.Field != "" {
		answer += " of " + f.Field
	}
	for _, key := range []string{"available", "missing", "left"} {
		if v, ok := f.Extra[key]; ok {
			var a money.Amount // which a client has as it travels
			b, err := json.Marshal(v)
			if err := errors.Join(err, json.Unmarshal(b, &a)); err != nil {
				return err.Error()
			}
			answer += fmt.Sprintf(", %s %s", key, a)
		}
	}
	return answer
}
