package pay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// TopUpID names a top-up.
type TopUpID string

const topUpPrefix = "top"

// topUpJob asks the provider again for a top-up that nobody brought to its end: the process
// died after it was written, or the provider was away.
const (
	topUpJob   = "pay.topup"
	topUpFirst = 15 * time.Second // longer than the call that asks first
)

// TopUp is money on its way into a wallet, or arrived there.
type TopUp struct {
	ID        TopUpID
	Wallet    WalletID
	Amount    money.Amount
	State     string // payclient.Created or payclient.Succeeded
	CreatedAt time.Time
}

// NewTopUp puts an amount, in minor units, into a wallet.
type NewTopUp struct {
	Wallet WalletID
	Amount int64
}

// TopUpRules is what a form for top-ups says.
type TopUpRules struct {
	On       bool
	Play     bool // the money is not real
	Min, Max money.Amount
}

type topUpRow struct {
	bun.BaseModel `bun:"table:topups,alias:t"`

	ID        TopUpID        `bun:"id,pk"`
	WalletID  WalletID       `bun:"wallet_id"`
	Provider  string         `bun:"provider"`
	Reference string         `bun:"reference,nullzero"`
	Amount    int64          `bun:"amount"`
	Currency  money.Currency `bun:"currency"`
	State     string         `bun:"state"`
	CreatedAt database.Time  `bun:"created_at"`
}

// TopUpRules are those of today's configuration.
func (s *Service) TopUpRules() TopUpRules {
	return TopUpRules{
		On: s.provider != nil, Play: s.provider != nil && s.provider.Play(),
		Min: s.amount(s.minTopUp), Max: s.amount(s.maxTopUp),
	}
}

// TopUp puts money into a wallet of the user's. The same key and content again give
// the same top-up; one that is still under way is asked for again.
func (s *Service) TopUp(ctx context.Context, user authclient.UserID, in NewTopUp, key string) (TopUp, error) {
	if _, err := s.Wallet(ctx, user, in.Wallet); err != nil {
		return TopUp{}, err
	}
	topUp := TopUpID(id.New(topUpPrefix))
	first, err := s.once(ctx, wish{"top up", user, key, in}, string(topUp),
		func(ctx context.Context, tx bun.Tx) error {
			// Not before: what was done stays done, whatever is configured by now.
			if err := s.checkTopUp(in.Amount); err != nil {
				return err
			}
			return s.insertTopUp(ctx, tx, topUp, in)
		})
	crash.Point("pay.topup.written")
	if err != nil {
		return TopUp{}, err
	}
	t, err := s.collect(ctx, TopUpID(first))
	return t, database.Afterwards(err)
}

// OwnTopUp is a top-up of one of the user's wallets, or ErrNoTopUp.
func (s *Service) OwnTopUp(ctx context.Context, user authclient.UserID, topUp TopUpID) (TopUp, error) {
	row, err := s.topUp(ctx, topUp)
	if errors.Is(err, sql.ErrNoRows) {
		return TopUp{}, payclient.ErrNoTopUp
	}
	if err != nil {
		return TopUp{}, err
	}
	if _, err := s.Wallet(ctx, user, row.WalletID); errors.Is(err, payclient.ErrNotFound) {
		return TopUp{}, payclient.ErrNoTopUp
	} else if err != nil {
		return TopUp{}, err
	}
	return s.topUpOf(row), nil
}

// TopUps is a page of the top-ups of one of the user's wallets, newest first, and the
// cursor of the next.
func (s *Service) TopUps(ctx context.Context, user authclient.UserID, wallet WalletID, page database.Page) ([]TopUp, string, error) {
	if _, err := s.Wallet(ctx, user, wallet); err != nil {
		return nil, "", err
	}
	rows, next, err := database.Newest(ctx, s.db.NewSelect().Where("wallet_id = ?", wallet), page, "id", func(r topUpRow) TopUpID { return r.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list top-ups of wallet %s: %w", wallet, err)
	}
	all := make([]TopUp, len(rows))
	for i, r := range rows {
		all[i] = s.topUpOf(r)
	}
	return all, next, nil
}

func (s *Service) checkTopUp(amount int64) error {
	if s.provider == nil {
		return payclient.ErrTopUpsOff
	}
	if amount < s.minTopUp || amount > s.maxTopUp {
		return payclient.ErrTopUpRange.With("min", s.amount(s.minTopUp)).With("max", s.amount(s.maxTopUp))
	}
	return nil
}

func (s *Service) insertTopUp(ctx context.Context, tx bun.Tx, topUp TopUpID, in NewTopUp) error {
	row := &topUpRow{
		ID: topUp, WalletID: in.Wallet, Provider: s.provider.Name(), Amount: in.Amount,
		Currency: s.currency, State: payclient.Created, CreatedAt: database.At(s.now()),
	}
	if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
		return fmt.Errorf("insert top-up %s: %w", topUp, err)
	}
	return s.jobs.Add(ctx, tx, job.Job{Kind: topUpJob, Key: string(topUp), At: s.now().Add(topUpFirst)})
}

