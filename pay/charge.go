package pay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// Charge asks the caller's user for money on behalf of the caller's merchant, and takes
// it at once from the wallet into escrow, or with Hold sets it aside there. Too little of
// it, or no wallet, is ErrInsufficient or ErrNoWallet: the payment stays open, and the same
// call again or Pay can still capture it. Repeated after a success it gives the payment.
func (s *Service) Charge(ctx context.Context, caller Caller, in NewPayment) (Payment, error) {
	if caller.User == "" || caller.Merchant == "" {
		return Payment{}, fault.ErrForbidden
	}
	in.Parties = slices.SortedFunc(slices.Values(in.Parties), func(a, b Party) int { return cmp.Compare(a.Payee, b.Payee) })
	total, err := s.checkPayment(in)
	if err != nil {
		return Payment{}, err
	}
	row := paymentRow{
		ID: PaymentID(id.New(paymentPrefix)), OrderID: in.Order, Merchant: caller.Merchant, Payer: caller.User,
		Amount: total, Currency: s.currency, Hold: in.Hold,
		ExpiresAt: database.At(s.expiry(in)), CreatedAt: database.At(s.now()),
	}
	got, err := s.charge(ctx, charging{row, in.Parties, in.Wallet})
	crash.Point("pay.charged")
	if err != nil {
		return Payment{}, fmt.Errorf("charge for order %s: %w", in.Order, err)
	}
	if got.before {
		p, err := s.chargeAgain(ctx, row, in)
		if got.maybe {
			err = database.Afterwards(err)
		}
		return p, err
	}
	if got.err != nil {
		return Payment{}, got.err
	}
	return s.paymentOf(got.row, got.row.shares(in.Parties)), nil
}

// chargeAgain is Charge for an order that has a payment: captured if it is the same and
// still open.
func (s *Service) chargeAgain(ctx context.Context, row paymentRow, in NewPayment) (Payment, error) {
	wallet, err := s.payingWallet(ctx, row.Payer, in.Wallet)
	if err != nil {
		return Payment{}, err
	}
	existing, theirs, err := s.byOrder(ctx, row.Merchant, row.OrderID)
	switch {
	case err != nil:
		return Payment{}, err
	case existing.State == payclient.Closed:
		return Payment{}, existing.refusal()
	case existing.Payer != row.Payer || existing.Hold != row.Hold || !sameParties(theirs, in.Parties):
		return Payment{}, payclient.ErrMismatch
	}
	return s.capture(ctx, existing, theirs, wallet, false)
}

// checkPayment gives the sum of the parties.
func (s *Service) checkPayment(in NewPayment) (int64, error) {
	if !visibleASCII(in.Order) {
		return 0, payclient.ErrOrder
	}
	if len(in.Parties) == 0 || len(in.Parties) > maxParties {
		return 0, payclient.ErrParties
	}
	total := s.amount(0)
	for i, p := range in.Parties {
		if !visibleASCII(p.Payee) || p.Amount <= 0 || (i > 0 && in.Parties[i-1].Payee == p.Payee) {
			return 0, payclient.ErrParties
		}
		var err error
		if total, err = total.Add(s.amount(p.Amount)); err != nil {
			return 0, payclient.ErrParties.Because(err)
		}
	}
	if in.ExpiresAt.After(s.now().Add(maxPaymentLife)) {
		return 0, payclient.ErrExpiry
	}
	return total.Minor, nil
}

