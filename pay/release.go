package pay

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
)

const releasePrefix = "rel"

// Fee is a part of an amount, in hundredths of a percent: 250 is 2.5 %.
type Fee int64

const wholeFee Fee = 100 * 100

// of is the fee on an amount, rounded down to the minor unit.
func (f Fee) of(amount int64) int64 {
	whole := int64(wholeFee)
	return amount/whole*int64(f) + amount%whole*int64(f)/whole // in two parts, so that nothing overflows
}

// NewRelease gives a payee their share of a payment. ID is the merchant's own.
type NewRelease struct {
	ID     string
	Payee  string
	Amount int64 // minor units; 0 is all that is left of the share
}

// Release is money that a payee got out of escrow.
type Release struct {
	ID        string // the merchant's own
	Payment   PaymentID
	Order     string
	Payee     string
	Amount    money.Amount // out of escrow
	Fee       money.Amount // the market's part of it
	Net       money.Amount // what the payee has of it
	Wallet    WalletID     // of the payee's
	CreatedAt time.Time
}

type releaseRow struct {
	bun.BaseModel `bun:"table:releases,alias:rl"`

	ID        string        `bun:"id,pk"` // of its transfer
	PaymentID PaymentID     `bun:"payment_id"`
	Reference string        `bun:"reference"`
	Payee     string        `bun:"payee"`
	Amount    int64         `bun:"amount"`
	Asked     *int64        `bun:"asked"` // 0 is all that is left; nil where it was not yet written down
	Fee       int64         `bun:"fee"`
	WalletID  WalletID      `bun:"wallet_id"`
	CreatedAt database.Time `bun:"created_at"`
}

// Release gives a payee their share out of escrow, in whole or in part, into their default
// wallet, less the fee; who has no wallet gets one. It is for the merchant on its own
// behalf. The same id again is the same release.
func (s *Service) Release(ctx context.Context, caller Caller, payment PaymentID, in NewRelease) (Release, error) {
	if err := checkShare(in.ID, in.Amount); err != nil {
		return Release{}, err
	}
	row, _, err := s.merchants(ctx, caller, payment)
	if err != nil {
		return Release{}, err
	}
	r, err := byReference(
		func() (*releaseRow, error) {
			r, err := oneByReference[releaseRow](ctx, s, payment, in.ID)
			if r != nil && (r.Payee != in.Payee || !asks(in.Amount, r.Asked, r.Amount)) {
				return nil, payclient.ErrMismatch
			}
			return r, err
		},
		func() error { return s.release(ctx, payment, in) })
	if err != nil {
		return Release{}, fmt.Errorf("release %s of payment %s: %w", in.ID, payment, err)
	}
	return s.releaseOf(row.OrderID, *r), nil
}

// release does a release. The condition on the share's counters is the guard.
func (s *Service) release(ctx context.Context, payment PaymentID, in NewRelease) error {
	_, share, err := s.share(ctx, payment, in.Payee)
	if err != nil {
		return err
	}
	left, asked := share.inEscrow(), in.Amount
	if in.Amount == 0 {
		in.Amount = left
	}
	if left == 0 || in.Amount > left {
		return s.tooMuch(in.Payee, left)
	}
	r := &releaseRow{
		ID: id.New(releasePrefix), PaymentID: payment, Reference: in.ID, Payee: in.Payee, Amount: in.Amount,
		Asked: &asked, Fee: s.fee.of(in.Amount), CreatedAt: database.At(s.now()),
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		change := func(q *bun.UpdateQuery) *bun.UpdateQuery { return q.Set("released = released + ?", in.Amount) }
		if err := s.count(ctx, tx, payment, in.Payee, change, "captured - refunded - released >= ?", in.Amount); err != nil {
			return err
		}
		var err error
		if r.WalletID, err = s.receivingWallet(ctx, tx, authclient.UserID(in.Payee)); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(r).Exec(ctx); err != nil {
			return fmt.Errorf("insert release %s: %w", r.ID, err)
		}
		crash.Point("pay.release.written")
		return s.post(ctx, tx, s.releaseTransfers(r)...)
	})
	crash.Point("pay.released")
	return err
}

// receivingWallet is a user's default wallet, made if there is none. Whether there is one is
// seen once: of two that make the first at the same time the unique default_of lets one
// through, and the other begins again.
func (s *Service) receivingWallet(ctx context.Context, tx bun.Tx, user authclient.UserID) (WalletID, error) {
	others, err := lockWallets(ctx, tx, user)
	if err != nil {
		return "", err
	}
	if len(others) == 0 {
		wallet := WalletID(id.New(walletPrefix))
		return wallet, s.insertWalletBeside(ctx, tx, others, wallet, user, NewWallet{Currency: s.currency})
	}
	var wallet WalletID
	err = tx.NewSelect().Model((*walletRow)(nil)).Column("id").Where("default_of = ?", user).Scan(ctx, &wallet)
	if err != nil {
		return "", fmt.Errorf("find the wallet of %s: %w", user, err)
	}
	return wallet, nil
}

// releaseTransfers move a release's money: all of it to the payee, and the fee from there,
// so that the payee's statement shows both.
func (s *Service) releaseTransfers(r *releaseRow) []ledger.Transfer {
	sale := ledger.Transfer{
		ID: ledger.TransferID(r.ID), Kind: ledger.Move, Debit: s.escrow(), Credit: ledger.AccountID(r.WalletID),
		Amount: r.Amount, Code: codeSale, Ref: string(r.PaymentID),
	}
	if r.Fee == 0 {
		return []ledger.Transfer{sale}
	}
	fee := sale
	fee.ID, fee.Debit, fee.Credit, fee.Amount, fee.Code = sale.ID+":fee", sale.Credit, s.fees(), r.Fee, codeFee
	return []ledger.Transfer{sale, fee}
}

// Releases is a page of a payment's releases, newest first, and the cursor of the next. It
// is for the merchant on its own behalf.
func (s *Service) Releases(ctx context.Context, caller Caller, payment PaymentID, page database.Page) ([]Release, string, error) {
	row, _, err := s.merchants(ctx, caller, payment)
	if err != nil {
		return nil, "", err
	}
	rows, next, err := database.Newest(ctx, s.db.NewSelect().Where("payment_id = ?", payment), page, "id", func(r releaseRow) string { return r.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list releases of payment %s: %w", payment, err)
	}
	all := make([]Release, len(rows))
	for i, r := range rows {
		all[i] = s.releaseOf(row.OrderID, r)
	}
	return all, next, nil
}

func (s *Service) releaseOf(order string, r releaseRow) Release {
	return Release{
		ID: r.Reference, Payment: r.PaymentID, Order: order, Payee: r.Payee,
		Amount: s.amount(r.Amount), Fee: s.amount(r.Fee), Net: s.amount(r.Amount - r.Fee),
		Wallet: r.WalletID, CreatedAt: r.CreatedAt.Time,
	}
}
