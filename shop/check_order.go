package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/ledger"
)

// grace is how long after its deadline something may still wait: for its job, and for a
// pay that is away.
const grace = 15 * time.Minute

// The invariants of orders and of what follows payment, as they are reported.
const (
	TotalIsLines     = "an order's total is that of its lines"
	OrderHistory     = "an order's history has its state and those before it"
	ShipmentsArePaid = "a paid order has one shipment per seller, of that seller's share; no other order has any"
	ShipmentsEnd     = "an order is completed exactly when its shipments have ended"
	ShipmentHistory  = "a shipment's history has its state and those before it"
	ShareAddsUp      = "a shipment's refunds are what it says, and what is released is the rest"
	RefundHistory    = "a refund's history has its state"
	RefundIsOf       = "a refund is of a shipment of its order"
	RefundIsOpen     = "a refund waits for an answer exactly when its shipment says so"
	NothingLate      = "no order, shipment or refund is long after its deadline without a job that ends it"
)

// query is an invariant of rows: what it finds is wrong.
type query struct {
	invariant, found string
	wrong            *bun.SelectQuery // for ids
	job              string           // the kind that ends it; what has such a job is not reported
}

// checkOrders verifies orders with all that belongs to them, a batch at a time.
func (s *Service) checkOrders(ctx context.Context, report ledger.Report) (n int64, err error) {
	for batch := (database.Range[OrderID]{}); ; {
		var ids []OrderID
		err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
			err := batch.Of(tx.NewSelect().Model((*Order)(nil)), "id").Column("id").Order("id").Limit(orderPage).Scan(ctx, &ids)
			if err != nil {
				return err
			}
			if len(ids) == orderPage {
				batch.UpTo = ids[len(ids)-1]
			}
			for _, q := range s.orderQueries(tx, batch) {
				if err := s.ask(ctx, tx, q, report); err != nil {
					return fmt.Errorf("%s: %w", q.invariant, err)
				}
			}
			return nil
		})
		n += int64(len(ids))
		if err != nil || batch.UpTo == "" {
			return n, err
		}
		batch = database.Range[OrderID]{After: batch.UpTo}
	}
}

func (s *Service) ask(ctx context.Context, tx bun.Tx, q query, report ledger.Report) error {
	var ids []string
	if err := q.wrong.Scan(ctx, &ids); err != nil || len(ids) == 0 {
		return err
	}
	// Where the market stands still or can't keep up, pay is away, or a seller has no money, a job
	// waits that will end what is late.
	awaited, err := s.jobs.Awaited(ctx, tx, q.job, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !awaited[id] {
			report(q.invariant, id, q.found)
		}
	}
	return nil
}

