package pay

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/ledger"
	"jishi/pay/payclient"
)

// The invariants of pay, as they are reported beside the ledger's.
const (
	WalletHasAccount = "a wallet has an account"
	PartiesAddUp     = "the parties' shares are the payment's amount"
	StateFits        = "a payment has a wallet exactly when it is captured"
	EscrowIsCaptured = "escrow is the sum of the captured payments"
	WorldIsToppedUp  = "the world has given the sum of the top-ups that succeeded"
)

// Checked is how much a check read.
type Checked struct {
	ledger.Checked
	Wallets, Payments int64
}

// checkBatch is how many rows a check reads at a time.
const checkBatch = 1000

// Check verifies every invariant of pay and of its ledger. It is exact on a service
// that is at rest.
func (s *Service) Check(ctx context.Context, report ledger.Report) (Checked, error) {
	var c Checked
	var err error
	if c.Checked, err = s.ledger.Check(ctx, report); err != nil {
		return c, err
	}
	if c.Wallets, err = s.checkWallets(ctx, report); err != nil {
		return c, err
	}
	if c.Payments, err = s.checkPayments(ctx, report); err != nil {
		return c, err
	}
	return c, s.checkTotals(ctx, report)
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
		accounts := make([]ledger.AccountID, len(ids))
		for i, id := range ids {
			accounts[i] = ledger.AccountID(id)
		}
		found, err := s.ledger.Balances(ctx, accounts...)
		if err != nil {
			return n, err
		}
		for _, id := range accounts {
			if _, ok := found[id]; !ok {
				report(WalletHasAccount, string(id), "there is none")
			}
		}
		n, after = n+int64(len(ids)), ids[len(ids)-1]
	}
}

func (s *Service) checkPayments(ctx context.Context, report ledger.Report) (int64, error) {
	var n int64
	for after := PaymentID(""); ; {
		var rows []paymentRow
		err := s.db.NewSelect().Model(&rows).Where("id > ?", after).Order("id").Limit(checkBatch).Scan(ctx)
		if err != nil {
			return n, fmt.Errorf("read payments: %w", err)
		}
		if len(rows) == 0 {
			return n, nil
		}
		ids := make([]PaymentID, len(rows))
		for i, r := range rows {
			ids[i] = r.ID
		}
		var parties []partyRow
		if err := s.db.NewSelect().Model(&parties).Where("payment_id IN (?)", bun.In(ids)).Scan(ctx); err != nil {
			return n, fmt.Errorf("read parties: %w", err)
		}
		shares := map[PaymentID]int64{}
		for _, p := range parties {
			shares[p.PaymentID] += p.Amount
		}
		for _, r := range rows {
			if shares[r.ID] != r.Amount {
				report(PartiesAddUp, string(r.ID), fmt.Sprintf("they are %d, the amount is %d", shares[r.ID], r.Amount))
			}
			if (r.State == payclient.Captured) != (r.WalletID != "") {
				report(StateFits, string(r.ID), fmt.Sprintf("it is %s, its wallet %q", r.State, r.WalletID))
			}
		}
		n, after = n+int64(len(rows)), ids[len(ids)-1]
	}
}

// checkTotals compares our rows with what the ledger moved for them.
func (s *Service) checkTotals(ctx context.Context, report ledger.Report) error {
	captured, err := sum(ctx, s.db.NewSelect().Model((*paymentRow)(nil)).Where("state = ?", payclient.Captured))
	if err != nil {
		return err
	}
	toppedUp, err := sum(ctx, s.db.NewSelect().Model((*topUpRow)(nil)).Where("state = ?", payclient.Succeeded))
	if err != nil {
		return err
	}
	escrow, err := s.ledger.Balance(ctx, s.escrow())
	if err != nil {
		return err
	}
	world, err := s.ledger.Balance(ctx, s.world())
	if err != nil {
		return err
	}
	if escrow.Posted != captured {
		report(EscrowIsCaptured, string(s.escrow()), fmt.Sprintf("escrow is %d, captured is %d", escrow.Posted, captured))
	}
	if world.Posted != -toppedUp {
		report(WorldIsToppedUp, string(s.world()), fmt.Sprintf("the world gave %d, top-ups are %d", -world.Posted, toppedUp))
	}
	return nil
}

func sum(ctx context.Context, q *bun.SelectQuery) (int64, error) {
	var total int64
	if err := q.ColumnExpr("COALESCE(SUM(amount), 0)").Scan(ctx, &total); err != nil {
		return 0, fmt.Errorf("add up amounts: %w", err)
	}
	return total, nil
}
