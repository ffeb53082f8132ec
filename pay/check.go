package pay

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/ledger"
	"jishi/pay/payclient"
)

// The invariants of pay, as they are reported beside the ledger's.
const (
	WalletHasAccount = "a wallet has an account that can't be overdrawn"
	PartiesAddUp     = "the parties' shares are the payment's amount"
	SharesAddUp      = "what became of a payment is what became of its shares"
	CountersFit      = "refunded and released are at most captured, that is at most authorized, and that at most the amount"
	StateFits        = "a payment has a wallet, and its money is held or taken, exactly as its state says"
	TransferFits     = "a payment's transfers from its wallet into escrow are those of its state"
	SharesFit        = "a share counts its refunds and releases"
	MoneyMoved       = "a top-up, a refund or a release has moved its money"
	EscrowFits       = "escrow is what was captured and neither refunded nor released"
	FeesFit          = "fees are those of the releases"
	WorldIsToppedUp  = "the world has given the sum of the top-ups that succeeded"
	NothingElseMoved = "every transfer is of a top-up, a payment, a refund or a release"
	NothingLate      = "no payment waits past its deadline without a job that ends it"
)

// Checked is how much a check read.
type Checked struct {
	ledger.Checked
	Wallets, TopUps, Payments, Refunds, Releases int64
}

// checkBatch is how many rows a check reads at a time.
const checkBatch = 1000

// Check verifies every invariant of pay and of its ledger, in batches: each is read in one
// snapshot, so that what changes meanwhile is no violation. Like [Service.Prepare], which it
// doesn't need, it refuses wallets in another currency.
func (s *Service) Check(ctx context.Context, report ledger.Report) (Checked, error) {
	var c Checked
	err := s.db.Snapshot(ctx, s.sameCurrency)
	if err != nil {
		return c, err
	}
	if c.Checked, err = s.ledger.Check(ctx, report); err != nil {
		return c, err
	}
	if c.Wallets, err = s.checkWallets(ctx, report); err != nil {
		return c, err
	}
	if c.TopUps, err = s.checkTopUps(ctx, report); err != nil {
		return c, err
	}
	if c.Payments, err = s.checkPayments(ctx, report); err != nil {
		return c, err
	}
	if c.Refunds, err = s.checkRefunds(ctx, report); err != nil {
		return c, err
	}
	if c.Releases, err = s.checkReleases(ctx, report); err != nil {
		return c, err
	}
	if err := s.checkTotals(ctx, report); err != nil {
		return c, err
	}
	return c, s.checkNothingElse(ctx, report)
}

func (s *Service) checkWallets(ctx context.Context, report ledger.Report) (int64, error) {
	var n int64
	for after := WalletID(""); ; {
		var ids []WalletID
		err := s.db.NewSelect().Model((*walletRow)(nil)).Column("id").Where("id > ?", after).Order("id").Limit(checkBatch).Scan(ctx, &ids)
		if err != nil {
			return n, fmt.Errorf("read wallets: %w", err)
		}
		if len(ids) == 0 {
			return n, nil
		}
		accounts := make([]ledger.Account, len(ids))
		for i, id := range ids {
			accounts[i] = s.account(id)
		}
		different, err := s.ledger.Differing(ctx, accounts...)
		if err != nil {
			return n, err
		}
		for _, id := range different {
			report(WalletHasAccount, string(id), "there is none, or it is in another currency, open, or has another floor than 0")
		}
		n, after = n+int64(len(ids)), ids[len(ids)-1]
	}
}

// checkTotals compares our rows with what the ledger moved for them.
func (s *Service) checkTotals(ctx context.Context, report ledger.Report) error {
	var p struct{ Captured, Refunded, Released int64 }
	var fees, toppedUp int64
	var balances map[ledger.AccountID]ledger.Balance
	err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		q := tx.NewSelect().Model((*paymentRow)(nil))
		for _, column := range []string{"captured", "refunded", "released"} {
			q = q.ColumnExpr("COALESCE(SUM(?), 0)", bun.Ident(column))
		}
		err := errors.Join(
			q.Scan(ctx, &p.Captured, &p.Refunded, &p.Released),
			tx.NewSelect().Model((*releaseRow)(nil)).ColumnExpr("COALESCE(SUM(fee), 0)").Scan(ctx, &fees),
			tx.NewSelect().Model((*topUpRow)(nil)).ColumnExpr("COALESCE(SUM(amount), 0)").Where("state = ?", payclient.Succeeded).Scan(ctx, &toppedUp))
		if err != nil {
			return fmt.Errorf("add up payments, releases and top-ups: %w", err)
		}
		balances, err = s.ledger.BalancesIn(ctx, tx, s.escrow(), s.fees(), s.world())
		return err
	})
	if err != nil {
		return err
	}
	if has, want := balances[s.escrow()].Posted, p.Captured-p.Refunded-p.Released; has != want {
		report(EscrowFits, string(s.escrow()), fmt.Sprintf("escrow is %d; captured %d, refunded %d, released %d leave %d", has, p.Captured, p.Refunded, p.Released, want))
	}
	if has := balances[s.fees()].Posted; has != fees {
		report(FeesFit, string(s.fees()), fmt.Sprintf("they are %d, those of the releases %d", has, fees))
	}
	if gave := -balances[s.world()].Posted; gave != toppedUp {
		report(WorldIsToppedUp, string(s.world()), fmt.Sprintf("the world gave %d, top-ups are %d", gave, toppedUp))
	}
	return nil
}

// checkNothingElse counts: where every transfer that must be there is there, which the other
// checks say, as many as there must be are no others.
func (s *Service) checkNothingElse(ctx context.Context, report ledger.Report) error {
	var has, want int64
	err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, part := range []*bun.SelectQuery{
			tx.NewSelect().Model((*topUpRow)(nil)).ColumnExpr("COUNT(*)").Where("state = ?", payclient.Succeeded),
			tx.NewSelect().Model((*paymentRow)(nil)).ColumnExpr("COUNT(*)").Where("authorized > 0"),
			tx.NewSelect().Model((*paymentRow)(nil)).ColumnExpr("COUNT(*)").Where("authorized > 0").Where("hold = ?", true).
				Where("state IN (?)", bun.List([]string{payclient.Captured, payclient.Closed})), // the ends of holds
			tx.NewSelect().Model((*refundRow)(nil)).ColumnExpr("COUNT(*)"),
			tx.NewSelect().Model((*refundRow)(nil)).ColumnExpr("COUNT(*)").Where("wallet_id IS NOT NULL"), // first from the payee
			tx.NewSelect().Model((*releaseRow)(nil)).ColumnExpr("COUNT(*)"),
			tx.NewSelect().Model((*releaseRow)(nil)).ColumnExpr("COUNT(*)").Where("fee > 0"),
		} {
			var n int64
			if err := part.Scan(ctx, &n); err != nil {
				return fmt.Errorf("count what has transfers: %w", err)
			}
			want += n
		}
		var err error
		has, err = s.ledger.CountIn(ctx, tx)
		return err
	})
	if err == nil && has != want {
		report(NothingElseMoved, "transfers", fmt.Sprintf("there are %d, top-ups, payments, refunds and releases have %d", has, want))
	}
	return err
}