func (s *Service) orderQueries(tx bun.Tx, batch database.Range[OrderID]) []query {
	paid, ended := bun.In([]State{Paid, Completed}), bun.In([]ShipmentState{Received, Refunded})
	late := database.At(s.now().Add(-grace))
	orders := func() *bun.SelectQuery { return batch.Of(tx.NewSelect().TableExpr("orders AS o"), "o.id") }
	shipments := func() *bun.SelectQuery { return batch.Of(tx.NewSelect().TableExpr("shipments AS s"), "s.order_id") }
	refunds := func() *bun.SelectQuery { return batch.Of(tx.NewSelect().TableExpr("refunds AS r"), "r.order_id") }
	shares := batch.Of(tx.NewSelect().Table("order_lines"), "order_id").
		ColumnExpr("order_id, seller, SUM(price * quantity) AS amount").GroupExpr("order_id, seller")
	return []query{
		{OrderHistory, "it has not", orders().
			Join("LEFT JOIN order_events AS e ON e.order_id = o.id AND e.state = o.state").
			Join("LEFT JOIN order_events AS began ON began.order_id = o.id AND began.state = ?", Pending).
			Join("LEFT JOIN order_events AS paid ON paid.order_id = o.id AND paid.state = ?", Paid).
			Column("o.id").
			Where("o.state NOT IN (?) OR e.state IS NULL OR began.state IS NULL OR (paid.state IS NULL) <> (o.state NOT IN (?))",
				bun.In([]State{Pending, Paid, Completed, Canceled}), paid), ""},
		{TotalIsLines, "it has lines, and doesn't exist", batch.Of(tx.NewSelect().TableExpr("order_lines AS l"), "l.order_id").
			Join("LEFT JOIN orders AS o ON o.id = l.order_id").
			ColumnExpr("DISTINCT l.order_id").Where("o.id IS NULL"), ""},
		{TotalIsLines, "it is not", orders().
			Join("LEFT JOIN order_lines AS l ON l.order_id = o.id").
			Column("o.id").GroupExpr("o.id, o.total").
			Having("COALESCE(SUM(l.price * l.quantity), 0) <> o.total"), ""},
		{NothingLate, fmt.Sprintf("it is pending for more than %s after it", grace), orders().
			Column("o.id").Where("o.state = ?", Pending).Where("o.deadline_at < ?", late), settleJob},
		{ShipmentsArePaid, "the shares are others", tx.NewSelect().
			TableExpr("(?) AS l", shares).
			Join("JOIN orders AS o ON o.id = l.order_id").
			Join("LEFT JOIN shipments AS s ON s.order_id = l.order_id AND s.seller = l.seller").
			ColumnExpr("DISTINCT o.id").
			Where("o.state IN (?)", paid).Where("s.id IS NULL OR s.amount <> l.amount OR s.buyer <> o.buyer"), ""},
		{ShipmentsArePaid, "its order is not paid, or has none of that seller's lines", shipments().
			Join("LEFT JOIN orders AS o ON o.id = s.order_id AND o.state IN (?)", paid).
			Join("LEFT JOIN order_lines AS l ON l.order_id = s.order_id AND l.seller = s.seller").
			ColumnExpr("DISTINCT s.id").
			Where("o.id IS NULL OR l.order_id IS NULL"), ""},
		{ShipmentsEnd, "it is not", orders().
			Join("LEFT JOIN shipments AS s ON s.order_id = o.id AND s.state NOT IN (?)", ended).
			ColumnExpr("DISTINCT o.id").
			Where("o.state IN (?)", paid).Where("(o.state = ?) <> (s.id IS NULL)", Completed), ""},
		{ShipmentHistory, "it has not", shipments().
			Join("LEFT JOIN shipment_events AS e ON e.shipment_id = s.id AND e.state = s.state").
			Join("LEFT JOIN shipment_events AS sent ON sent.shipment_id = s.id AND sent.state = ?", Shipped).
			Join("LEFT JOIN shipment_events AS got ON got.shipment_id = s.id AND got.state = ?", Received).
			Column("s.id").
			Where("(e.state IS NULL AND s.state <> ?) OR (sent.state IS NULL) <> (s.shipped_at IS NULL) OR (got.state IS NULL) <> (s.received_at IS NULL) "+
				"OR (got.state IS NOT NULL AND sent.state IS NULL)", Waiting), ""},
		{ShareAddsUp, "they are not", shipments().
			Join("LEFT JOIN refunds AS r ON r.shipment_id = s.id AND r.state = ?", Granted).
			Column("s.id").
			GroupExpr("s.id, s.state, s.amount, s.refunded, s.released, s.received_at").
			Having("COALESCE(SUM(r.amount), 0) <> s.refunded OR (s.state = ?) <> (s.refunded = s.amount) OR (s.released > 0) <> (s.received_at IS NOT NULL) "+
				"OR (s.received_at IS NOT NULL AND s.released NOT BETWEEN s.amount - s.refunded AND s.amount)", Refunded), ""},
		{RefundHistory, "it has not", refunds().
			Join("LEFT JOIN refund_events AS e ON e.refund_id = r.id AND e.state = r.state").
			Column("r.id").Where("e.state IS NULL"), ""},
		{RefundIsOf, "it is not", refunds().
			Join("LEFT JOIN shipments AS s ON s.id = r.shipment_id AND s.order_id = r.order_id").
			Column("r.id").Where("s.id IS NULL"), ""},
		{RefundIsOpen, "they don't agree", refunds().
			Join("LEFT JOIN shipments AS s ON s.id = r.shipment_id AND s.open_refund = r.id").
			Column("r.id").
			Where("(r.state IN (?)) <> (s.id IS NOT NULL)", bun.In([]RefundState{Asked, Appealed})), ""},
		{RefundIsOpen, "its open refund doesn't exist", shipments().
			Join("LEFT JOIN refunds AS r ON r.id = s.open_refund AND r.shipment_id = s.id").
			Column("s.id").Where("s.open_refund IS NOT NULL").Where("r.id IS NULL"), ""},
		{NothingLate, fmt.Sprintf("it is on its way for more than %s after it", grace+confirmPause), shipments().
			Column("s.id").
			Where("s.state = ?", Shipped).Where("s.open_refund IS NULL").Where("s.confirm_at < ?", database.At(late.Add(-confirmPause))), confirmJob},
		{NothingLate, fmt.Sprintf("it was received more than %s ago, and its seller has nothing yet", grace), shipments().
			Column("s.id").
			Where("s.released > 0").Where("s.released_at IS NULL").Where("s.received_at < ?", late), releaseJob},
		{NothingLate, fmt.Sprintf("it was granted more than %s ago, and nothing gives it back", grace), refunds().
			Join("JOIN refund_events AS e ON e.refund_id = r.id AND e.state = r.state").
			Column("r.id").
			Where("r.state = ?", Granted).Where("r.paid_at IS NULL").Where("e.at < ?", late), refundJob},
		{NothingLate, fmt.Sprintf("it is unanswered for more than %s after it", grace), refunds().
			Column("r.id").
			Where("r.state = ?", Asked).Where("r.deadline_at < ?", late), answerJob},
	}
}
