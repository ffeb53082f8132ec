// Package shoptest is what tests of the shop and of its doors share: a pay that does as it
// is told.
package shoptest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
)

// Pay is as much of pay as the shop can see. Each failure comes in two kinds: before the
// thing is done, or after it.
type Pay struct {
	mu       sync.Mutex // guards all
	payments map[string]payclient.Payment
	done     map[string]money.Amount // refunds and releases by their ids
	wallets  []payclient.Wallet

	Poor    bool  // there is too little money
	Late    bool  // the time to pay is over
	Before  error // failed and not done
	After   error // failed but done
	Creates int   // calls of Create that arrived
	Broke   bool  // payees have spent what they were given
}

// NewPay is a pay in which everybody has enough money.
func NewPay() *Pay {
	return &Pay{payments: map[string]payclient.Payment{}, done: map[string]money.Amount{}}
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
	x.State, x.Captured = payclient.Captured, x.Amount
	if amount != nil {
		x.Captured = *amount
	}
	p.payments[order] = x
}

// PutBack makes the payment for an order what it once was, or never: pay's database was put
// back. What is done by these ids is forgotten.
func (p *Pay) PutBack(order string, to payclient.Payment, ids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.payments[order] = to
	for _, id := range ids {
		delete(p.done, id)
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
	if p.Late {
		return payclient.Payment{}, payclient.ErrExpiry
	}
	if in.Wallet != "" && !slices.ContainsFunc(p.wallets, func(w payclient.Wallet) bool { return w.ID == in.Wallet }) {
		return payclient.Payment{}, payclient.ErrNotFound
	}
	x := p.payments[in.Order]
	switch x.State {
	case payclient.Closed:
		return payclient.Payment{}, payclient.ErrClosed
	case payclient.Captured:
		return x, p.After
	}
	x = payclient.Payment{ID: "pay_" + in.Order, Order: in.Order, Parties: in.Parties, State: payclient.Open}
	x.Amount.Currency, x.Captured.Currency = money.CNY, money.CNY
	x.Refunded.Currency, x.Released.Currency = money.CNY, money.CNY
	for _, party := range in.Parties {
		x.Amount.Minor += party.Amount.Minor
	}
	if !p.Poor {
		x.State, x.Captured = payclient.Captured, x.Amount
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

// Payments is those of a range of orders, on one page.
func (p *Pay) Payments(_ context.Context, in payclient.OrderRange, _ payclient.Page) (payclient.Payments, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out payclient.Payments
	for order, x := range p.payments {
		if order > in.After && order <= in.UpTo {
			x.Order = order
			out.Items = append(out.Items, x)
		}
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
	x := p.payments[order]
	if x.State != payclient.Captured {
		x.ID, x.State = "pay_"+order, payclient.Closed
		p.payments[order] = x
	}
	if p.After != nil {
		return payclient.Payment{}, p.After
	}
	return x, nil
}

// Refund gives money back: out of escrow, or of what the payee was given.
func (p *Pay) Refund(_ context.Context, payment string, in payclient.NewRefund) (payclient.Refund, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Refund{}, p.Before
	}
	r := payclient.Refund{ID: in.ID, Payment: payment, Payee: in.Payee, From: payclient.FromEscrow}
	err := p.share(payment, in.ID, in.Payee, in.Amount, &r.Amount, func(x *payclient.Payment, party *payclient.Party, escrow, amount int64) error {
		switch {
		case amount <= escrow:
		case escrow > 0 || amount > party.Released.Minor:
			return payclient.ErrTooMuch
		case p.Broke:
			return payclient.ErrPayeeShort
		default:
			r.From = payclient.FromPayee
			party.Released.Minor -= amount
			x.Released.Minor -= amount
		}
		party.Refunded.Minor += amount
		x.Refunded.Minor += amount
		return nil
	})
	return r, err
}

// Release gives a payee their share out of escrow.
func (p *Pay) Release(_ context.Context, payment string, in payclient.NewRelease) (payclient.Release, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Release{}, p.Before
	}
	r := payclient.Release{ID: in.ID, Payment: payment, Payee: in.Payee}
	err := p.share(payment, in.ID, in.Payee, in.Amount, &r.Amount, func(x *payclient.Payment, party *payclient.Party, escrow, amount int64) error {
		if amount > escrow {
			return payclient.ErrTooMuch
		}
		party.Released.Minor += amount
		x.Released.Minor += amount
		return nil
	})
	return r, err
}

// share does something with a payee's share of a captured payment, once for an id. Sum is
// what it is about, nil for all that is left in escrow; it is told in out.
func (p *Pay) share(payment, id, payee string, sum *money.Input, out *money.Amount, do func(x *payclient.Payment, party *payclient.Party, escrow, amount int64) error) error {
	order := strings.TrimPrefix(payment, "pay_")
	x, ok := p.payments[order]
	if !ok || x.State != payclient.Captured {
		return payclient.ErrNotCaptured
	}
	i := slices.IndexFunc(x.Parties, func(party payclient.Party) bool { return party.Payee == payee })
	if i < 0 {
		return payclient.ErrNoParty
	}
	x.Parties = slices.Clone(x.Parties) // others hold the payment as it was
	party := &x.Parties[i]
	escrow := party.Amount.Minor - party.Refunded.Minor - party.Released.Minor
	*out = money.Amount{Minor: escrow, Currency: money.CNY}
	if sum != nil {
		var err error
		if *out, err = sum.In(money.CNY); err != nil {
			return err
		}
	}
	if before, again := p.done[id]; again {
		if before != *out {
			return payclient.ErrMismatch
		}
		return p.After
	}
	if err := do(&x, party, escrow, out.Minor); err != nil {
		return err
	}
	p.payments[order], p.done[id] = x, *out
	return p.After
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

// CreateWallet makes one with the amount in it.
func (p *Pay) CreateWallet(_ context.Context, in payclient.NewWallet, key string) (payclient.Wallet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Before != nil {
		return payclient.Wallet{}, p.Before
	}
	a, err := money.Parse(in.Amount, money.CNY)
	if err != nil {
		return payclient.Wallet{}, fault.Of(err).On("amount")
	}
	w := payclient.Wallet{ID: "wal_" + key, Name: in.Name, Balance: a, Available: a}
	p.wallets = append(p.wallets, w)
	return w, nil
}