func visibleASCII(s string) bool {
	return s != "" && len(s) <= maxID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func (s *Service) expiry(in NewPayment) time.Time {
	if in.ExpiresAt.IsZero() {
		return s.now().Add(s.paymentLife)
	}
	return in.ExpiresAt
}

// payingWallet is the wallet that was named, if it is the user's, or else the user's
// default one; "" where the user has none.
func (s *Service) payingWallet(ctx context.Context, user authclient.UserID, wallet WalletID) (WalletID, error) {
	q := s.db.NewSelect().Model((*walletRow)(nil)).Column("id")
	if wallet != "" {
		q = q.Where("id = ?", wallet).Where("user_id = ?", user)
	} else {
		q = q.Where("default_of = ?", user)
	}
	var ids []WalletID
	if err := q.Scan(ctx, &ids); err != nil {
		return "", fmt.Errorf("find a wallet of %s: %w", user, err)
	}
	if len(ids) > 0 {
		return ids[0], nil
	}
	if wallet != "" {
		return "", payclient.ErrNotFound
	}
	return "", nil
}

// taking is the transfer of a payment that its payer has agreed to: into escrow or, with Hold,
// set aside in the wallet. It has the payment's id, so the ledger too refuses to take it a
// second time.
func (s *Service) taking(row paymentRow) ledger.Transfer {
	t := ledger.Transfer{
		ID: ledger.TransferID(row.ID), Kind: ledger.Move, Debit: ledger.AccountID(row.WalletID), Credit: s.escrow(), Unit: s.unit(),
		Amount: row.Amount, Code: codePayment, Ref: string(row.ID),
	}
	if row.Hold {
		t.Kind, t.Code = ledger.Hold, codeHold
	}
	return t
}

func sameParties(shares []Share, parties []Party) bool {
	return slices.EqualFunc(shares, parties, func(s Share, p Party) bool { return s.Party == p })
}

// Pay captures an open payment from a wallet of its payer's, "" being the default one; one
// with Hold it authorises. The merchant is told.
func (s *Service) Pay(ctx context.Context, user authclient.UserID, payment PaymentID, wallet WalletID) (Payment, error) {
	row, shares, err := s.visible(ctx, Caller{User: user}, payment)
	if err != nil {
		return Payment{}, err
	}
	wallet, err = s.payingWallet(ctx, user, wallet)
	if err != nil {
		return Payment{}, err
	}
	return s.capture(ctx, row, shares, wallet, true)
}

// capture takes the money of a payment, once: it gives the payment as captured (or, with
// Hold, authorized), whoever did it, or says why it isn't. With wallet "" there is none. The
// merchant is told unless it asked for this itself.
func (s *Service) capture(ctx context.Context, row paymentRow, shares []Share, wallet WalletID, tell bool) (Payment, error) {
	if row.State == payclient.Open && wallet == "" {
		return Payment{}, s.shortage(payclient.ErrNoWallet, row, 0)
	}
	if row.State == payclient.Open {
		var agreed paymentRow
		var won bool
		err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			var err error
			agreed = row
			won, err = s.agree(ctx, tx, &agreed, wallet)
			crash.Point("pay.capture.written")
			if err != nil || !won || !tell {
				return err
			}
			return s.tell(ctx, tx, agreedEvent(row), row.ID)
		})
		crash.Point("pay.captured")
		if errors.Is(err, ledger.ErrInsufficient) {
			return Payment{}, s.insufficient(ctx, row, wallet)
		}
		if err != nil {
			return Payment{}, fmt.Errorf("capture payment %s: %w", row.ID, err)
		}
		s.jobs.Wake()
		if won { // what became of it since then is for who asks again
			return s.paymentOf(agreed, taken(shares, agreed)), nil
		}
		if row, shares, err = s.payment(ctx, s.db.NewSelect, row.ID); err != nil {
			return Payment{}, database.Afterwards(err)
		}
	}
	switch row.State {
	case payclient.Captured, payclient.Authorized:
		return s.paymentOf(row, shares), nil
	case payclient.Closed:
		return Payment{}, row.refusal()
	}
	return Payment{}, payclient.ErrExpired
}

// taken are the shares of a payment that its payer has just agreed to.
func taken(shares []Share, row paymentRow) []Share {
	if row.State == payclient.Captured {
		for i, s := range shares {
			shares[i].Captured = s.Amount
		}
	}
	return shares
}

// insufficient says what is missing now. That may be nothing, when money came in the
// meantime; trying again will show it.
func (s *Service) insufficient(ctx context.Context, row paymentRow, wallet WalletID) error {
	b, err := s.ledger.Balance(ctx, ledger.AccountID(wallet))
	if err != nil {
		return fmt.Errorf("read balance of wallet %s: %w", wallet, err)
	}
	return s.shortage(payclient.ErrInsufficient, row, b.Available)
}

func (s *Service) shortage(refusal *fault.Error, row paymentRow, available int64) error {
	return refusal.
		With("payment", string(row.ID)).
		With("checkout_url", s.checkoutURL(row.ID)).
		With("available", s.amount(available)).
		With("missing", s.amount(max(row.Amount-available, 0)))
}
