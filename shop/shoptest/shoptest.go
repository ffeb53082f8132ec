// Package shoptest is what tests of the shop and of its doors share: a pay that does as it
// is told.
package shoptest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
)

// Pay is as much of pay as the shop can see. Each failure comes in two kinds: before the
// thing is done, or after it. A test of app holds it to the real one.
//
// Unlike that it knows of one buyer, who has all the money that is asked for or none; of no
// clock, so that only Create and Close find that time is over; and of no fee. Payments are
// without their people, wallet, address and times; wallets keep what they were made with, without
// numbers and times, and are on one page.
type Pay struct {
	mu       sync.Mutex // guards all
	payments map[string]payclient.Payment
	expired  map[string]bool // orders whose payments are closed since their time was over
	done     map[string]done // refunds and releases
	wallets  []payclient.Wallet
	asked    map[string]payclient.NewWallet // with a key

	Poor    bool  // there is too little money
	Late    bool  // the time to pay is over
	Before  error // failed and not done
	After   error // failed but done
	Creates int   // calls of Create that arrived
	Broke   bool  // payees have spent what they were given
}

// wanted is what is asked for of a share; amount 0 is all that is left of it.
type wanted struct {
	payee, reason string
	amount        int64
}

// done is what was asked for, and done, under an id.
type done struct {
	wanted
	amount money.Amount
	from   string
}

// NewPay is a pay in which everybody has enough money.
func NewPay() *Pay {
	return &Pay{payments: map[string]payclient.Payment{}, expired: map[string]bool{}, done: map[string]done{}, asked: map[string]payclient.NewWallet{}}
}

// Set changes its fields while others may call it.
func (p *Pay) Set(change func(*Pay)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// Payment is what there is for an order, the zero value for none.
func (p *Pay) Payment(order string) payclient.Payment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.payments[order]
}

// Capture is the buyer at the cashier, who pays that much; nil is all of it.
func (p *Pay) Capture(order string, amount *money.Amount) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.payments[order]
	if amount == nil {
		amount = &x.Amount
	}
	p.payments[order] = captured(x, *amount)
}

// captured is a payment of which so much was taken, of one share after the other.
func captured(x payclient.Payment, amount money.Amount) payclient.Payment {
	x.State, x.Captured = payclient.Captured, amount
	x.Parties = slices.Clone(x.Parties) // others hold the payment as it was
	left := amount.Minor
	for i := range x.Parties {
		party := &x.Parties[i]
		party.Captured.Minor = min(left, party.Amount.Minor)
		left -= party.Captured.Minor
	}
	return x
}

// PutBack makes the payment for an order what it once was, the zero value for never: pay's
// database was put back. What is done by these ids is forgotten.
func (p *Pay) PutBack(order string, to payclient.Payment, ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.payments[order] = to; to.ID == "" {
		delete(p.payments, order)
	}
	for _, id := range ids {
		delete(p.done, "refund pay_"+order+" "+id)
		delete(p.done, "release pay_"+order+" "+id)
	}
}

// Create pays at once, unless there is too little money.
func (p *Pay) Create(_ context.Context, in payclient.NewPayment) (payclient.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Creates++
	if p.Before != nil {
		return payclient.Payment{}, p.Before
	}
	if in.Wallet != "" && !slices.ContainsFunc(p.wallets, func(w payclient.Wallet) bool { return w.ID == in.Wallet }) {
		return payclient.Payment{}, payclient.ErrNotFound
	}
	asked := open(in)
	x, again := p.payments[in.Order]
	if again && x.State == payclient.Open && p.Late {
		x = p.close(in.Order, x)
	}
	switch {
	case !again && p.Late:
		return payclient.Payment{}, payclient.ErrExpiry
	case !again:
		x = asked
	case p.expired[in.Order]:
		return payclient.Payment{}, payclient.ErrExpired
	case x.State == payclient.Closed:
		return payclient.Payment{}, payclient.ErrClosed
	case !slices.EqualFunc(x.Parties, asked.Parties, func(a, b payclient.Party) bool { return a.Payee == b.Payee && a.Amount == b.Amount }):
		return payclient.Payment{}, payclient.ErrMismatch
	case x.State == payclient.Captured:
		return x, p.After
	}
	if !p.Poor {
		x = captured(x, x.Amount)
	}
	p.payments[in.Order] = x
	if p.After != nil {
		return payclient.Payment{}, p.After
	}
	if p.Poor {
		return payclient.Payment{}, payclient.ErrInsufficient.
			With("available", money.Amount{Currency: money.CNY}).
			With("missing", x.Amount).
			With("checkout_url", "/pay/checkout/"+x.ID).
			With("payment", x.ID)
	}
	return x, nil
}

