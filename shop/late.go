package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// What a canceled order's history says of money that came all the same.
const (
	cameLate State = "late"   // pay has it
	repaid   State = "repaid" // all of it went back
)

// lateJob gives money back that was taken for a canceled order.
const lateJob = "shop.late"

// Hear brings an order to where its payment is, whatever was known of it before: it is what a
// message of pay leads to. Twice is once, and a message that is out of date changes nothing.
func (s *Service) Hear(ctx context.Context, oid OrderID) error {
	o, err := s.order(ctx, oid)
	if errors.Is(err, shopclient.ErrNoOrder) {
		return nil // not of this shop, or gone with a database: no repetition helps
	}
	if err != nil || o.State == Paid || o.State == Completed {
		return err
	}
	if o.State == Pending {
		_, err := s.Settle(ctx, oid)
		return err
	}
	p, err := s.payments.PaymentOf(ctx, string(oid))
	if errors.Is(err, payclient.ErrNoPayment) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("payment of order %s: %w", oid, err)
	}
	if p.State == payclient.Captured && p.Refunded != p.Captured {
		return s.arrivedLate(ctx, oid)
	}
	return nil
}

// closeLost ends the payment of an order that is gone with a database: nobody shall pay for it.
func (s *Service) closeLost(ctx context.Context, oid OrderID) error {
	_, err := s.payments.Close(ctx, string(oid))
	return err
}

// arrivedLate has the money of a canceled order given back.
func (s *Service) arrivedLate(ctx context.Context, oid OrderID) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.note(ctx, tx, oid, cameLate); err != nil {
			return err
		}
		return s.jobs.Add(ctx, tx, job.Job{Kind: lateJob, Key: string(oid)})
	})
	crash.Point("shop.late.heard")
	if err == nil {
		s.jobs.Wake()
	}
	return err
}

// note writes something of an order's history that is no state of it, once.
func (s *Service) note(ctx context.Context, tx bun.Tx, oid OrderID, what State) error {
	e := orderEvent{OrderID: oid, State: what, At: database.At(s.now())}
	if _, err := database.Upsert(tx.NewInsert().Model(&e), []string{"order_id", "state"}).Exec(ctx); err != nil {
		return fmt.Errorf("note of order %s that it is %s: %w", oid, what, err)
	}
	return nil
}

// repayLater gives each share of what came late back, for as long as it takes. Asking again
// is harmless.
func (s *Service) repayLater(ctx context.Context, j job.Job) error {
	oid := OrderID(j.Key)
	p, err := s.payments.PaymentOf(ctx, j.Key)
	if err != nil {
		return s.patient(fmt.Errorf("payment of order %s: %w", oid, err))
	}
	shares := slices.SortedFunc(slices.Values(p.Parties), func(a, b payclient.Party) int { return cmp.Compare(a.Payee, b.Payee) })
	for i, share := range shares {
		in := payclient.NewRefund{ID: lateID(oid, i), Payee: share.Payee, Amount: money.InputOf(share.Amount)}
		_, err := s.payments.Refund(ctx, p.ID, in)
		crash.Point("shop.late.repaid")
		if err != nil {
			return s.patient(fmt.Errorf("give the money of canceled order %s back: %w", oid, err))
		}
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.note(ctx, tx, oid, repaid) })
}

// lateID names the refund of a share, by its place among them.
func lateID(oid OrderID, i int) string {
	return "late_" + strings.TrimPrefix(string(oid), "ord_") + "_" + strconv.Itoa(i)
}
