package shop

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Settled is what has been decided of an order's money after it was paid, in minor units, and
// what of it pay is known to have done.
type Settled struct {
	OrderID  OrderID
	Granted  int64 // to go back to the buyer
	PaidBack int64 // of it: done
	Due      int64 // to its sellers, when they had sent and the buyer received
	Released int64 // of it: done, and not granted to go back since
}

// OrdersAfter are up to n orders that follow one, by id, without their lines.
func (s *Service) OrdersAfter(ctx context.Context, after OrderID, n int) ([]Order, error) {
	var all []Order
	err := s.db.NewSelect().Model(&all).Where("id > ?", after).Order("id").Limit(int64(n)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return all, nil
}

// SettledAfter is that of the paid orders that follow one, by id, up to another; "" is no end.
func (s *Service) SettledAfter(ctx context.Context, after, upTo OrderID) (map[OrderID]Settled, error) {
	orders := database.Range[OrderID]{After: after, UpTo: upTo}
	within := func(q *bun.SelectQuery) *bun.SelectQuery {
		return orders.Of(q, "order_id").Column("order_id").GroupExpr("order_id")
	}
	var shares, back []Settled
	err := within(s.db.NewSelect().Table("shipments")).
		ColumnExpr("SUM(refunded) AS granted, SUM(released) AS due").
		ColumnExpr("SUM(CASE WHEN released_at IS NULL THEN 0 ELSE amount - refunded END) AS released").Scan(ctx, &shares)
	if err != nil {
		return nil, fmt.Errorf("sum up shipments: %w", err)
	}
	err = within(s.db.NewSelect().Table("refunds")).ColumnExpr("SUM(amount) AS paid_back").Where("paid_at IS NOT NULL").Scan(ctx, &back)
	if err != nil {
		return nil, fmt.Errorf("sum up refunds: %w", err)
	}
	all := make(map[OrderID]Settled, len(shares))
	for _, x := range shares {
		all[x.OrderID] = x
	}
	for _, b := range back {
		x := all[b.OrderID]
		x.PaidBack = b.PaidBack
		all[b.OrderID] = x
	}
	return all, nil
}