// open is a payment as it is asked for, its shares by payee.
func open(in payclient.NewPayment) payclient.Payment {
	zero := money.Amount{Currency: money.CNY}
	x := payclient.Payment{
		ID: "pay_" + in.Order, Order: in.Order, State: payclient.Open,
		Amount: zero, Captured: zero, Refunded: zero, Released: zero,
	}
	for _, party := range in.Parties {
		x.Amount.Minor += party.Amount.Minor
		x.Parties = append(x.Parties, payclient.Party{Payee: party.Payee, Amount: party.Amount, Captured: zero, Refunded: zero, Released: zero})
	}
	slices.SortFunc(x.Parties, func(a, b payclient.Party) int { return cmp.Compare(a.Payee, b.Payee) })
	return x
}

// close ends a payment that is open.
func (p *Pay) close(order string, x payclient.Payment) payclient.Payment {
	x.State = payclient.Closed
	p.payments[order], p.expired[order] = x, p.Late && x.Amount.Minor > 0
	return x
}

// PaymentOf is the payment of an order.
func (p *Pay) PaymentOf(_ context.Context, order string) (payclient.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Payment{}, p.Before
	}
	x, ok := p.payments[order]
	if !ok {
		return payclient.Payment{}, payclient.ErrNoPayment
	}
	return x, nil
}

// Payments is a page of those of a range of orders.
func (p *Pay) Payments(_ context.Context, in payclient.OrderRange, page payclient.Page) (payclient.Payments, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out payclient.Payments
	for _, order := range slices.Sorted(maps.Keys(p.payments)) {
		if order <= max(in.After, page.Cursor) || in.UpTo != "" && order > in.UpTo {
			continue
		}
		if n := len(out.Items); n == cmp.Or(page.Limit, 20) {
			out.Next = out.Items[n-1].Order
			break
		}
		x := p.payments[order]
		x.Order = order
		out.Items = append(out.Items, x)
	}
	return out, p.Before
}

// Close closes what is not captured.
func (p *Pay) Close(_ context.Context, order string) (payclient.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Payment{}, p.Before
	}
	x, asked := p.payments[order]
	if !asked {
		x = open(payclient.NewPayment{Order: order})
	}
	if x.State == payclient.Open {
		x = p.close(order, x)
	}
	if p.After != nil {
		return payclient.Payment{}, p.After
	}
	return x, nil
}

// Refund gives money back: out of escrow, or of what the payee was given once nothing is
// left there.
func (p *Pay) Refund(_ context.Context, payment string, in payclient.NewRefund) (payclient.Refund, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got, x, err := p.share("refund", payment, in.ID, wanted{payee: in.Payee, reason: in.Reason}, in.Amount, func(x *payclient.Payment, party *payclient.Party, amount int64) (done, error) {
		out := done{from: payclient.FromEscrow}
		left := inEscrow(*party)
		given := left == 0 && party.Released.Minor > 0
		if given {
			left, out.from = party.Released.Minor, payclient.FromPayee
		}
		var err error
		if out.amount, err = some(*party, amount, left); err != nil {
			return done{}, err
		}
		if given {
			if p.Broke {
				return done{}, payclient.ErrPayeeShort
			}
			party.Released.Minor -= out.amount.Minor
			x.Released.Minor -= out.amount.Minor
		}
		party.Refunded.Minor += out.amount.Minor
		x.Refunded.Minor += out.amount.Minor
		return out, nil
	})
	if err != nil {
		return payclient.Refund{}, err
	}
	return payclient.Refund{ID: in.ID, Payment: payment, Order: x.Order, Payee: in.Payee, Amount: got.amount, Reason: in.Reason, From: got.from}, p.After
}

