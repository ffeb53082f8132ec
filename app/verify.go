package app

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/job"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/shopclient"
)

// The invariants between shop and pay, as they are reported.
const (
	paidIsCaptured = "an order is paid exactly when its payment is captured, with the same amount"
	paidOnce       = "an order has one payment"
	settledAlike   = "what went back and what was released of a payment is what its order's shipments say"
)

const (
	// captureGrace is how long a captured payment may wait for its order to become paid:
	// longer than the shop's job pauses.
	captureGrace = 5 * time.Minute
	// compareBatch is how many orders are compared at a time.
	compareBatch = 1000
)

// verification is a run of Verify.
type verification struct {
	market *Market
	out    io.Writer
	broken int
}

func (v *verification) report(invariant, id, found string) {
	v.broken++
	_, _ = fmt.Fprintf(v.out, "VIOLATED %s: %s: %s\n", invariant, id, found)
}

func (v *verification) run(ctx context.Context, modules []string) error {
	var p *pay.Service
	var s *shop.Service
	var err error
	if slices.Contains(modules, "pay") {
		if p, err = v.pay(ctx); err != nil {
			return fmt.Errorf("pay: %w", err)
		}
	}
	if slices.Contains(modules, "shop") {
		if s, err = v.shop(ctx); err != nil {
			return fmt.Errorf("shop: %w", err)
		}
	}
	if p == nil || s == nil {
		return nil
	}
	c := comparison{now: v.market.now(), report: v.report}
	if err := c.run(ctx, s, p); err != nil {
		return fmt.Errorf("compare shop and pay: %w", err)
	}
	_, err = fmt.Fprintf(v.out, "shop and pay: %d orders and %d payments compared, %d paid, %d captured payments wait for their order\n", c.orders, c.payments, c.paid, c.waiting)
	return err
}

// chains checks the seals of the ledgers that were opened.
func (v *verification) chains(ctx context.Context, heads map[string]ledger.Head) error {
	for _, s := range v.market.stores {
		n, err := v.market.chain(s.module, s.db).Verify(ctx, heads[s.module], func(invariant, id, found string) {
			v.report(invariant, s.module+" "+id, found)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.module, err)
		}
		_, err = fmt.Fprintf(v.out, "%s: %d transfers in %d seals, %d wait for one, head %s\n", s.module, n.Transfers, n.Seals, n.Unsealed, n.Head)
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) pay(ctx context.Context) (*pay.Service, error) {
	s, _, err := v.market.payService(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.Check(ctx, v.report)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(v.out, "pay: %d accounts, %d entries, %d wallets, %d payments, %d refunds, %d releases, %d top-ups\n",
		n.Accounts, n.Transfers, n.Wallets, n.Payments, n.Refunds, n.Releases, n.TopUps)
	return s, err
}

func (v *verification) shop(ctx context.Context) (*shop.Service, error) {
	db, err := v.market.openShop(ctx)
	if err != nil {
		return nil, err
	}
	s := v.market.shopOver(db, shop.Config{Jobs: job.New(db, v.market.now)})
	n, err := s.Check(ctx, v.report)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(v.out, "shop: %d accounts, %d entries, %d products, %d orders\n", n.Accounts, n.Transfers, n.Products, n.Orders)
	return s, err
}

// comparison is a run through the orders of shop and the payments that pay has for them.
type comparison struct {
	now    time.Time
	report ledger.Report

	orders, payments, paid, waiting int
}

// run reads a batch of orders and then the payments for the same range of ids. Since an
// order is paid only after its payment is captured, a paid one is exact even while people
// buy; a payment that is captured in between is within its grace.
func (c *comparison) run(ctx context.Context, s *shop.Service, p *pay.Service) error {
	after := shop.OrderID("")
	for {
		orders, awaited, err := s.OrdersAfter(ctx, after, compareBatch)
		if err != nil {
			return err
		}
		upTo := "" // of the last batch: whatever else there is
		if len(orders) == compareBatch {
			upTo = string(orders[len(orders)-1].ID)
		}
		before, err := s.SettledAfter(ctx, after, shop.OrderID(upTo))
		if err != nil {
			return err
		}
		payments := make(map[string]payclient.Payment, len(orders))
		for _, o := range orders {
			payments[string(o.ID)] = payclient.Payment{}
		}
		var last pay.Payment
		err = p.EachPayment(ctx, "shop", string(after), upTo, func(x pay.Payment) {
			if x.Order == last.Order {
				c.report(paidOnce, x.Order, fmt.Sprintf("%s and %s", last.ID, x.ID))
			} else {
				c.payments++
			}
			last = x
			if _, known := payments[x.Order]; !known { // however many there are, none is kept
				c.order(x.Order, shop.Order{}, x.Document(), false)
				return
			}
			payments[x.Order] = x.Document()
		})
		if err != nil {
			return err
		}
		now, err := s.SettledAfter(ctx, after, shop.OrderID(upTo))
		if err != nil {
			return err
		}
		for _, o := range orders {
			c.orders++
			x := payments[string(o.ID)]
			agrees := c.order(string(o.ID), o, x, awaited[string(o.ID)])
			if o.State == shop.Paid || o.State == shop.Completed {
				c.paid++
				if agrees {
					c.settled(x, before, now)
				}
			}
		}
		if upTo == "" {
			return nil
		}
		after = orders[len(orders)-1].ID
	}
}

// order compares one with its payment, and tells whether they agree. What pay has done a moment
// ago the shop may not have heard of; an awaited order has a job that asks.
func (c *comparison) order(id string, o shop.Order, x payclient.Payment, awaited bool) bool {
	what, found := shop.Compare(o, x)
	young := x.SettledAt != nil && c.now.Sub(*x.SettledAt) < captureGrace
	switch {
	case what == "" || what == shopclient.FoundNotCanceled: // that one's job comes, or is overdue
	case what == shopclient.FoundNotClosed && o.ID == "" && c.now.Sub(x.CreatedAt) < captureGrace: // placed since orders were read
	case what == shopclient.FoundNotPaid && x.Captured == o.Amount() && (young || awaited), what == shopclient.FoundNoOrder && young:
		c.waiting++
	default:
		c.report(paidIsCaptured, id, found)
	}
	return what == ""
}

// settled compares what was done with each seller's share of a paid order. Shop decides before
// pay does it, and learns of it afterwards: so pay has done what shop knew before, and nothing
// that isn't decided now. A seller who is no party is missed in somebody else's amount.
func (c *comparison) settled(x payclient.Payment, before, now map[shop.Share]shop.Settled) {
	for _, p := range x.Parties {
		share := shop.Share{OrderID: shop.OrderID(x.Order), Seller: authclient.UserID(p.Payee)}
		then, today := before[share], now[share]
		back, released := p.Refunded.Minor, p.Released.Minor
		returned := today.Granted - then.Granted // it may have come out of what was released
		if p.Captured.Minor != today.Amount || back < then.PaidBack || back > today.Granted || released < then.Released-returned || released > today.Due {
			c.report(settledAlike, x.Order, fmt.Sprintf("of payment %s %s was taken for %s, %s went back and %s was released; shop has %d, %d granted (%d done) and %d due (%d done)",
				x.ID, p.Captured, p.Payee, p.Refunded, p.Released, today.Amount, today.Granted, then.PaidBack, today.Due, then.Released))
		}
	}
}
