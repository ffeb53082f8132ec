package pay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
)

const (
	refundPrefix = "rfd"
	maxReason    = 200 // characters
)

// NewRefund gives a payee's share of a payment back to the payer. ID is the merchant's own.
type NewRefund struct {
	ID     string
	Payee  string
	Amount int64 // minor units; 0 is all that is left of the share
	Reason string
}

// Refund is money that went back to the payer.
type Refund struct {
	ID        string // the merchant's own
	Payment   PaymentID
	Order     string
	Payee     string
	Amount    money.Amount
	Reason    string
	From      string // payclient.FromEscrow or FromPayee
	CreatedAt time.Time
}

type refundRow struct {
	bun.BaseModel `bun:"table:refunds,alias:rf"`

	ID        string        `bun:"id,pk"` // of its transfer
	PaymentID PaymentID     `bun:"payment_id"`
	Reference string        `bun:"reference"`
	Payee     string        `bun:"payee"`
	Amount    int64         `bun:"amount"`
	Asked     *int64        `bun:"asked"` // 0 is all that is left; nil where it was not yet written down
	Reason    string        `bun:"reason"`
	WalletID  WalletID      `bun:"wallet_id,nullzero"` // of the payee that gave it, null out of escrow
	CreatedAt database.Time `bun:"created_at"`
}

// Refund gives a share back to the wallet that had paid, in whole or in part. As long as
// there is something of the share in escrow, it comes from there; once all of it has
// left, it comes from the payee's wallet that got it, or is ErrPayeeShort; to payers who are
// their own merchants nothing comes from there. It is for the merchant on its own behalf. The
// same id again is the same refund.
func (s *Service) Refund(ctx context.Context, caller Caller, payment PaymentID, in NewRefund) (Refund, error) {
	in.Reason = strings.TrimSpace(in.Reason)
	if err := errors.Join(checkShare(in.ID, in.Amount), checkReason(in.Reason)); err != nil {
		return Refund{}, err
	}
	row, _, err := s.merchants(ctx, caller, payment)
	if err != nil {
		return Refund{}, err
	}
	r, err := byReference(
		func() (*refundRow, error) {
			r, err := oneByReference[refundRow](ctx, s, payment, in.ID)
			if r != nil && (r.Payee != in.Payee || r.Reason != in.Reason || !asks(in.Amount, r.Asked, r.Amount)) {
				return nil, payclient.ErrMismatch
			}
			return r, err
		},
		func() error { return s.refund(ctx, payment, in, caller.User == "") })
	if err != nil {
		return Refund{}, fmt.Errorf("refund %s of payment %s: %w", in.ID, payment, err)
	}
	return s.refundOf(row.OrderID, *r), nil
}

// checkShare checks what is asked for of a share.
func checkShare(reference string, amount int64) error {
	var errs []error
	if !visibleASCII(reference) {
		errs = append(errs, payclient.ErrReference)
	}
	if amount < 0 {
		errs = append(errs, payclient.ErrAmount)
	}
	return errors.Join(errs...)
}

// asks tells whether amount is what was asked for when done was done.
func asks(amount int64, asked *int64, done int64) bool {
	if asked == nil {
		return amount == 0 || amount == done
	}
	return amount == *asked
}

func checkReason(reason string) error {
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason ||
		strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return payclient.ErrReason
	}
	return nil
}

// errMoved: of a share's counters, or the payee's wallets, something changed between
// reading and writing. It is looked at again.
var errMoved = errors.New("the share changed at the same time")

// byReference does what has an id of the merchant's, once: find looks for what was done
// under it, do does it. Of the same ones at the same time one does it, and the others
// find it, also where it left too little for them to do it again.
func byReference[T any](find func() (*T, error), do func() error) (one *T, err error) {
	maybe := false // it was done, or its commit had no answer
	defer func() {
		if maybe {
			err = database.Afterwards(err)
		}
	}()
	for range attempts {
		if found, err := find(); found != nil || err != nil {
			return found, err
		}
		err := do()
		maybe = maybe || err == nil || errors.Is(err, database.ErrUnknown)
		if err == nil || errors.Is(err, errMoved) || database.Taken(err) {
			continue
		}
		if found, lookErr := find(); found != nil || lookErr != nil {
			return found, lookErr
		}
		return nil, err
	}
	if found, err := find(); found != nil || err != nil {
		return found, err
	}
	return nil, database.ErrBusy
}