// Release gives a payee their share out of escrow.
func (p *Pay) Release(_ context.Context, payment string, in payclient.NewRelease) (payclient.Release, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	got, x, err := p.share("release", payment, in.ID, wanted{payee: in.Payee}, in.Amount, func(x *payclient.Payment, party *payclient.Party, amount int64) (done, error) {
		sum, err := some(*party, amount, inEscrow(*party))
		if err != nil {
			return done{}, err
		}
		party.Released.Minor += sum.Minor
		x.Released.Minor += sum.Minor
		return done{amount: sum}, nil
	})
	if err != nil {
		return payclient.Release{}, err
	}
	return payclient.Release{
		ID: in.ID, Payment: payment, Order: x.Order, Payee: in.Payee,
		Amount: got.amount, Fee: money.Amount{Currency: money.CNY}, Net: got.amount,
	}, p.After
}

func inEscrow(party payclient.Party) int64 {
	return party.Captured.Minor - party.Refunded.Minor - party.Released.Minor
}

// some is so much of what is left of a share, 0 being all of it.
func some(party payclient.Party, amount, left int64) (money.Amount, error) {
	if left == 0 || amount > left {
		return money.Amount{}, payclient.ErrTooMuch.With("payee", party.Payee).With("left", money.Amount{Minor: left, Currency: money.CNY})
	}
	return money.Amount{Minor: cmp.Or(amount, left), Currency: money.CNY}, nil
}

// share does something with a payee's share of a captured payment, once for an id of its
// kind. Sum is what it is about, nil for all that is left.
func (p *Pay) share(kind, payment, id string, want wanted, sum *money.Input, do func(x *payclient.Payment, party *payclient.Party, amount int64) (done, error)) (done, payclient.Payment, error) {
	if p.Before != nil {
		return done{}, payclient.Payment{}, p.Before
	}
	if sum != nil {
		a, err := sum.In(money.CNY)
		if err != nil {
			return done{}, payclient.Payment{}, fault.Of(err).On("amount")
		}
		if want.amount = a.Minor; want.amount == 0 {
			return done{}, payclient.Payment{}, payclient.ErrAmount
		}
	}
	order := strings.TrimPrefix(payment, "pay_")
	x, ok := p.payments[order]
	if !ok {
		return done{}, payclient.Payment{}, payclient.ErrNoPayment
	}
	key := kind + " " + payment + " " + id
	if before, again := p.done[key]; again {
		if before.wanted != want {
			return done{}, payclient.Payment{}, payclient.ErrMismatch
		}
		return before, x, nil
	}
	if x.State != payclient.Captured {
		return done{}, payclient.Payment{}, payclient.ErrNotCaptured
	}
	i := slices.IndexFunc(x.Parties, func(party payclient.Party) bool { return party.Payee == want.payee })
	if i < 0 {
		return done{}, payclient.Payment{}, payclient.ErrNoParty
	}
	x.Parties = slices.Clone(x.Parties) // others hold the payment as it was
	got, err := do(&x, &x.Parties[i], want.amount)
	if err != nil {
		return done{}, payclient.Payment{}, err
	}
	got.wanted = want
	p.payments[order], p.done[key] = x, got
	return got, x, nil
}

// Wallets are those that CreateWallet made, whoever asks.
func (p *Pay) Wallets(context.Context, payclient.Page) (payclient.Wallets, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Wallets{}, p.Before
	}
	return payclient.Wallets{Items: p.wallets}, nil
}

// Wallet is one of those.
func (p *Pay) Wallet(_ context.Context, id string) (payclient.Wallet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Wallet{}, p.Before
	}
	for _, w := range p.wallets {
		if w.ID == id {
			return w, nil
		}
	}
	return payclient.Wallet{}, payclient.ErrNotFound
}

// CreateWallet makes one with the amount in it, once for a key.
func (p *Pay) CreateWallet(_ context.Context, in payclient.NewWallet, key string) (payclient.Wallet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Wallet{}, p.Before
	}
	a, err := money.Parse(cmp.Or(in.Amount, "0"), money.CNY)
	if err != nil {
		return payclient.Wallet{}, fault.Of(err).On("amount")
	}
	id := "wal_" + cmp.Or(key, strconv.Itoa(len(p.wallets)))
	if before, again := p.asked[key]; again {
		if before != in {
			return payclient.Wallet{}, database.ErrMismatch
		}
		i := slices.IndexFunc(p.wallets, func(w payclient.Wallet) bool { return w.ID == id })
		return p.wallets[i], nil
	}
	if key != "" {
		p.asked[key] = in
	}
	w := payclient.Wallet{ID: id, Name: in.Name, Balance: a, Available: a, Default: len(p.wallets) == 0}
	p.wallets = append(p.wallets, w)
	return w, nil
}
