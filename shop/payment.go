package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// Pay asks pay for the money of a pending order, from that wallet or the buyer's default
// one. As with PlaceOrder the order stands beside an error. An order that has come to its
// end is returned as it is.
func (s *Service) Pay(ctx context.Context, buyer authclient.UserID, oid OrderID, wallet string) (Order, error) {
	o, err := s.Order(ctx, buyer, oid)
	if err != nil {
		return o, err
	}
	return s.pay(ctx, o, wallet)
}

func (s *Service) pay(ctx context.Context, o Order, wallet string) (Order, error) {
	if o.State != Pending {
		return o, nil
	}
	in, err := newPayment(o, wallet)
	if err != nil {
		return o, err
	}
	p, err := s.payer.Create(ctx, in) // a call: never inside a transaction
	crash.Point("shop.pay.asked")
	if short, ok := payclient.ShortageOf(err); ok {
		return o, shopclient.ErrUnpaid.
			With("order", string(o.ID)).
			With("available", short.Available).
			With("missing", short.Missing).
			With("checkout_url", short.CheckoutURL)
	}
	if errors.Is(err, payclient.ErrClosed) {
		now, err := s.Settle(ctx, o.ID)
		if err != nil {
			return o, err
		}
		return now, nil
	}
	if errors.Is(err, payclient.ErrExpired) || errors.Is(err, payclient.ErrExpiry) { // it waited until its deadline
		return s.close(ctx, o)
	}
	if err != nil {
		return o, fmt.Errorf("pay order %s: %w", o.ID, err)
	}
	paid, err := s.conclude(ctx, o, p)
	if err != nil {
		return o, database.Afterwards(err) // the money is taken, so the order will be paid: the job sees to it
	}
	return paid, nil
}

// checkWallet refuses a wallet that isn't the buyer's before anything is written. Pay does
// too, but is asked for the money when the pieces are held. No wallet changes hands.
func (s *Service) checkWallet(ctx context.Context, wallet string) error {
	if wallet == "" {
		return nil
	}
	if !strings.HasPrefix(wallet, "wal_") { // as part of an address it could lead elsewhere
		return payclient.ErrNotFound
	}
	_, err := s.payer.Wallet(ctx, wallet)
	return err
}

// newPayment shares an order's total among its sellers.
func newPayment(o Order, wallet string) (payclient.NewPayment, error) {
	shares := map[authclient.UserID]money.Amount{}
	for _, l := range o.Lines {
		line, err := money.Amount{Minor: l.Price, Currency: o.Currency}.Times(l.Quantity)
		if err != nil {
			return payclient.NewPayment{}, err
		}
		share, ok := shares[l.Seller]
		if !ok {
			share.Currency = o.Currency
		}
		if shares[l.Seller], err = share.Add(line); err != nil {
			return payclient.NewPayment{}, err
		}
	}
	in := payclient.NewPayment{Order: string(o.ID), Wallet: wallet, ExpiresAt: o.DeadlineAt.Time}
	for seller, share := range shares {
		in.Parties = append(in.Parties, payclient.Party{Payee: string(seller), Amount: share})
	}
	// Asking twice must be asking the same.
	slices.SortFunc(in.Parties, func(a, b payclient.Party) int { return cmp.Compare(a.Payee, b.Payee) })
	return in, nil
}

// Settle brings an order to where its payment is. It is for the browser that comes back
// from the cashier and for the job alike; who comes first wins, the others change nothing.
func (s *Service) Settle(ctx context.Context, oid OrderID) (Order, error) {
	o, _, err := s.settle(ctx, oid)
	return o, err
}

// settle is Settle, and tells whether pay was asked for the order's money. If not, nobody
// has asked yet, or the request is still on its way.
func (s *Service) settle(ctx context.Context, oid OrderID) (o Order, asked bool, err error) {
	o, err = s.order(ctx, oid)
	if err != nil || o.State != Pending {
		return o, true, err
	}
	p, err := s.payments.PaymentOf(ctx, string(oid))
	if errors.Is(err, payclient.ErrNoPayment) {
		return o, false, nil
	}
	if err != nil {
		return o, true, fmt.Errorf("payment of order %s: %w", oid, err)
	}
	o, err = s.conclude(ctx, o, p)
	return o, true, err
}

// Cancel ends a pending order of the buyer's.
func (s *Service) Cancel(ctx context.Context, buyer authclient.UserID, oid OrderID) (Order, error) {
	o, err := s.Order(ctx, buyer, oid)
	if err != nil || o.State == Canceled {
		return o, err
	}
	if o.State != Pending {
		return Order{}, shopclient.ErrWrongState
	}
	o, err = s.close(ctx, o)
	if err != nil {
		return Order{}, err
	}
	if o.State != Canceled {
		return Order{}, shopclient.ErrWrongState
	}
	return o, nil
}

// close closes the payment first: the order is canceled only when pay says that nothing
// was captured and nothing can be any more. What is captured makes it paid.
func (s *Service) close(ctx context.Context, o Order) (Order, error) {
	p, err := s.payments.Close(ctx, string(o.ID)) // a call: never inside a transaction
	crash.Point("shop.pay.closed")
	if err != nil {
		return o, fmt.Errorf("close the payment of order %s: %w", o.ID, err)
	}
	now, err := s.conclude(ctx, o, p)
	return now, database.Afterwards(err)
}

// conclude brings a pending order to where pay says that its payment is.
func (s *Service) conclude(ctx context.Context, o Order, p payclient.Payment) (Order, error) {
	switch p.State {
	case payclient.Captured:
		if p.Captured != o.Amount() {
			return o, fmt.Errorf("order %s costs %s but payment %s took %s", o.ID, o.Amount(), p.ID, p.Captured)
		}
		now, err := s.finish(ctx, o, Paid)
		if err == nil && now.State == Canceled {
			return now, s.arrivedLate(ctx, o.ID)
		}
		return now, err
	case payclient.Closed:
		return s.finish(ctx, o, Canceled)
	}
	return o, nil
}
