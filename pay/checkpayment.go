package pay

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/ledger"
	"jishi/pay/payclient"
)

// lateGrace is how long after its deadline a payment may still wait.
const lateGrace = time.Minute

// paymentBatch is payments with all that belongs to them, as one snapshot has it.
type paymentBatch struct {
	rows      []paymentRow
	shares    map[PaymentID][]partyRow
	moved     map[partyKey]movements
	transfers map[ledger.TransferID]ledger.Transfer
	late      map[PaymentID]bool
}

type partyKey struct {
	payment PaymentID
	payee   string
}

// movements are the sums of a share's refunds and releases.
type movements struct{ refunded, fromPayee, released int64 }

func (s *Service) checkPayments(ctx context.Context, report ledger.Report) (int64, error) {
	var n int64
	for after := PaymentID(""); ; {
		var b paymentBatch
		err := s.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
			var err error
			b, err = s.readBatch(ctx, tx, after)
			return err
		})
		if err != nil {
			return n, fmt.Errorf("read payments after %q: %w", after, err)
		}
		for _, r := range b.rows {
			s.verifyPayment(r, &b, report)
			if b.late[r.ID] {
				report(NothingLate, string(r.ID), fmt.Sprintf("it is %s, its time was over at %s", r.State, r.ExpiresAt.Format(time.RFC3339)))
			}
		}
		n += int64(len(b.rows))
		if len(b.rows) < checkBatch {
			return n, nil
		}
		after = b.rows[len(b.rows)-1].ID
	}
}

func (s *Service) readBatch(ctx context.Context, tx bun.Tx, after PaymentID) (paymentBatch, error) {
	b := paymentBatch{shares: map[PaymentID][]partyRow{}, moved: map[partyKey]movements{}}
	err := tx.NewSelect().Model(&b.rows).Where("id > ?", after).Order("id").Limit(checkBatch).Scan(ctx)
	if err != nil || len(b.rows) == 0 {
		return b, err
	}
	ids := make([]PaymentID, len(b.rows))
	var transfers []ledger.TransferID
	for i, r := range b.rows {
		ids[i] = r.ID
		transfers = append(transfers, transferIDs(r)...)
	}
	var parties []partyRow
	if err := tx.NewSelect().Model(&parties).Where("payment_id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return b, err
	}
	for _, p := range parties {
		b.shares[p.PaymentID] = append(b.shares[p.PaymentID], p)
	}
	if err := b.addUp(ctx, tx, ids); err != nil {
		return b, err
	}
	if b.transfers, err = s.ledger.TransfersIn(ctx, tx, transfers...); err != nil {
		return b, err
	}
	b.late, err = s.late(ctx, tx, b.rows)
	return b, err
}

// late finds the payments whose time is over. Where the job waits that will end one, the market
// stands still, or can't keep up.
func (s *Service) late(ctx context.Context, tx bun.Tx, rows []paymentRow) (map[PaymentID]bool, error) {
	var ids []string
	for _, r := range rows {
		if r.overdue(s.now().Add(-lateGrace)) {
			ids = append(ids, string(r.ID))
		}
	}
	awaited, err := s.jobs.Awaited(ctx, tx, expireJob, ids)
	late := map[PaymentID]bool{}
	for _, id := range ids {
		late[PaymentID(id)] = !awaited[id]
	}
	return late, err
}

// addUp sums the refunds and releases of payments, by share.
func (b *paymentBatch) addUp(ctx context.Context, tx bun.Tx, ids []PaymentID) error {
	var sums []struct {
		PaymentID PaymentID
		Payee     string
		Amount    int64
		FromPayee bool
	}
	err := tx.NewSelect().Model((*refundRow)(nil)).Column("payment_id", "payee").
		ColumnExpr("SUM(amount) AS amount").ColumnExpr("wallet_id IS NOT NULL AS from_payee").
		Where("payment_id IN (?)", bun.List(ids)).GroupExpr("payment_id, payee, wallet_id IS NOT NULL").Scan(ctx, &sums)
	if err != nil {
		return err
	}
	for _, sum := range sums {
		m := b.moved[partyKey{sum.PaymentID, sum.Payee}]
		m.refunded += sum.Amount
		if sum.FromPayee {
			m.fromPayee += sum.Amount
		}
		b.moved[partyKey{sum.PaymentID, sum.Payee}] = m
	}
	sums = nil
	err = tx.NewSelect().Model((*releaseRow)(nil)).Column("payment_id", "payee").ColumnExpr("SUM(amount) AS amount").
		Where("payment_id IN (?)", bun.List(ids)).Group("payment_id", "payee").Scan(ctx, &sums)
	for _, sum := range sums {
		m := b.moved[partyKey{sum.PaymentID, sum.Payee}]
		m.released += sum.Amount
		b.moved[partyKey{sum.PaymentID, sum.Payee}] = m
	}
	return err
}

