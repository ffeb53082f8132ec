package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// books is what the shop knows of an order's money.
type books struct {
	Order              // without an id there is none
	changed time.Time  // when the shop last decided something of its money, or heard of it
	shares  []Shipment // of a paid order
	refunds []Refund   // in the order in which they were granted
}

// difference is something that the shop and pay don't agree on.
type difference struct{ what, found string }

// Compare tells in what an order, the zero one where there is none, doesn't agree with its payment,
// the zero one where nobody has asked for its money: one of shopclient's Found…, "" for nothing, and
// what each of them says. It leaves out how the money is shared.
func Compare(o Order, p payclient.Payment) (what, found string) {
	captured := p.State == payclient.Captured
	kept := captured && p.Refunded != p.Captured
	payable := p.State == payclient.Open || p.State == payclient.Authorized
	unpaid := o.State == Pending || o.State == Canceled
	switch {
	case o.ID == "" && kept:
		return shopclient.FoundNoOrder, fmt.Sprintf("payment %s took %s", p.ID, p.Captured)
	case o.ID == "" && payable: // an order is written before pay is asked for its money
		return shopclient.FoundNotClosed, fmt.Sprintf("payment %s is %s, and there is no order", p.ID, p.State)
	case o.ID == "" || p.ID == "" && unpaid:
		return "", ""
	case p.ID == "":
		return shopclient.FoundNotCaptured, fmt.Sprintf("it is %s and has no payment", o.State)
	case o.State == Pending && captured:
		what = shopclient.FoundNotPaid
	case o.State == Pending && p.State == payclient.Closed:
		what = shopclient.FoundNotCanceled
	case o.State == Canceled && payable:
		what = shopclient.FoundNotClosed
	case o.State == Canceled && kept:
		what = shopclient.FoundNotRepaid
	case !unpaid && (!captured || p.Captured != o.Amount()):
		what = shopclient.FoundNotCaptured
	default:
		return "", ""
	}
	return what, fmt.Sprintf("it is %s and costs %s; payment %s is %s, took %s and gave %s back", o.State, o.Amount(), p.ID, p.State, p.Captured, p.Refunded)
}

// differences compares an order with its payment, and each seller's share. One that nobody has
// ended for long after its deadline has lost its job. Of each kind there is one, the first: it is
// mended for all shares.
func (b books) differences(p payclient.Payment, now time.Time) []difference {
	if what, found := Compare(b.Order, p); what != "" {
		return []difference{{what, found}}
	}
	if b.State == Pending && now.Sub(b.DeadlineAt.Time) > differs {
		return []difference{{shopclient.FoundNotCanceled, fmt.Sprintf("it was to be paid until %s, and is pending", b.DeadlineAt.UTC().Format(time.RFC3339))}}
	}
	var all []difference
	add := func(d difference) {
		if !slices.ContainsFunc(all, func(x difference) bool { return x.what == d.what }) {
			all = append(all, d)
		}
	}
	for _, sh := range b.shares {
		i := slices.IndexFunc(p.Parties, func(x payclient.Party) bool { return x.Payee == string(sh.Seller) })
		if i < 0 {
			add(difference{shopclient.FoundNotCaptured, fmt.Sprintf("payment %s has no share of %s", p.ID, sh.Seller)})
			continue
		}
		for _, d := range b.shareDifferences(sh, p.Parties[i]) {
			add(d)
		}
	}
	return all
}

// shareDifferences compares a seller's share. What was released and then granted to the buyer
// comes out of what was released.
func (b books) shareDifferences(sh Shipment, p payclient.Party) []difference {
	amount := func(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: b.Currency} }
	heard := true
	for _, r := range b.refunds {
		heard = heard && (r.ShipmentID != sh.ID || !r.PaidAt.IsZero())
	}
	due := int64(0)
	if sh.Released > 0 {
		due = sh.left()
	}
	is := fmt.Sprintf("shipment %s: the shop granted %s to the buyer and %s to the seller; pay gave %s back and released %s",
		sh.ID, amount(sh.Refunded), amount(due), amount(p.Refunded.Minor), amount(p.Released.Minor))
	var all []difference
	if p.Released.Minor < due || sh.Released > 0 && sh.ReleasedAt.IsZero() {
		all = append(all, difference{shopclient.FoundRelease, is})
	}
	if p.Refunded.Minor < sh.Refunded || !heard {
		all = append(all, difference{shopclient.FoundRefund, is})
	}
	if p.Refunded.Minor > sh.Refunded || p.Refunded.Minor == sh.Refunded && p.Released.Minor > due {
		all = append(all, difference{shopclient.FoundUndecided, is})
	}
	return all
}

// booksOf reads what the shop knows of the orders that q narrows to.
func (s *Service) booksOf(ctx context.Context, which func(column string, q *bun.SelectQuery) *bun.SelectQuery) (map[OrderID]books, error) {
	var orders []Order
	var events []orderEvent
	var shipments []Shipment
	var refunds []struct {
		Refund
		GrantedAt database.Time
	}
	err := errors.Join(
		which("id", s.db.NewSelect().Model(&orders)).Scan(ctx),
		which("order_id", s.db.NewSelect().Model(&events)).Scan(ctx),
		which("order_id", s.db.NewSelect().Model(&shipments)).Scan(ctx),
		which("order_id", s.db.NewSelect().Model((*Refund)(nil))).
			Join("JOIN refund_events AS e ON e.refund_id = refund.id AND e.state = refund.state").
			ColumnExpr("?TableColumns, e.at AS granted_at").Where("refund.state = ?", Granted).Order("e.at", "refund.id").Scan(ctx, &refunds))
	if err != nil {
		return nil, fmt.Errorf("read the books of orders: %w", err)
	}
	all := make(map[OrderID]books, len(orders))
	for _, o := range orders {
		all[o.ID] = books{Order: o}
	}
	add := func(of OrderID, add func(*books), at ...database.Time) {
		b, known := all[of]
		if !known {
			return // placed in this moment
		}
		add(&b)
		for _, t := range at {
			if t.After(b.changed) {
				b.changed = t.Time
			}
		}
		all[of] = b
	}
	for _, e := range events {
		add(e.OrderID, func(*books) {}, e.At)
	}
	for _, sh := range shipments {
		add(sh.OrderID, func(b *books) { b.shares = append(b.shares, sh) }, sh.ReceivedAt, sh.ReleasedAt)
	}
	for _, r := range refunds {
		add(r.OrderID, func(b *books) { b.refunds = append(b.refunds, r.Refund) }, r.GrantedAt, r.PaidAt)
	}
	return all, nil
}
