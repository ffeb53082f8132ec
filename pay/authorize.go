package pay

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// The transfers that end a payment's hold.
func captureID(payment PaymentID) ledger.TransferID { return ledger.TransferID(payment) + ":capture" }
func voidID(payment PaymentID) ledger.TransferID    { return ledger.TransferID(payment) + ":void" }

// Capture takes what is held for a payment: all of it, or with parties so much of their
// shares and nothing of the others. The rest is the payer's again. It is for the merchant
// on its own behalf. The same capture again gives the captured payment.
func (s *Service) Capture(ctx context.Context, caller Caller, payment PaymentID, parties []Party) (Payment, error) {
	row, shares, err := s.merchants(ctx, caller, payment)
	if err != nil {
		return Payment{}, err
	}
	wanted, total, err := s.captured(shares, parties)
	if err != nil {
		return Payment{}, err
	}
	if row.State == payclient.Authorized {
		err := s.captureHeld(ctx, payment, wanted, total)
		crash.Point("pay.held.captured")
		if err != nil {
			return Payment{}, err
		}
		if row, shares, err = s.payment(ctx, s.db.NewSelect, payment); err != nil {
			return Payment{}, database.Afterwards(err)
		}
	}
	switch {
	case row.State == payclient.Closed:
		return Payment{}, row.refusal()
	case row.State == payclient.Open:
		return Payment{}, payclient.ErrNotAuthorized
	case row.State == payclient.Authorized: // its time ended between our two looks
		return Payment{}, payclient.ErrExpired
	case !sameCaptured(shares, wanted):
		return Payment{}, payclient.ErrMismatch
	}
	return s.paymentOf(row, shares), nil
}

// captured is what the shares are when these parties are captured, and their sum. None
// means everything.
func (s *Service) captured(shares []Share, parties []Party) ([]Share, int64, error) {
	wanted := slices.Clone(shares)
	for i := range wanted {
		wanted[i].Captured = 0
		if len(parties) == 0 {
			wanted[i].Captured = wanted[i].Amount
		}
	}
	for _, p := range parties {
		i, found := slices.BinarySearchFunc(wanted, p.Payee, func(s Share, payee string) int { return cmp.Compare(s.Payee, payee) })
		switch {
		case !found:
			return nil, 0, payclient.ErrNoParty
		case p.Amount <= 0 || wanted[i].Captured > 0:
			return nil, 0, payclient.ErrParties
		case p.Amount > wanted[i].Amount:
			return nil, 0, s.tooMuch(p.Payee, wanted[i].Amount).On("parties")
		}
		wanted[i].Captured = p.Amount
	}
	var total int64
	for _, w := range wanted {
		total += w.Captured
	}
	return wanted, total, nil
}

// captureHeld captures an authorized payment in time, if nothing else has come of it.
func (s *Service) captureHeld(ctx context.Context, payment PaymentID, wanted []Share, total int64) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		now := database.At(s.now())
		won, err := s.settle(ctx, tx, payment, []string{payclient.Authorized}, payclient.Captured, now, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Set("captured = ?", total).Where("expires_at > ?", now)
		})
		if err != nil || !won {
			return err
		}
		rows := rowsOf(payment, wanted)
		if _, err := database.Upsert(tx.NewInsert().Model(&rows), []string{"payment_id", "payee"}, "captured").Exec(ctx); err != nil {
			return fmt.Errorf("capture shares of payment %s: %w", payment, err)
		}
		if err := s.jobs.Remove(ctx, tx, expireJob, string(payment)); err != nil {
			return err
		}
		crash.Point("pay.held.written")
		return s.post(ctx, tx, ledger.Transfer{
			ID: captureID(payment), Kind: ledger.Post, Hold: ledger.TransferID(payment), Amount: total,
			Code: codePayment, Ref: string(payment),
		})
	})
}

func sameCaptured(a, b []Share) bool {
	return slices.EqualFunc(a, b, func(x, y Share) bool { return x.Payee == y.Payee && x.Captured == y.Captured })
}
