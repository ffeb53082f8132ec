package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/rapidtest"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop/shoptest"
)

var dan = Person{"usr_dan", "Dan"} // buys, and has little money

// Whatever people, their purses and time do with orders, asked again or not, is what the model
// says, and every invariant holds after each step. How many sequences of how many steps:
// -rapid.checks, -rapid.steps.
//
// After a step that committed nothing, and by which nothing changes in the model, there is
// nothing new to see: on MariaDB and TiDB, where looking is most of the work and commits can be
// counted, such a step is looked at together with the next one, or at the sequence's end.
func TestTheShopIsItsModel(t *testing.T) {
	rapidtest.Brief(t)
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		runs, steps, looks := 0, 0, 0
		done := &commits{}
		db.NewSelect().DB().AddQueryHook(done) // not WithQueryHook: db would not use the copy
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			w := newWorld(t, db)
			counted := done.n.Load() > 0 // those that write don't use this pool on SQLite
			verbs, before, want := w.verbs(), int64(-1), ""
			verbs[""] = func(rt *rapid.T) {
				steps++
				now, model := done.n.Load(), w.m.String()
				if !counted || now != before || model != want {
					looks++
					w.check(rt)
				}
				before, want = now, model
				w.m.now = w.m.now.Add(time.Second)
			}
			rt.Repeat(verbs)
			w.check(rt)
		})
		t.Logf("%d sequences, %d steps, %d of them looked at", runs, steps, looks)
	}, Migrate)
}

// commits counts the transactions that were committed through a pool.
type commits struct{ n atomic.Int64 }

func (*commits) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (c *commits) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if e.Query == "COMMIT" {
		c.n.Add(1)
	}
}

// purses is a pay that counts what people have.
type purses struct {
	*shoptest.Pay
	now    func() time.Time
	had    map[authclient.UserID]int64  // in the beginning
	buyers map[string]authclient.UserID // of orders that it was asked for
}

// payer is in a context whose money it is.
type payer struct{}

// has is what somebody has now.
func (p *purses) has(user authclient.UserID) int64 {
	sum := p.had[user]
	for order, buyer := range p.buyers {
		x := p.Payment(order)
		if buyer == user {
			sum += x.Refunded.Minor - x.Captured.Minor
		}
		for _, party := range x.Parties {
			if party.Payee == string(user) {
				sum += party.Released.Minor
			}
		}
	}
	return sum
}

// Create takes the money of whoever has enough, as long as there is time.
func (p *purses) Create(ctx context.Context, in payclient.NewPayment) (payclient.Payment, error) {
	buyer := ctx.Value(payer{}).(authclient.UserID)
	p.buyers[in.Order] = buyer
	total := int64(0)
	for _, party := range in.Parties {
		total += party.Amount.Minor
	}
	poor := p.has(buyer) < total
	state := p.Payment(in.Order).State
	late := (state == "" || state == payclient.Open) && !p.now().Before(in.ExpiresAt)
	p.Set(func(x *shoptest.Pay) { x.Poor, x.Late = poor, late })
	return p.Pay.Create(ctx, in)
}

// be makes pay well, away or mute.
func (p *purses) be(how temper) {
	p.Set(func(x *shoptest.Pay) {
		x.Before, x.After = nil, nil
		switch how {
		case away:
			x.Before = unreachable
		case mute:
			x.After = noReply
		}
	})
}

// world is a shop beside its model, whose clock it goes by.
type world struct {
	*Service
	ctx    context.Context
	pay    *purses
	m      *model
	wishes []wish // orders that were asked for
	tokens int
}

type wish struct {
	buyer authclient.UserID
	in    NewOrder
	key   string
}

