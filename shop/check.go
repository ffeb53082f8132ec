package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/ledger"
)

// grace is how long after its deadline an order may still wait: for the job, and for a
// pay that is away.
const grace = 15 * time.Minute

// checked is how many products are compared with the ledger at a time.
const checked = 200

// The invariants of the shop, as they are reported.
const (
	StockAddsUp   = "supplied = available + held + sold"
	HeldIsPending = "what is held is what pending orders ask for"
	SoldIsPaid    = "what is sold is what paid orders asked for, without what went back unsent"
	TotalIsLines  = "an order's total is that of its lines"
	HistoryEnds   = "an order's history has its state"
	NothingLate   = "no order is pending long after its deadline"
)

// Check reports every invariant of the shop and of its ledger that does not hold: which
// one, of which product or order, and what was found. The shop's part reads one moment
// of the database; the ledger's is exact when nothing else goes on. The error is for
// what could not be checked.
func (s *Service) Check(ctx context.Context, report ledger.Report) error {
	if _, err := s.ledger.Check(ctx, report); err != nil {
		return fmt.Errorf("check the ledger: %w", err)
	}
	return s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.checkStock(ctx, tx, report); err != nil {
			return fmt.Errorf("check stock: %w", err)
		}
		if err := s.checkOrders(ctx, tx, report); err != nil {
			return fmt.Errorf("check orders: %w", err)
		}
		if err := s.checkShipments(ctx, tx, report); err != nil {
			return fmt.Errorf("check shipments: %w", err)
		}
		return nil
	})
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

// asked is how many pieces of a product are in orders of a state.
type asked struct {
	ProductID ProductID
	State     State
	Pieces    int64
}

func (s *Service) checkStock(ctx context.Context, tx bun.Tx, report ledger.Report) error {
	var sums []asked
	err := tx.NewSelect().TableExpr("order_lines AS l").Join("JOIN orders AS o ON o.id = l.order_id").
		Join("LEFT JOIN shipments AS s ON s.order_id = l.order_id AND s.seller = l.seller").
		ColumnExpr("l.product_id, o.state, SUM(l.quantity) AS pieces").
		Where("s.id IS NULL OR s.state <> ? OR s.shipped_at IS NOT NULL", Refunded). // what was never sent is sold again
		GroupExpr("l.product_id, o.state").Scan(ctx, &sums)
	if err != nil {
		return err
	}
	held, sold := map[ProductID]int64{}, map[ProductID]int64{}
	for _, a := range sums {
		switch a.State {
		case Pending:
			held[a.ProductID] += a.Pieces
		case Paid, Completed:
			sold[a.ProductID] += a.Pieces
		}
	}
	var last ProductID
	for {
		var ids []ProductID
		err := tx.NewSelect().Model((*Product)(nil)).Column("id").Where("id > ?", last).Order("id").Limit(checked).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return err
		}
		last = ids[len(ids)-1]
		accounts := make([]ledger.AccountID, 0, 3*len(ids))
		for _, p := range ids {
			accounts = append(accounts, supplyOf(p), stockOf(p), soldOf(p))
		}
		balances, err := s.ledger.BalancesIn(ctx, tx, accounts...)
		if err != nil {
			return err
		}
		for _, p := range ids {
			supplied, stock, out := -balances[supplyOf(p)].Posted, balances[stockOf(p)], balances[soldOf(p)].Posted
			if supplied != stock.Posted+out || stock.Available < 0 || stock.Posted != stock.Available+stock.Held {
				report(StockAddsUp, string(p), fmt.Sprintf("supplied %d, available %d, held %d, sold %d", supplied, stock.Available, stock.Held, out))
			}
			if stock.Held != held[p] {
				report(HeldIsPending, string(p), fmt.Sprintf("%d held, orders have %d", stock.Held, held[p]))
			}
			if out != sold[p] {
				report(SoldIsPaid, string(p), fmt.Sprintf("%d sold, orders have %d", out, sold[p]))
			}
		}
	}
}

func (s *Service) checkOrders(ctx context.Context, tx bun.Tx, report ledger.Report) error {
	var unrecorded []OrderID
	err := tx.NewSelect().TableExpr("orders AS o").
		Join("LEFT JOIN order_events AS e ON e.order_id = o.id AND e.state = o.state").
		Column("o.id").Where("e.order_id IS NULL").Scan(ctx, &unrecorded)
	if err != nil {
		return err
	}
	for _, o := range unrecorded {
		report(HistoryEnds, string(o), "it has not")
	}

	var wrong []OrderID
	err = tx.NewSelect().TableExpr("orders AS o").
		Join("LEFT JOIN order_lines AS l ON l.order_id = o.id").
		Column("o.id").GroupExpr("o.id, o.total").
		Having("COALESCE(SUM(l.price * l.quantity), 0) <> o.total").Scan(ctx, &wrong)
	if err != nil {
		return err
	}
	for _, o := range wrong {
		report(TotalIsLines, string(o), "it is not")
	}

	var late []OrderID
	err = tx.NewSelect().Model((*Order)(nil)).Column("id").
		Where("state = ?", Pending).
		Where("deadline_at < ?", database.At(s.now().Add(-grace))).
		Order("deadline_at").Scan(ctx, &late)
	if err != nil {
		return err
	}
	for _, o := range late {
		report(NothingLate, string(o), fmt.Sprintf("pending for more than %s after it", grace))
	}
	return nil
}
