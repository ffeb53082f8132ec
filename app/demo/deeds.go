package demo

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"

	"jishi/kit/money"
	"jishi/shop/shopclient"
)

// deed is something that a buyer or a seller does with a seller's part of a purchase.
type deed struct {
	days   int // ago
	order  int // place in purchases
	seller string
	do     func(context.Context, trade) error
}

// trade is a seller's part of a purchase and both sides of it.
type trade struct {
	shipment      shopclient.Shipment
	buyer, seller *shopclient.Client
}

// refund is the last one that was asked for, if there is any.
func (t trade) refund() (shopclient.Refund, bool) {
	n := len(t.shipment.Refunds)
	if n == 0 {
		return shopclient.Refund{}, false
	}
	return t.shipment.Refunds[n-1], true
}

// Each deed looks first whether it was done, so that loading again changes nothing.

func sent(carrier string) func(context.Context, trade) error {
	return func(ctx context.Context, t trade) error {
		if t.shipment.State != shopclient.Waiting {
			return nil
		}
		number := fmt.Sprintf("JS%010d", crc32.ChecksumIEEE([]byte(t.shipment.ID)))
		_, err := t.seller.Ship(ctx, t.shipment.ID, shopclient.Shipping{Carrier: carrier, Tracking: number})
		return err
	}
}

func received(ctx context.Context, t trade) error {
	_, err := t.buyer.Receive(ctx, t.shipment.ID) // twice is once
	return err
}

func givenBack(reason string) func(context.Context, trade) error {
	return func(ctx context.Context, t trade) error {
		_, err := t.seller.GiveBack(ctx, t.shipment.ID, reason) // twice is once
		return err
	}
}

// asked is for all of it with the amount "".
func asked(amount, reason string) func(context.Context, trade) error {
	return func(ctx context.Context, t trade) error {
		if _, done := t.refund(); done {
			return nil
		}
		in := shopclient.NewRefund{Reason: reason}
		if amount != "" {
			in.Amount = &money.Input{Amount: amount}
		}
		_, err := t.buyer.AskRefund(ctx, t.shipment.ID, in, key("refund", t.shipment.ID))
		return err
	}
}

func granted(ctx context.Context, t trade) error {
	r, _ := t.refund()
	_, err := t.seller.Grant(ctx, r.ID) // twice is once
	return err
}

func refused(answer string) func(context.Context, trade) error {
	return func(ctx context.Context, t trade) error {
		r, _ := t.refund()
		_, err := t.seller.Refuse(ctx, r.ID, answer) // the same words twice are once
		return err
	}
}

// trade does what was done on each day since the opening, and what follows by itself.
func (l *loader) trade(ctx context.Context) error {
	orders := make([]string, len(purchases)) // ids
	for day := opening; day >= 0; day-- {
		l.Ago(ago(day))
		for i, p := range purchases {
			if p.days != day {
				continue
			}
			var err error
			if orders[i], err = l.buy(ctx, p, key("order", fmt.Sprint(i))); err != nil {
				return fmt.Errorf("order %d of %s: %w", i, p.buyer, err)
			}
		}
		for _, d := range deeds {
			if d.days != day {
				continue
			}
			if err := l.carryOn(ctx, d, orders[d.order]); err != nil {
				return fmt.Errorf("%s %d days ago with order %d: %w", d.seller, day, d.order, err)
			}
		}
		if err := l.CatchUp(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) carryOn(ctx context.Context, d deed, order string) error {
	t := trade{buyer: l.shop(purchases[d.order].buyer), seller: l.shop(d.seller)}
	o, err := t.seller.Order(ctx, order)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(sellers, func(p person) bool { return p.login == d.seller })
	n := slices.IndexFunc(o.Shipments, func(sh shopclient.Shipment) bool { return sh.Seller.Name == sellers[i].name })
	if n < 0 {
		return fmt.Errorf("it has nothing of %s", d.seller)
	}
	t.shipment = o.Shipments[n]
	return d.do(ctx, t)
}
