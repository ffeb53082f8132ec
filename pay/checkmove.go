package pay

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/ledger"
	"jishi/pay/payclient"
)

// paidRefund is a refund with the wallet that had paid.
type paidRefund struct {
	refundRow `bun:",extend"`
	Payer     WalletID `bun:"payer,scanonly"`
}

// checkRefunds compares refunds with the ledger one by one: two that are wrong by the same
// amount would agree in the sums.
func (s *Service) checkRefunds(ctx context.Context, report ledger.Report) (int64, error) {
	return checkMoves(ctx, s, report,
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.ColumnExpr("?TableColumns, p.wallet_id AS payer").Join("JOIN payments AS p ON p.id = rf.payment_id").Order("rf.id").Limit(checkBatch)
		},
		"rf.id > ?",
		func(r paidRefund) (string, []ledger.Transfer) { return r.ID, s.refundTransfers(&r.refundRow, r.Payer) })
}

// checkReleases does the same with releases.
func (s *Service) checkReleases(ctx context.Context, report ledger.Report) (int64, error) {
	return checkMoves(ctx, s, report,
		func(q *bun.SelectQuery) *bun.SelectQuery { return q.Order("rl.id").Limit(checkBatch) },
		"rl.id > ?",
		func(r releaseRow) (string, []ledger.Transfer) { return r.ID, s.releaseTransfers(&r) })
}

// checkTopUps does the same with the top-ups whose money came.
func (s *Service) checkTopUps(ctx context.Context, report ledger.Report) (int64, error) {
	return checkMoves(ctx, s, report,
		func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("t.state = ?", payclient.Succeeded).Order("t.id").Limit(checkBatch)
		},
		"t.id > ?",
		func(r topUpRow) (string, []ledger.Transfer) {
			return string(r.ID), []ledger.Transfer{s.topUpTransfer(r)}
		})
}

// checkMoves reads top-ups, refunds or releases in batches and finds the transfers that each must
// have.
func checkMoves[T any](ctx context.Context, s *Service, report ledger.Report, batch func(*bun.SelectQuery) *bun.SelectQuery, further string, want func(T) (string, []ledger.Transfer)) (int64, error) {
	var n int64
	for after := ""; ; {
		var rows []T
		var found map[ledger.TransferID]ledger.Transfer
		err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
			if err := batch(tx.NewSelect().Model(&rows)).Where(further, after).Scan(ctx); err != nil {
				return err
			}
			var ids []ledger.TransferID
			for _, r := range rows {
				_, transfers := want(r)
				for _, t := range transfers {
					ids = append(ids, t.ID)
				}
			}
			var err error
			found, err = s.ledger.TransfersIn(ctx, tx, ids...)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("read what was moved after %q: %w", after, err)
		}
		for _, r := range rows {
			id, transfers := want(r)
			for _, w := range transfers {
				if t, done := found[w.ID]; !done || !sameMove(t, w) {
					report(MoneyMoved, id, fmt.Sprintf("%s should %s; there is %s", w.ID, moveText(w), moveText(t)))
				}
			}
			after = id
		}
		n += int64(len(rows))
		if len(rows) < checkBatch {
			return n, nil
		}
	}
}
