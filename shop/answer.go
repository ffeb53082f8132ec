package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/shop/shopclient"
)

// Grant is the seller's yes. Twice is once.
func (s *Service) Grant(ctx context.Context, seller authclient.UserID, rid RefundID) (Detail, error) {
	return again(func() (Detail, error) {
		r, sh, err := s.refundFor(ctx, rid, seller, asSeller)
		if err == nil && r.State != Granted {
			err = s.end(ctx, r, sh, Granted, seller, whileAsked)
		}
		return s.then(ctx, seller, r.OrderID, err)
	})
}

// Refuse is the seller's no, and why.
func (s *Service) Refuse(ctx context.Context, seller authclient.UserID, rid RefundID, why string) (Detail, error) {
	return again(func() (Detail, error) {
		r, sh, err := s.refundFor(ctx, rid, seller, asSeller)
		if err == nil {
			why, err = words(why, maxReason, shopclient.ErrAnswer)
		}
		if err == nil && (r.State != Refused || r.Answer != why) {
			err = s.end(ctx, r, sh, Refused, seller, func(q *bun.UpdateQuery) {
				q.Set("answer = ?", why).Set("open_since = ?", database.At(s.now()))
			})
		}
		return s.then(ctx, seller, r.OrderID, err)
	})
}

// Withdraw takes a request back. Twice is once.
func (s *Service) Withdraw(ctx context.Context, buyer authclient.UserID, rid RefundID) (Detail, error) {
	return again(func() (Detail, error) {
		r, sh, err := s.refundFor(ctx, rid, buyer, asBuyer)
		if err == nil && r.State != Withdrawn {
			err = s.end(ctx, r, sh, Withdrawn, buyer, func(*bun.UpdateQuery) {})
		}
		return s.then(ctx, buyer, r.OrderID, err)
	})
}

// Appeal takes a request that the seller refused to the operator. Twice is once. Where nobody
// operates it is ErrNoOperator: the seller's money would wait for ever.
func (s *Service) Appeal(ctx context.Context, buyer authclient.UserID, rid RefundID) (Detail, error) {
	return again(func() (Detail, error) {
		r, sh, err := s.refundFor(ctx, rid, buyer, asBuyer)
		switch {
		case err != nil || r.State == Appealed:
		case len(s.operators) == 0:
			err = shopclient.ErrNoOperator
		default:
			err = s.appeal(ctx, r, sh)
		}
		return s.then(ctx, buyer, r.OrderID, err)
	})
}

func (s *Service) appeal(ctx context.Context, r Refund, sh Shipment) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := s.moveRefund(ctx, tx, r, Appealed, sh.Buyer, func(q *bun.UpdateQuery) { q.Set("open_since = ?", database.At(s.now())) })
		if err != nil {
			return err
		}
		if s.appealOver(r, sh) {
			return shopclient.ErrRefundWindow
		}
		won, err := database.Changed(tx.NewUpdate().Model((*Shipment)(nil)).
			Set("open_refund = ?", r.ID).
			Where("id = ?", sh.ID).
			Where("open_refund IS NULL").Where("state <> ?", Refunded).
			Where("amount - refunded >= ?", r.Amount).
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("open refund %s of shipment %s again: %w", r.ID, sh.ID, err)
		}
		if !won {
			return shopclient.ErrShipmentState
		}
		return nil
	})
	return s.whyNotRefund(ctx, sh.ID, r.Amount, err)
}

// appealOver tells whether it is too late to take a refused request to the operator: a buyer
// has the time in which it could be asked for, and at least as long as a seller to answer.
// Else who refuses late enough would have the last word.
func (s *Service) appealOver(r Refund, sh Shipment) bool {
	return s.windowOver(sh) && !s.now().Before(r.OpenSince.Add(s.terms.AnswerTime))
}

// Decide is the operator's word on a request that was taken to them.
func (s *Service) Decide(ctx context.Context, operator authclient.UserID, rid RefundID, grant bool, why string) (Detail, error) {
	return again(func() (Detail, error) {
		if !s.Operates(operator) {
			return Detail{}, fault.ErrForbidden
		}
		r, sh, err := s.refund(ctx, rid)
		if err == nil {
			why, err = words(why, maxReason, shopclient.ErrAnswer)
		}
		to := Denied
		if grant {
			to = Granted
		}
		if err == nil && (r.State != to || r.Decision != why) {
			err = s.end(ctx, r, sh, to, operator, func(q *bun.UpdateQuery) { q.Set("decision = ?", why).Where("state = ?", Appealed) })
		}
		return s.then(ctx, operator, r.OrderID, err)
	})
}

// Cases is a page of the requests that wait for the operator, newest first, and the cursor of
// the next one.
func (s *Service) Cases(ctx context.Context, operator authclient.UserID, page database.Page) ([]RefundDetail, string, error) {
	if !s.Operates(operator) {
		return nil, "", fault.ErrForbidden
	}
	q := s.db.NewSelect().Where("state = ?", Appealed)
	refunds, next, err := database.Newest(ctx, q, page, "id", func(r Refund) RefundID { return r.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list cases: %w", err)
	}
	all := make([]RefundDetail, len(refunds))
	for i, r := range refunds {
		all[i] = s.refundDetail(operator, r, Shipment{})
	}
	return all, next, nil
}

// Operates tells whether somebody decides what buyer and seller can't agree on.
func (s *Service) Operates(who authclient.UserID) bool { return slices.Contains(s.operators, who) }

// whileAsked keeps a seller, and the timer, from deciding what lies with the operator.
func whileAsked(q *bun.UpdateQuery) { q.Where("state = ?", Asked) }

// answerLater grants what the seller has not answered.
func (s *Service) answerLater(ctx context.Context, j job.Job) error {
	r, sh, err := s.refund(ctx, RefundID(j.Key))
	if err != nil || r.State != Asked {
		return err
	}
	err = s.end(ctx, r, sh, Granted, "", whileAsked)
	if errors.Is(err, shopclient.ErrRefundState) {
		return nil // answered in this moment
	}
	return err
}
