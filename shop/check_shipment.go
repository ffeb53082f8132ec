package shop

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/ledger"
)

// The invariants of what follows payment, as they are reported.
const (
	ShipmentsArePaid = "a paid order has one shipment per seller, of that seller's share; no other order has any"
	ShipmentsEnd     = "an order is completed exactly when its shipments have ended"
	ShipmentHistory  = "a shipment's history has its state and those before it"
	ShareAddsUp      = "a shipment's refunds are what it says, and what is released is the rest"
	RefundHistory    = "a refund's history has its state"
	RefundIsOpen     = "a refund waits for an answer exactly when its shipment says so"
	NothingOverdue   = "no shipment or refund is long after its deadline"
)

// query is an invariant of rows: what it finds is wrong.
type query struct {
	invariant, found string
	wrong            *bun.SelectQuery // for ids
}

func (s *Service) checkShipments(ctx context.Context, tx bun.Tx, report ledger.Report) error {
	paid, ended := bun.In([]State{Paid, Completed}), bun.In([]ShipmentState{Received, Refunded})
	late := database.At(s.now().Add(-grace))
	for _, q := range []query{
		{ShipmentsArePaid, "the shares are others", tx.NewSelect().
			TableExpr("(?) AS l", tx.NewSelect().Table("order_lines").ColumnExpr("order_id, seller, SUM(price * quantity) AS amount").GroupExpr("order_id, seller")).
			Join("JOIN orders AS o ON o.id = l.order_id").
			Join("LEFT JOIN shipments AS s ON s.order_id = l.order_id AND s.seller = l.seller").
			ColumnExpr("DISTINCT o.id").
			Where("o.state IN (?)", paid).Where("s.id IS NULL OR s.amount <> l.amount OR s.buyer <> o.buyer")},
		{ShipmentsArePaid, "it is not paid, or has none of that seller's lines", tx.NewSelect().
			TableExpr("shipments AS s").
			Join("JOIN orders AS o ON o.id = s.order_id").
			Join("LEFT JOIN order_lines AS l ON l.order_id = s.order_id AND l.seller = s.seller").
			ColumnExpr("DISTINCT s.id").
			Where("o.state NOT IN (?) OR l.order_id IS NULL", paid)},
		{ShipmentsEnd, "it is not", tx.NewSelect().
			TableExpr("orders AS o").
			Join("LEFT JOIN shipments AS s ON s.order_id = o.id AND s.state NOT IN (?)", ended).
			ColumnExpr("DISTINCT o.id").
			Where("o.state IN (?)", paid).Where("(o.state = ?) <> (s.id IS NULL)", Completed)},
		{ShipmentHistory, "it has not", tx.NewSelect().
			TableExpr("shipments AS s").
			Join("LEFT JOIN shipment_events AS e ON e.shipment_id = s.id AND e.state = s.state").
			Join("LEFT JOIN shipment_events AS sent ON sent.shipment_id = s.id AND sent.state = ?", Shipped).
			Join("LEFT JOIN shipment_events AS got ON got.shipment_id = s.id AND got.state = ?", Received).
			Column("s.id").
			Where("(e.state IS NULL AND s.state <> ?) OR (sent.state IS NULL) <> (s.shipped_at IS NULL) OR (got.state IS NULL) <> (s.received_at IS NULL) "+
				"OR (got.state IS NOT NULL AND sent.state IS NULL)", Waiting)},
		{ShareAddsUp, "they are not", tx.NewSelect().
			TableExpr("shipments AS s").
			Join("LEFT JOIN refunds AS r ON r.shipment_id = s.id AND r.state = ?", Granted).
			Column("s.id").
			GroupExpr("s.id, s.state, s.amount, s.refunded, s.released, s.received_at").
			Having("COALESCE(SUM(r.amount), 0) <> s.refunded OR (s.state = ?) <> (s.refunded = s.amount) OR (s.released > 0) <> (s.received_at IS NOT NULL)", Refunded)},
		{RefundHistory, "it has not", tx.NewSelect().
			TableExpr("refunds AS r").
			Join("LEFT JOIN refund_events AS e ON e.refund_id = r.id AND e.state = r.state").
			Column("r.id").Where("e.state IS NULL")},
		{RefundIsOpen, "they don't agree", tx.NewSelect().
			TableExpr("refunds AS r").
			Join("LEFT JOIN shipments AS s ON s.id = r.shipment_id AND s.open_refund = r.id").
			Column("r.id").
			Where("(r.state IN (?)) <> (s.id IS NOT NULL)", bun.In([]RefundState{Asked, Appealed}))},
		{RefundIsOpen, "its open refund doesn't exist", tx.NewSelect().
			TableExpr("shipments AS s").
			Join("LEFT JOIN refunds AS r ON r.id = s.open_refund AND r.shipment_id = s.id").
			Column("s.id").Where("s.open_refund IS NOT NULL").Where("r.id IS NULL")},
		{NothingOverdue, fmt.Sprintf("on its way for more than %s after it", grace+confirmPause), tx.NewSelect().
			TableExpr("shipments AS s").Column("s.id").
			Where("s.state = ?", Shipped).Where("s.open_refund IS NULL").Where("s.confirm_at < ?", database.At(late.Add(-confirmPause)))},
		{NothingOverdue, fmt.Sprintf("unanswered for more than %s after it", grace), tx.NewSelect().
			TableExpr("refunds AS r").Column("r.id").
			Where("r.state = ?", Asked).Where("r.open_since < ?", database.At(late.Add(-s.terms.AnswerTime)))},
	} {
		var ids []string
		if err := q.wrong.Scan(ctx, &ids); err != nil {
			return fmt.Errorf("%s: %w", q.invariant, err)
		}
		for _, id := range ids {
			report(q.invariant, id, q.found)
		}
	}
	return nil
}
