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
	TransferFits     = "a payment's transfer from its wallet into escrow is done exactly when it is captured"
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
		if err := s.checkTransfers(ctx, rows, report); err != nil {
			return n, err
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

// checkTransfers compares payments with the ledger one by one: two that are wrong by the
// same amount would agree in the sums.
func (s *Service) checkTransfers(ctx context.Context, rows []paymentRow, report ledger.Report) error {
	ids := make([]ledger.TransferID, len(rows))
	for i, r := range rows {
		ids[i] = ledger.TransferID(r.ID)
	}
	transfers, err := s.ledger.Transfers(ctx, ids...)
	if err != nil {
		return err
	}
	for i, r := range rows {
		t, done := transfers[ids[i]]
		switch {
		case done != (r.State == payclient.Captured):
			report(TransferFits, string(r.ID), fmt.Sprintf("it is %s, its transfer done: %t", r.State, done))
		case done && (t.Amount != r.Amount || t.Debit != ledger.AccountID(r.WalletID) || t.Credit != s.escrow()):
			report(TransferFits, string(r.ID), fmt.Sprintf("%d of wallet %s, but the transfer moved %d from %s to %s", r.Amount, r.WalletID, t.Amount, t.Debit, t.Credit))
		}
	}
	return nil
}

// EachPayment calls fn with the payments that a merchant asked for, without their parties,
// by order: those of orders after one and up to another one, "" for no bound.
func (s *Service) EachPayment(ctx context.Context, merchant, after, upTo string, fn func(Payment)) error {
	var last PaymentID
	for {
		var rows []paymentRow
		q := s.db.NewSelect().Model(&rows).Where("merchant = ?", merchant).
			Where("order_id > ? OR (order_id = ? AND id > ? AND ? <> '')", after, after, last, last).
			Order("order_id", "id").Limit(checkBatch)
		if upTo != "" {
			q = q.Where("order_id <= ?", upTo)
		}
		if err := q.Scan(ctx); err != nil {
			return fmt.Errorf("read payments of %s: %w", merchant, err)
		}
		for _, r := range rows {
			fn(s.paymentOf(r, nil))
		}
		if len(rows) < checkBatch {
			return nil
		}
		after, last = rows[len(rows)-1].OrderID, rows[len(rows)-1].ID
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