// collectLater is done also when the money is on its way: the provider says when it came.
func (s *Service) collectLater(ctx context.Context, j job.Job) error {
	_, err := s.collect(ctx, TopUpID(j.Key))
	return err
}

// collect asks the provider for the money of a top-up that is written already: the
// provider is a service, and no call stands in a transaction.
func (s *Service) collect(ctx context.Context, topUp TopUpID) (TopUp, error) {
	row, err := s.topUp(ctx, topUp)
	if err != nil {
		return TopUp{}, err
	}
	if row.State == payclient.Succeeded {
		return s.topUpOf(row), nil
	}
	if s.provider == nil || s.provider.Name() != row.Provider {
		return TopUp{}, payclient.ErrTopUpsOff
	}
	receipt, err := s.provider.Collect(ctx, s.topUpOf(row))
	crash.Point("pay.topup.collected")
	if err != nil {
		return TopUp{}, fmt.Errorf("collect top-up %s: %w", topUp, err)
	}
	if receipt == (Receipt{}) {
		return s.topUpOf(row), nil
	}
	return s.Confirm(ctx, topUp, receipt)
}

var errReceipt = errors.New("receipt does not fit the top-up")

// Confirm credits a top-up: the provider has its money. The same receipt again
// changes nothing; another amount, or a reference that another top-up has, is an
// error. Only who has asked the provider, or checked its signature, may call it.
func (s *Service) Confirm(ctx context.Context, topUp TopUpID, r Receipt) (TopUp, error) {
	row, err := s.topUp(ctx, topUp)
	if err != nil {
		return TopUp{}, err
	}
	if r.Amount != s.amount(row.Amount) || r.Reference == "" {
		return TopUp{}, fmt.Errorf("confirm top-up %s with %s %s: %w", topUp, r.Reference, r.Amount, errReceipt)
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Of all news of one top-up the first finds it created; the rest credit nothing.
		won, err := database.Changed(tx.NewUpdate().Model((*topUpRow)(nil)).
			Set("state = ?", payclient.Succeeded).Set("reference = ?", r.Reference).
			Where("id = ?", topUp).Where("state = ?", payclient.Created).Exec(ctx))
		if err != nil || !won {
			return err
		}
		if err := s.jobs.Remove(ctx, tx, topUpJob, string(topUp)); err != nil {
			return err
		}
		return s.post(ctx, tx, s.topUpTransfer(row))
	})
	crash.Point("pay.topup.confirmed")
	if database.Taken(err) {
		return TopUp{}, fmt.Errorf("confirm top-up %s: reference %s is another's: %w", topUp, r.Reference, errReceipt)
	}
	if err != nil {
		return TopUp{}, fmt.Errorf("confirm top-up %s: %w", topUp, err)
	}
	if row, err = s.topUp(ctx, topUp); err != nil {
		return TopUp{}, database.Afterwards(err)
	}
	if row.Reference != r.Reference {
		return TopUp{}, fmt.Errorf("confirm top-up %s with %s: it came as %s: %w", topUp, r.Reference, row.Reference, errReceipt)
	}
	return s.topUpOf(row), nil
}

// topUpTransfer moves a top-up's money.
func (s *Service) topUpTransfer(r topUpRow) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.TransferID(r.ID), Kind: ledger.Move, Debit: s.world(), Credit: ledger.AccountID(r.WalletID),
		Amount: r.Amount, Code: codeTopUp, Ref: string(r.ID),
	}
}

func (s *Service) topUp(ctx context.Context, topUp TopUpID) (topUpRow, error) {
	var row topUpRow
	if err := s.db.NewSelect().Model(&row).Where("id = ?", topUp).Scan(ctx); err != nil {
		return topUpRow{}, fmt.Errorf("read top-up %s: %w", topUp, err)
	}
	return row, nil
}

func (s *Service) topUpOf(r topUpRow) TopUp {
	return TopUp{ID: r.ID, Wallet: r.WalletID, Amount: s.amount(r.Amount), State: r.State, CreatedAt: r.CreatedAt.Time}
}