// oneByReference is the refund or release of a payment that has the merchant's id, or nil.
func oneByReference[T any](ctx context.Context, s *Service, payment PaymentID, reference string) (*T, error) {
	var rows []T
	err := s.db.NewSelect().Model(&rows).Where("payment_id = ?", payment).Where("reference = ?", reference).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for %s of payment %s: %w", reference, payment, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// share is a payment whose money was taken, and a payee's part of it.
func (s *Service) share(ctx context.Context, payment PaymentID, payee string) (paymentRow, Share, error) {
	row, shares, err := s.payment(ctx, s.db.NewSelect, payment)
	if err != nil {
		return paymentRow{}, Share{}, err
	}
	if row.State != payclient.Captured {
		return paymentRow{}, Share{}, payclient.ErrNotCaptured
	}
	i := slices.IndexFunc(shares, func(s Share) bool { return s.Payee == payee })
	if i < 0 {
		return paymentRow{}, Share{}, payclient.ErrNoParty
	}
	return row, shares[i], nil
}

func (s *Service) tooMuch(payee string, left int64) *fault.Error {
	return payclient.ErrTooMuch.With("payee", payee).With("left", s.amount(left))
}

// refund does a refund into the payer's wallet. The condition on the share's counters is
// the guard: of refunds and releases that race, none takes what another one has. Released is
// whether it may come out of what a payee was given.
func (s *Service) refund(ctx context.Context, payment PaymentID, in NewRefund, released bool) error {
	row, share, err := s.share(ctx, payment, in.Payee)
	if err != nil {
		return err
	}
	left, source := share.inEscrow(), WalletID("")
	if left == 0 && share.Released > 0 && released {
		left = share.Released
		if source, err = s.releasedTo(ctx, payment, in.Payee); err != nil {
			return err
		}
	}
	asked := in.Amount
	if in.Amount == 0 {
		in.Amount = left
	}
	if left == 0 || in.Amount > left {
		return s.tooMuch(in.Payee, left)
	}
	r := &refundRow{
		ID: id.New(refundPrefix), PaymentID: payment, Reference: in.ID, Payee: in.Payee, Amount: in.Amount,
		Asked: &asked, Reason: in.Reason, WalletID: source, CreatedAt: database.At(s.now()),
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		change := func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("refunded = refunded + ?", in.Amount) }
		guard := "captured - refunded - released >= ?"
		if source != "" {
			change = func(q *bun.UpdateQuery) *bun.UpdateQuery {
				return q.Set("refunded = refunded + ?", in.Amount).Set("released = released - ?", in.Amount)
			}
			guard = "released >= ?"
		}
		if err := s.count(ctx, tx, payment, in.Payee, change, guard, in.Amount); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(r).Exec(ctx); err != nil {
			return fmt.Errorf("insert refund %s: %w", r.ID, err)
		}
		crash.Point("pay.refund.written")
		return s.post(ctx, tx, s.refundTransfers(r, row.WalletID)...)
	})
	crash.Point("pay.refunded")
	if source != "" && errors.Is(err, ledger.ErrInsufficient) {
		return payclient.ErrPayeeShort
	}
	return err
}

// count changes the counters of a share, if the guard holds, and of its payment.
func (s *Service) count(ctx context.Context, tx bun.Tx, payment PaymentID, payee string, change func(*bun.UpdateQuery) *bun.UpdateQuery, guard string, amount int64) error {
	won, err := database.Changed(change(tx.NewUpdate().Model((*partyRow)(nil))).
		Where("payment_id = ?", payment).Where("payee = ?", payee).Where(guard, amount).Exec(ctx))
	if err != nil {
		return fmt.Errorf("count %d of the share of %s in payment %s: %w", amount, payee, payment, err)
	}
	if !won {
		return errMoved
	}
	if _, err := change(tx.NewUpdate().Model((*paymentRow)(nil))).Where("id = ?", payment).Exec(ctx); err != nil {
		return fmt.Errorf("count %d of payment %s: %w", amount, payment, err)
	}
	return nil
}

// refundTransfers move a refund's money. Out of a payee's wallet it goes through escrow,
// so that every refund leaves escrow in the same way.
func (s *Service) refundTransfers(r *refundRow, payer WalletID) []ledger.Transfer {
	out := ledger.Transfer{
		ID: ledger.TransferID(r.ID), Kind: ledger.Move, Debit: s.escrow(), Credit: ledger.AccountID(payer),
		Amount: r.Amount, Code: codeRefund, Ref: string(r.PaymentID),
	}
	if r.WalletID == "" {
		return []ledger.Transfer{out}
	}
	back := out
	back.ID, back.Debit, back.Credit = out.ID+":back", ledger.AccountID(r.WalletID), s.escrow()
	return []ledger.Transfer{back, out}
}

// releasedTo is the wallet that a payee's share went to, the last one if there are several.
func (s *Service) releasedTo(ctx context.Context, payment PaymentID, payee string) (WalletID, error) {
	var wallet WalletID
	err := s.db.NewSelect().Model((*releaseRow)(nil)).Column("wallet_id").
		Where("payment_id = ?", payment).Where("payee = ?", payee).Order("id DESC").Limit(1).Scan(ctx, &wallet)
	if err != nil {
		return "", fmt.Errorf("find the wallet of %s that payment %s went to: %w", payee, payment, err)
	}
	return wallet, nil
}

// Refunds is a page of a payment's refunds, newest first, and the cursor of the next. It is
// for the merchant on its own behalf.
func (s *Service) Refunds(ctx context.Context, caller Caller, payment PaymentID, page database.Page) ([]Refund, string, error) {
	row, _, err := s.merchants(ctx, caller, payment)
	if err != nil {
		return nil, "", err
	}
	rows, next, err := database.Newest(ctx, s.db.NewSelect().Where("payment_id = ?", payment), page, "id", func(r refundRow) string { return r.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list refunds of payment %s: %w", payment, err)
	}
	all := make([]Refund, len(rows))
	for i, r := range rows {
		all[i] = s.refundOf(row.OrderID, r)
	}
	return all, next, nil
}

func (s *Service) refundOf(order string, r refundRow) Refund {
	from := payclient.FromEscrow
	if r.WalletID != "" {
		from = payclient.FromPayee
	}
	return Refund{
		ID: r.Reference, Payment: r.PaymentID, Order: order, Payee: r.Payee, Amount: s.amount(r.Amount),
		Reason: r.Reason, From: from, CreatedAt: r.CreatedAt.Time,
	}
}