// tables are all that a sequence leaves something in, the children first.
var tables = []string{
	"refund_events", "refunds", "shipment_events", "shipments", "order_events", "order_lines", "orders", "cart_lines", "products", "buyers",
	"once", "jobs", "transfers", "accounts", "batches",
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		for _, name := range tables {
			if _, err := tx.NewDelete().Table(name).Where("1 = 1").Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	had := func() map[authclient.UserID]int64 {
		return map[authclient.UserID]int64{ann.ID: 0, bob.ID: 10_000, cara.ID: 1_000_000, dan.ID: 500}
	}
	terms := DefaultTerms
	terms.OpenOrders, terms.OpenPieces = 2, 15
	terms.AnswerTime += time.Millisecond // so that no two timers are due at one moment
	m := newModel(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), terms, had())
	now := func() time.Time { return m.now }
	w := &world{ctx: t.Context(), m: m, pay: &purses{shoptest.NewPay(), now, had(), map[string]authclient.UserID{}}}
	w.Service = New(Config{
		DB: db, Ledger: ledger.New(db, now), Jobs: job.New(db, now), Payer: w.pay, Payments: w.pay,
		Currency: money.CNY, PayTime: m.payTime, Terms: terms, Now: now, Operators: []authclient.UserID{olga.ID},
	})
	for _, p := range []struct {
		seller Person
		stock  int64
	}{{ann, 1000}, {cara, 1000}, {ann, 4}} {
		if err := w.offer(p.seller, 1200, p.stock); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) offer(seller Person, price, stock int64) error {
	title := fmt.Sprint("product ", len(w.m.products))
	p, err := w.AddProduct(w.ctx, seller, NewProduct{Title: title, Price: decimal(price), Stock: stock}, w.token())
	w.m.products = append(w.m.products, &modelProduct{id: p.ID, title: title, seller: seller.ID, price: price, available: stock})
	return err
}

func (w *world) token() string {
	w.tokens++
	return fmt.Sprint("key ", w.tokens)
}

func decimal(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

// passes lets time pass and has done what is due, and what pay has to do in turn.
func (w *world) passes(rt *rapid.T, d time.Duration) {
	turns := []time.Duration{d}
	if w.m.pay == well {
		turns = append(turns, slices.Repeat([]time.Duration{settleMost}, maxRequests)...)
	}
	for _, d := range turns {
		w.m.pass(d)
		if err := w.CatchUp(w.ctx, slog.New(slog.DiscardHandler)); err != nil {
			rt.Fatal(err)
		}
	}
}

func (w *world) be(how temper) {
	w.m.pay = how
	w.pay.be(how)
}

// check compares everything.
func (w *world) check(rt *rapid.T) {
	if got, want := w.look(rt), w.m.String(); got != want {
		rt.Fatalf("there is\n%s\nthe model has\n%s", differing(got, want), differing(want, got))
	}
	_, err := w.Check(w.ctx, func(invariant, id, found string) { rt.Errorf("broken: %s: %s: %s", invariant, id, found) })
	if err != nil {
		rt.Fatal(err)
	}
}

// differing are the lines of a text that another one hasn't.
func differing(text, from string) string {
	other := strings.Split(from, "\n")
	return strings.Join(slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return slices.Contains(other, l) }), "\n")
}

// look is what there really is, in the words of [model.String].
func (w *world) look(rt *rapid.T) string {
	must := func(err error) {
		if err != nil {
			rt.Fatal(err)
		}
	}
	products, _, err := w.Products(w.ctx, ProductQuery{TakenDown: true}, page(100))
	must(err)
	var accounts []ledger.AccountID
	for _, p := range products {
		accounts = append(accounts, stockOf(p.ID), soldOf(p.ID))
	}
	balances, err := w.ledger.Balances(w.ctx, accounts...)
	must(err)
	var lines []string
	for _, p := range products {
		lines = append(lines, fmt.Sprintf("%s costs %d, down %t: %d available, %d held, %d sold",
			p.Title, p.Price, p.State == Down, p.Stock, balances[stockOf(p.ID)].Held, balances[soldOf(p.ID)].Posted))
	}
	for user := range w.m.money {
		lines = append(lines, fmt.Sprintf("%s has %d", user, w.pay.has(user)))
		cart, err := w.Cart(w.ctx, user)
		must(err)
		for i, l := range cart.Lines {
			lines = append(lines, fmt.Sprintf("%s's cart %d: %d of %s, seen for %d, %q", user, i, l.Quantity, l.Product.Title, l.Seen.Minor, l.Trouble))
		}
		lines = append(lines, fmt.Sprintf("%s's cart comes to %d", user, cart.Total.Minor))
		for cursor, more := "", true; more; more = cursor != "" {
			var orders []Detail
			orders, cursor, err = w.Orders(w.ctx, user, database.Page{Cursor: cursor, Limit: 100})
			must(err)
			for _, d := range orders {
				i := slices.IndexFunc(w.m.orders, func(o *modelOrder) bool { return o.id == d.ID })
				lines = append(lines, nowOf(i, d, w.pay.Payment(string(d.ID)))...)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// nowOf is what there really is of an order and its payment, in the words of [modelOrder.now].
func nowOf(i int, d Detail, x payclient.Payment) (lines []string) {
	for k, sh := range d.Shipments {
		open := ""
		for n, r := range sh.Refunds {
			lines = append(lines, fmt.Sprintf("order %d shipment %d refund %d: %s %d, paid %t", i, k, n, r.State, r.Amount, !r.PaidAt.IsZero()))
			if r.ID == sh.OpenRefund {
				open = fmt.Sprint(n)
			}
		}
		lines = append(lines, fmt.Sprintf("order %d shipment %d: %s's is %s, %d of %d refunded in %d requests, open %q, %d released, done %t, confirmed %s",
			i, k, sh.Seller, sh.State, sh.Refunded, sh.Amount, sh.Requests, open, sh.Released, !sh.ReleasedAt.IsZero(), sh.ConfirmAt))
	}
	return append(lines, fmt.Sprintf("order %d: %s's is %s, costs %d, waits until %s; payment %q, %d back, %d given",
		i, d.Buyer, d.State, d.Total, d.DeadlineAt, x.State, x.Refunded.Minor, x.Released.Minor))
}

// same compares answers.
func (w *world) same(rt *rapid.T, what string, got, want error) {
	if (got == nil) != (want == nil) || want != nil && !errors.Is(got, want) {
		rt.Fatalf("%s: got %v, the model says %v", what, got, want)
	}
}
