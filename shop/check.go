package shop

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/ledger"
)

// How much a check reads at a time. All order lines are read once for each part of the
// products, of which it remembers how many pieces orders have.
const (
	productPart  = 100_000
	productBatch = 200 // compared with the ledger
	orderPage    = 1000
)

// The invariants of the shop's goods, as they are reported.
const (
	StockAddsUp   = "supplied = available + held + sold"
	HeldIsPending = "what is held is what pending orders ask for"
	SoldIsPaid    = "what is sold is what paid orders asked for, without what went back unsent"
)

// Checked is how much a check read.
type Checked struct {
	ledger.Checked
	Products, Orders int64
}

// Check reports every invariant of the shop and of its ledger that does not hold: which
// one, of which product or order, and what was found. What belongs together is read as it
// was at one moment, so that what changes meanwhile is no violation. The error is for what
// could not be checked.
func (s *Service) Check(ctx context.Context, report ledger.Report) (Checked, error) {
	var c Checked
	var err error
	if c.Checked, err = s.ledger.Check(ctx, report); err != nil {
		return c, fmt.Errorf("check the ledger: %w", err)
	}
	if c.Products, err = s.checkProducts(ctx, report); err != nil {
		return c, fmt.Errorf("check stock: %w", err)
	}
	if c.Orders, err = s.checkOrders(ctx, report); err != nil {
		return c, fmt.Errorf("check orders: %w", err)
	}
	return c, nil
}

// checkProducts compares the ledger with the orders, a part of the products at a time.
func (s *Service) checkProducts(ctx context.Context, report ledger.Report) (n int64, err error) {
	for part := (database.Range[ProductID]{}); ; {
		var ids []ProductID
		err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
			err := part.Of(tx.NewSelect().Model((*Product)(nil)), "id").Column("id").Order("id").Limit(productPart).Scan(ctx, &ids)
			if err != nil {
				return err
			}
			if len(ids) == productPart {
				part.UpTo = ids[len(ids)-1]
			}
			return s.checkPart(ctx, tx, part, ids, report)
		})
		n += int64(len(ids))
		if err != nil || part.UpTo == "" {
			return n, err
		}
		part = database.Range[ProductID]{After: part.UpTo}
	}
}

func (s *Service) checkPart(ctx context.Context, tx bun.Tx, part database.Range[ProductID], ids []ProductID, report ledger.Report) error {
	ordered, err := countPieces(ctx, tx, part)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(ids, productBatch) {
		accounts := make([]ledger.AccountID, 0, 3*len(batch))
		for _, p := range batch {
			accounts = append(accounts, supplyOf(p), stockOf(p), soldOf(p))
		}
		balances, err := s.ledger.BalancesIn(ctx, tx, accounts...)
		if err != nil {
			return err
		}
		for _, p := range batch {
			supplied, stock, sold := -balances[supplyOf(p)].Posted, balances[stockOf(p)], balances[soldOf(p)].Posted
			if supplied != stock.Posted+sold || stock.Available < 0 || stock.Posted != stock.Available+stock.Held {
				report(StockAddsUp, string(p), fmt.Sprintf("supplied %d, available %d, held %d, sold %d", supplied, stock.Available, stock.Held, sold))
			}
			if want := ordered[p].held; stock.Held != want {
				report(HeldIsPending, string(p), fmt.Sprintf("%d held, orders have %d", stock.Held, want))
			}
			if want := ordered[p].sold; sold != want {
				report(SoldIsPaid, string(p), fmt.Sprintf("%d sold, orders have %d", sold, want))
			}
			delete(ordered, p)
		}
	}
	for p, has := range ordered {
		report(SoldIsPaid, string(p), fmt.Sprintf("it doesn't exist, but orders have %d of it", has.held+has.sold))
	}
	return nil
}

// pieceCount is how many of a product are in orders.
type pieceCount struct{ held, sold int64 }

// countPieces adds up the orders in here: a database would sort all of their lines for that, in
// memory.
func countPieces(ctx context.Context, tx bun.Tx, part database.Range[ProductID]) (map[ProductID]pieceCount, error) {
	rows, err := part.Of(tx.NewSelect(), "l.product_id").
		TableExpr("order_lines AS l").Join("JOIN orders AS o ON o.id = l.order_id").
		Join("LEFT JOIN shipments AS s ON s.order_id = l.order_id AND s.seller = l.seller").
		ColumnExpr("l.product_id, o.state, l.quantity").
		Where("o.state <> ?", Canceled).
		Where("s.id IS NULL OR s.state <> ? OR s.shipped_at IS NOT NULL", Refunded). // what was never sent is sold again
		Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sums := map[ProductID]pieceCount{}
	for rows.Next() {
		var id ProductID
		var state State
		var quantity int64
		if err := rows.Scan(&id, &state, &quantity); err != nil {
			return nil, err
		}
		sum := sums[id]
		if state == Pending {
			sum.held += quantity
		} else {
			sum.sold += quantity
		}
		sums[id] = sum
	}
	return sums, rows.Err()
}
