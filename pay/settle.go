package pay

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// settle brings a payment from one of the states in from to another one. It is the only
// statement that changes a payment's state: of callers that race, one wins. What else it
// changes, or asks for, more adds.
func (s *Service) settle(ctx context.Context, tx bun.Tx, payment PaymentID, from []string, to string, at database.Time, more func(*bun.UpdateQuery) *bun.UpdateQuery) (bool, error) {
	q := tx.NewUpdate().Model((*paymentRow)(nil)).
		Set("state = ?", to).
		Where("id = ?", payment).
		Where("state IN (?)", bun.List(from))
	if to != payclient.Authorized {
		q = q.Set("settled_at = ?", at)
	}
	won, err := database.Changed(more(q).Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("bring payment %s to %s: %w", payment, to, err)
	}
	return won, nil
}

// agree is what its payer does to an open payment: the money is taken, or with Hold set
// aside, and row is what it is then. It is false when the payment isn't open, or not any more.
func (s *Service) agree(ctx context.Context, tx bun.Tx, row *paymentRow, wallet WalletID) (bool, error) {
	now := database.At(s.now())
	row.agreed(wallet, now)
	won, err := s.settle(ctx, tx, row.ID, []string{payclient.Open}, row.State, now, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("wallet_id = ?", wallet).Set("authorized = ?", row.Authorized).Set("captured = ?", row.Captured).
			Where("expires_at > ?", now)
	})
	if err != nil || !won {
		return false, err
	}
	if !row.Hold {
		if err := captureShares(ctx, tx, row.ID); err != nil {
			return false, err
		}
		if err := s.jobs.Remove(ctx, tx, expireJob, string(row.ID)); err != nil {
			return false, err
		}
	}
	return true, s.post(ctx, tx, s.taking(*row))
}

// captureShares marks every share of a payment as captured.
func captureShares(ctx context.Context, tx bun.Tx, payment PaymentID) error {
	_, err := tx.NewUpdate().Model((*partyRow)(nil)).Set("captured = amount").Where("payment_id = ?", payment).Exec(ctx)
	if err != nil {
		return fmt.Errorf("capture shares of payment %s: %w", payment, err)
	}
	return nil
}

// Close ends a payment unless it is captured; what comes back says which of the two
// holds from now on. What was held is the payer's again. Who is not its merchant ends only one
// that is open: what its payer has agreed to is the merchant's to give back, and ErrHeld.
func (s *Service) Close(ctx context.Context, caller Caller, payment PaymentID) (Payment, error) {
	row, shares, err := s.visible(ctx, caller, payment)
	if err != nil {
		return Payment{}, err
	}
	may := func(q *bun.UpdateQuery) *bun.UpdateQuery { return q }
	if !s.isMerchant(caller, row) {
		may = func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Where("state = ?", payclient.Open) }
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		ended, err := s.end(ctx, tx, payment, may)
		if err != nil || !ended || caller.User == "" {
			return err
		}
		return s.tell(ctx, tx, payclient.EventClosed, payment)
	})
	crash.Point("pay.closed")
	if err != nil {
		return Payment{}, err
	}
	s.jobs.Wake()
	if row, shares, err = s.payment(ctx, s.db.NewSelect, payment); err != nil {
		return Payment{}, database.Afterwards(err)
	}
	if row.State == payclient.Authorized { // its payer asked
		return Payment{}, payclient.ErrHeld
	}
	return s.paymentOf(row, shares), nil
}

// CloseOrder closes the payment for an order of the merchant's. Where nobody has asked for it yet, a
// closed one is written, so that a Charge which comes late finds it and is refused.
func (s *Service) CloseOrder(ctx context.Context, caller Caller, order string) (Payment, error) {
	if !visibleASCII(order) {
		return Payment{}, payclient.ErrOrder
	}
	row, _, err := s.byOrder(ctx, caller.Merchant, order)
	if errors.Is(err, payclient.ErrNoPayment) {
		now := database.At(s.now())
		row = paymentRow{
			ID: PaymentID(id.New(paymentPrefix)), OrderID: order, Merchant: caller.Merchant, Payer: caller.User,
			State: payclient.Closed, Currency: s.currency, ExpiresAt: now, CreatedAt: now, SettledAt: now,
		}
		err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			return s.insertPayments(ctx, tx, []paymentRow{row}, nil)
		})
		crash.Point("pay.order.closed")
		if err == nil {
			return s.paymentOf(row, nil), nil
		}
		if !database.Taken(err) {
			return Payment{}, err
		}
		row, _, err = s.byOrder(ctx, caller.Merchant, order) // a Charge was faster
	}
	if err != nil {
		return Payment{}, err
	}
	return s.Close(ctx, caller, row.ID)
}

// end closes a payment that isn't captured, and gives back what is held for it. It is
// false when the payment has come to its end already.
func (s *Service) end(ctx context.Context, tx bun.Tx, payment PaymentID, more func(*bun.UpdateQuery) *bun.UpdateQuery) (bool, error) {
	ended, err := s.settle(ctx, tx, payment, []string{payclient.Open, payclient.Authorized}, payclient.Closed, database.At(s.now()), more)
	if err != nil || !ended {
		return false, err
	}
	if err := s.jobs.Remove(ctx, tx, expireJob, string(payment)); err != nil {
		return false, err
	}
	crash.Point("pay.close.written")
	var held int64
	if err := tx.NewSelect().Model((*paymentRow)(nil)).Column("authorized").Where("id = ?", payment).Scan(ctx, &held); err != nil {
		return false, fmt.Errorf("read what is held for payment %s: %w", payment, err)
	}
	if held == 0 {
		return true, nil
	}
	return true, s.post(ctx, tx, ledger.Transfer{
		ID: voidID(payment), Kind: ledger.Void, Hold: ledger.TransferID(payment), Code: codeVoid, Ref: string(payment),
	})
}

// expireJob ends a payment at its deadline.
const expireJob = "pay.expire"

// expireLater comes back where the clock has stepped back since its job fell due, so that the
// payment has time left.
func (s *Service) expireLater(ctx context.Context, j job.Job) error {
	ended, err := s.expire(ctx, PaymentID(j.Key))
	if err != nil || ended {
		return err
	}
	row, _, err := s.payment(ctx, s.db.NewSelect, PaymentID(j.Key))
	if err != nil || !row.waits() {
		return err
	}
	return job.Later(row.ExpiresAt.Time)
}

// expire closes a payment whose time is over, if nothing else has come of it, and tells
// its merchant. Whoever reads such a payment does it as well as the job.
func (s *Service) expire(ctx context.Context, payment PaymentID) (ended bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		ended, err = s.end(ctx, tx, payment, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Where("expires_at <= ?", database.At(s.now()))
		})
		if err != nil || !ended {
			return err
		}
		return s.tell(ctx, tx, payclient.EventClosed, payment)
	})
	crash.Point("pay.expired")
	if err != nil {
		return false, fmt.Errorf("end payment %s at its deadline: %w", payment, err)
	}
	s.jobs.Wake()
	return ended, nil
}
