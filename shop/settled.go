package shop

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
)

// Share is a seller's part of a paid order.
type Share struct {
	OrderID OrderID
	Seller  authclient.UserID
}

// Settled is what has been decided of a share's money, in minor units, and what of it pay is
// known to have done.
type Settled struct {
	Share
	Amount   int64
	Granted  int64 // to go back to the buyer
	PaidBack int64 // of it: done
	Due      int64 // to the seller, who had sent when the buyer received
	Released int64 // of it: done, and not granted to go back since
}

// OrdersAfter are up to n orders that follow one, by id, without their lines, and which of the
// pending ones will be brought to where their payments are.
func (s *Service) OrdersAfter(ctx context.Context, after OrderID, n int) ([]Order, map[string]bool, error) {
	var all []Order
	var awaited map[string]bool
	err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewSelect().Model(&all).Where("id > ?", after).Order("id").Limit(int64(n)).Scan(ctx)
		if err != nil {
			return err
		}
		var pending []string
		for _, o := range all {
			if o.State == Pending {
				pending = append(pending, string(o.ID))
			}
		}
		awaited, err = s.jobs.Awaited(ctx, tx, settleJob, pending)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read orders: %w", err)
	}
	return all, awaited, nil
}

// SettledAfter is that of the paid orders that follow one, by id, up to another; "" is no end.
func (s *Service) SettledAfter(ctx context.Context, after, upTo OrderID) (map[Share]Settled, error) {
	shipments := database.Range[OrderID]{After: after, UpTo: upTo}.Of(s.db.NewSelect().TableExpr("shipments AS s"), "s.order_id")
	back := s.db.NewSelect().Table("refunds").ColumnExpr("COALESCE(SUM(amount), 0)").Where("shipment_id = s.id").Where("paid_at IS NOT NULL")
	var shares []Settled
	err := shipments.Column("s.order_id", "s.seller", "s.amount").
		ColumnExpr("s.refunded AS granted, s.released AS due, (?) AS paid_back", back).
		ColumnExpr("CASE WHEN s.released_at IS NULL THEN 0 ELSE s.amount - s.refunded END AS released").Scan(ctx, &shares)
	if err != nil {
		return nil, fmt.Errorf("read shipments: %w", err)
	}
	all := make(map[Share]Settled, len(shares))
	for _, x := range shares {
		all[x.Share] = x
	}
	return all, nil
}
