package shop

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// payBack takes a granted refund out of its shipment's share and has pay asked for it. Sh was
// read before; guard keeps what it has from changing until then. With the whole share the
// shipment ends, and what was never sent is sold again.
func (s *Service) payBack(ctx context.Context, tx bun.Tx, sh Shipment, r Refund, actor authclient.UserID, guard func(*bun.UpdateQuery)) error {
	take := func(q *bun.UpdateQuery) {
		q.Set("refunded = refunded + ?", r.Amount).Where("amount - refunded >= ?", r.Amount)
		s.goOn(q, r)
		guard(q)
	}
	var err error
	if sh.left() == r.Amount {
		err = s.step(ctx, tx, sh, Refunded, actor, take)
	} else {
		err = s.takePart(ctx, tx, sh, take)
	}
	if err != nil {
		return err
	}
	if err := s.jobs.Add(ctx, tx, job.Job{Kind: refundJob, Key: string(r.ID)}); err != nil {
		return err
	}
	crash.Point("shop.refund.granted")
	if sh.left() == r.Amount && sh.ShippedAt.IsZero() {
		return s.restock(ctx, tx, sh, r.ID) // last, since it locks products
	}
	return nil
}

func (s *Service) takePart(ctx context.Context, tx bun.Tx, sh Shipment, take func(*bun.UpdateQuery)) error {
	q := tx.NewUpdate().Model((*Shipment)(nil)).Where("id = ?", sh.ID)
	take(q)
	won, err := database.Changed(q.Exec(ctx))
	if err != nil {
		return fmt.Errorf("refund a part of shipment %s: %w", sh.ID, err)
	}
	if !won {
		return shopclient.ErrShipmentState
	}
	return nil
}

// restock puts what was never sent on sale again, once for a refund.
func (s *Service) restock(ctx context.Context, tx bun.Tx, sh Shipment, rid RefundID) error {
	var lines []OrderLine
	err := tx.NewSelect().Model(&lines).Where("order_id = ?", sh.OrderID).Where("seller = ?", sh.Seller).Order("position").Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the lines of shipment %s: %w", sh.ID, err)
	}
	group := make(ledger.Group, len(lines))
	for i, l := range lines {
		group[i] = ledger.Transfer{
			ID:     ledger.TransferID(string(rid) + ":" + strconv.FormatInt(l.Position, 10)),
			Debit:  soldOf(l.ProductID),
			Credit: stockOf(l.ProductID),
			Unit:   ledger.Unit(l.ProductID),
			Amount: l.Quantity,
			Kind:   ledger.Move,
			Code:   "refund",
			Ref:    string(sh.OrderID),
		}
	}
	if err := s.apply(ctx, tx, group); err != nil {
		return fmt.Errorf("put the goods of refund %s back: %w", rid, err)
	}
	return nil
}

const (
	orderPause = 2 * time.Second // the shortest until pay may have done what has to come before a refund
	shortPause = time.Hour       // until a seller may have the money that a refund takes
)

// refundLater asks pay to give a granted refund back, for as long as it takes. Asking again is
// harmless. What was released before comes out of the seller's wallet, so it comes after the
// release; a seller who has too little there is waited for.
func (s *Service) refundLater(ctx context.Context, j job.Job) error {
	r, sh, err := s.refund(ctx, RefundID(j.Key))
	if err != nil || r.State != Granted || !r.PaidAt.IsZero() {
		return err
	}
	granted := refundEvent{RefundID: r.ID, State: Granted}
	if err := s.db.NewSelect().Model(&granted).WherePK().Scan(ctx); err != nil {
		return fmt.Errorf("read when refund %s was granted: %w", r.ID, err)
	}
	first, err := s.comesFirst(ctx, sh, granted)
	if err != nil {
		return err
	}
	if now := s.now(); first { // ever less often, since it may take an operator
		return job.Later(now.Add(min(max(now.Sub(granted.At.Time), orderPause), settleMost)))
	}
	err = s.giveRefund(ctx, r, sh)
	if errors.Is(err, payclient.ErrPayeeShort) {
		return job.Later(s.now().Add(shortPause))
	}
	if err != nil {
		return s.patient(err)
	}
	return nil
}

// giveRefund has pay give a granted refund back, once.
func (s *Service) giveRefund(ctx context.Context, r Refund, sh Shipment) error {
	p, err := s.payments.PaymentOf(ctx, string(sh.OrderID))
	if err == nil {
		_, err = s.payments.Refund(ctx, p.ID, payclient.NewRefund{
			ID: string(r.ID), Payee: string(sh.Seller), Amount: money.InputOf(r.Money()),
		})
		crash.Point("shop.refund.paid")
	}
	if err != nil {
		return fmt.Errorf("give refund %s back: %w", r.ID, err)
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Refund)(nil)).Set("paid_at = ?", database.At(s.now())).
			Where("id = ?", r.ID).Where("paid_at IS NULL").Exec(ctx)
		return err
	})
}

// comesFirst tells whether pay has yet to do what was decided before a refund: the release
// of the share, or a refund of it that was granted earlier, whichever was asked for first.
func (s *Service) comesFirst(ctx context.Context, sh Shipment, granted refundEvent) (bool, error) {
	if sh.Released > 0 && sh.ReleasedAt.IsZero() {
		return true, nil
	}
	earlier, err := s.db.NewSelect().TableExpr("refunds AS r").
		Join("JOIN refund_events AS e ON e.refund_id = r.id AND e.state = r.state").
		Where("r.shipment_id = ?", sh.ID).Where("r.state = ?", Granted).Where("r.paid_at IS NULL").
		Where("e.at < ? OR e.at = ? AND r.id < ?", granted.At, granted.At, granted.RefundID).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for refunds before %s: %w", granted.RefundID, err)
	}
	return earlier, nil
}