func (s *Service) verifyPayment(r paymentRow, b *paymentBatch, report ledger.Report) {
	id := string(r.ID)
	var sum partyRow
	for _, p := range b.shares[r.ID] {
		sum.Amount, sum.Captured, sum.Refunded, sum.Released = sum.Amount+p.Amount, sum.Captured+p.Captured, sum.Refunded+p.Refunded, sum.Released+p.Released
		if p.Refunded < 0 || p.Released < 0 || p.Refunded+p.Released > p.Captured || p.Captured > p.Amount {
			report(CountersFit, id, fmt.Sprintf("share of %s: %d, captured %d, refunded %d, released %d", p.Payee, p.Amount, p.Captured, p.Refunded, p.Released))
		}
		// A refund out of the payee's wallet takes back what was released.
		if m := b.moved[partyKey{r.ID, p.Payee}]; m.refunded != p.Refunded || m.released-m.fromPayee != p.Released {
			report(SharesFit, id, fmt.Sprintf("share of %s counts refunded %d, released %d; its refunds are %d, %d of them from the payee, its releases %d",
				p.Payee, p.Refunded, p.Released, m.refunded, m.fromPayee, m.released))
		}
		delete(b.moved, partyKey{r.ID, p.Payee})
	}
	if sum.Amount != r.Amount {
		report(PartiesAddUp, id, fmt.Sprintf("they are %d, the amount is %d", sum.Amount, r.Amount))
	}
	if sum.Captured != r.Captured || sum.Refunded != r.Refunded || sum.Released != r.Released {
		report(SharesAddUp, id, fmt.Sprintf("the shares have captured %d, refunded %d, released %d; the payment %d, %d, %d",
			sum.Captured, sum.Refunded, sum.Released, r.Captured, r.Refunded, r.Released))
	}
	if r.Refunded < 0 || r.Released < 0 || r.Refunded+r.Released > r.Captured || r.Captured > r.Authorized || r.Authorized > r.Amount {
		report(CountersFit, id, fmt.Sprintf("%d, authorized %d, captured %d, refunded %d, released %d", r.Amount, r.Authorized, r.Captured, r.Refunded, r.Released))
	}
	if !fits(r) {
		report(StateFits, id, fmt.Sprintf("it is %s, hold %t, its wallet %q, authorized %d, captured %d, settled %t",
			r.State, r.Hold, r.WalletID, r.Authorized, r.Captured, !r.SettledAt.IsZero()))
	}
	expected := map[ledger.TransferID]bool{}
	for _, want := range s.transfersOf(r) {
		expected[want.ID] = true
		if t, done := b.transfers[want.ID]; !done || !sameMove(t, want) {
			report(TransferFits, id, fmt.Sprintf("it is %s, so %s should %s; there is %s", r.State, want.ID, moveText(want), moveText(t)))
		}
	}
	for _, other := range transferIDs(r) {
		if t, done := b.transfers[other]; done && !expected[other] {
			report(TransferFits, id, fmt.Sprintf("it is %s, but %s did %s", r.State, other, moveText(t)))
		}
	}
}

// fits tells whether state, wallet and counters of a payment agree.
func fits(r paymentRow) bool {
	agreed, settled := r.Authorized > 0, r.State == payclient.Captured || r.State == payclient.Closed
	known := settled || r.waits()
	return known && agreed == (r.WalletID != "") && (!agreed || r.Authorized == r.Amount) &&
		(r.Captured > 0) == (r.State == payclient.Captured) &&
		(r.State != payclient.Open || !agreed) && (r.State != payclient.Authorized || agreed && r.Hold) &&
		(r.Hold || r.Captured == r.Authorized) && settled == !r.SettledAt.IsZero()
}

// transferIDs are those that a payment's transfers from its wallet can have.
func transferIDs(r paymentRow) []ledger.TransferID {
	return []ledger.TransferID{ledger.TransferID(r.ID), captureID(r.ID), voidID(r.ID)}
}

// transfersOf are the transfers from its wallet that a payment must have.
func (s *Service) transfersOf(r paymentRow) []ledger.Transfer {
	if r.Authorized == 0 {
		return nil
	}
	first := ledger.Transfer{
		ID: ledger.TransferID(r.ID), Kind: ledger.Move, Debit: ledger.AccountID(r.WalletID), Credit: s.escrow(), Amount: r.Amount,
	}
	if !r.Hold {
		return []ledger.Transfer{first}
	}
	first.Kind = ledger.Hold
	end := first
	switch r.State {
	case payclient.Captured:
		end.ID, end.Kind, end.Amount = captureID(r.ID), ledger.Post, r.Captured
	case payclient.Closed:
		end.ID, end.Kind = voidID(r.ID), ledger.Void
	default:
		return []ledger.Transfer{first}
	}
	return []ledger.Transfer{first, end}
}

func sameMove(a, b ledger.Transfer) bool {
	return a.Kind == b.Kind && a.Debit == b.Debit && a.Credit == b.Credit && a.Amount == b.Amount
}

func moveText(t ledger.Transfer) string {
	if t.ID == "" {
		return "nothing"
	}
	return fmt.Sprintf("%s %d from %s to %s", t.Kind, t.Amount, t.Debit, t.Credit)
}
