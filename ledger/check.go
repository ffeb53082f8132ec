package ledger

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Report is told of each violation: which invariant, whose id, and what was found.
type Report func(invariant, id, found string)

// The invariants of a ledger, as they are reported.
const (
	SumIsZero      = "the sum of each unit is zero"
	BalanceReplays = "a balance is the replay of its transfers"
	NoGaps         = "transfers are numbered without gaps"
	HeldIsOpen     = "what is held is the sum of the open holds"
	AboveFloor     = "no balance was ever below its floor"
	EndsOnce       = "a hold ends once, in its own account"
	HasAccounts    = "a transfer is between accounts of its unit"
	BatchIsWhole   = "a batch has the transfers that it wrote"
)

// Checked is how much a check read.
type Checked struct{ Accounts, Transfers int64 }

// checkBatch is how many rows a check reads at a time.
const checkBatch = 1000

// Check verifies every invariant of the ledger. It goes once through the accounts and,
// in the same order, through the transfers on each of their sides; so its memory is bounded by
// the holds that are open at one time in one account. It is exact beside a running ledger:
// each batch of accounts is read with its transfers as they were at one moment.
func (l *Ledger) Check(ctx context.Context, report Report) (Checked, error) {
	c := &checkRun{report: report}
	for more := true; more; {
		err := l.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			more, err = c.accounts(ctx, tx)
			return err
		})
		if err != nil {
			return c.done, err
		}
	}
	if err := l.db.Snapshot(ctx, c.sums); err != nil {
		return c.done, err
	}
	return c.done, l.db.Snapshot(ctx, c.batches)
}

// checkRun is a run of Check.
type checkRun struct {
	report Report
	after  AccountID // up to which everything was read
	done   Checked
}

// accounts checks the next accounts with all of their transfers. The last call, for which
// none are left, looks for transfers of accounts that would follow.
func (c *checkRun) accounts(ctx context.Context, tx bun.Tx) (more bool, err error) {
	var accounts []accountRow
	if err := tx.NewSelect().Model(&accounts).Where("id > ?", c.after).Order("id").Limit(checkBatch).Scan(ctx); err != nil {
		return false, fmt.Errorf("read accounts: %w", err)
	}
	r := database.Range[AccountID]{After: c.after}
	var open []AccountID
	for _, a := range accounts {
		r.UpTo = a.ID
		if a.Kind == Open {
			open = append(open, a.ID)
		}
	}
	without, err := unnumbered(ctx, tx, r)
	if err != nil {
		return false, err
	}
	balances := map[AccountID]int64{}
	if len(open) > 0 {
		if balances, err = openSums(ctx, tx.NewSelect, open); err != nil {
			return false, err
		}
	}
	entries := newEntries(tx, r)
	for i := range accounts {
		a := &accounts[i]
		c.done.Accounts++
		if err := c.replay(ctx, a, entries); err != nil {
			return false, err
		}
		c.unnumbered(a, without[a.ID], balances[a.ID])
		delete(without, a.ID)
	}
	for id, u := range without {
		c.report(HasAccounts, string(id), fmt.Sprintf("it doesn't exist, but %d transfers touch it, such as %s", u.Transfers, u.Example))
	}
	c.after = r.UpTo
	return len(accounts) > 0, c.strangers(ctx, entries, "")
}

// replay does an account's numbered transfers again.
func (c *checkRun) replay(ctx context.Context, a *accountRow, entries *entries) error {
	if err := c.strangers(ctx, entries, a.ID); err != nil {
		return err
	}
	r := replay{account: a, holds: map[TransferID]int64{}, report: c.report}
	for {
		e, err := entries.peek(ctx)
		if err != nil {
			return err
		}
		if e == nil || e.Account != a.ID {
			break
		}
		r.entry(e)
		entries.next()
	}
	c.done.Transfers += r.count
	if a.Kind == Open && r.count > 0 {
		c.report(NoGaps, string(a.ID), fmt.Sprintf("it is open, but %d transfers have a number in it", r.count))
	}
	if a.Kind == Guarded {
		r.end()
	}
	return nil
}

// strangers reports entries of accounts that don't exist, up to one that does.
func (c *checkRun) strangers(ctx context.Context, entries *entries, upTo AccountID) error {
	for {
		e, err := entries.peek(ctx)
		if err != nil || e == nil || upTo != "" && e.Account >= upTo {
			return err
		}
		c.report(HasAccounts, string(e.Account), fmt.Sprintf("it doesn't exist, but transfer %s touches it", e.ID))
		entries.next()
	}
}

// unnumbered checks the transfers that have no number in an account: all those of an open
// one, none of a guarded one.
func (c *checkRun) unnumbered(a *accountRow, u without, balance int64) {
	c.done.Transfers += u.Transfers
	switch {
	case a.Kind == Guarded && u.Transfers > 0:
		c.report(NoGaps, string(a.ID), fmt.Sprintf("%d transfers have no number in it, such as %s", u.Transfers, u.Example))
	case a.Kind == Open && u.Moved != balance:
		c.report(BalanceReplays, string(a.ID), fmt.Sprintf("its balance is %d, its transfers are %d", balance, u.Moved))
	case u.Transfers > 0 && (u.First != a.Unit || u.Last != a.Unit):
		c.report(HasAccounts, string(a.ID), fmt.Sprintf("it is in %s, its transfers are in %s to %s", a.Unit, u.First, u.Last))
	}
}

// sums checks that what one account has another one has given.
func (c *checkRun) sums(ctx context.Context, tx bun.Tx) error {
	type sum struct {
		Unit   Unit
		Amount int64
	}
	var all []sum
	err := tx.NewSelect().Model((*accountRow)(nil)).ColumnExpr("unit, SUM(posted) AS amount").GroupExpr("unit").Scan(ctx, &all)
	if err != nil {
		return fmt.Errorf("sum accounts: %w", err)
	}
	for _, s := range sides {
		var since []sum
		err := tx.NewSelect().TableExpr("batches AS b").Join("CROSS JOIN transfers AS t").
			ColumnExpr("t.unit, SUM(t.amount) * ? AS amount", s.sign).
			Where("b.seal IS NULL").Where("t.batch = b.id").
			Where("t.? IS NULL", bun.Ident(s.name+"_seq")).
			Where("t.kind IN (?)", bun.In([]Kind{Move, Post})).
			GroupExpr("t.unit").Scan(ctx, &since)
		if err != nil {
			return fmt.Errorf("sum open accounts: %w", err)
		}
		all = append(all, since...)
	}
	units := map[Unit]int64{}
	for _, s := range all {
		units[s.Unit] += s.Amount
	}
	for unit, sum := range units {
		if sum != 0 {
			c.report(SumIsZero, string(unit), fmt.Sprintf("it is %d", sum))
		}
	}
	return nil
}

// batches compares what each batch wrote with what is there.
func (c *checkRun) batches(ctx context.Context, tx bun.Tx) error {
	var wrong []struct{ ID, Size, Found int64 }
	err := tx.NewSelect().Model((*batchRow)(nil)).ColumnExpr("batch_row.id, batch_row.size, COUNT(t.id) AS found").
		Join("LEFT JOIN transfers AS t ON t.batch = batch_row.id").
		GroupExpr("batch_row.id, batch_row.size").Having("COUNT(t.id) <> batch_row.size").Limit(checkBatch).Scan(ctx, &wrong)
	if err != nil {
		return fmt.Errorf("count the transfers of batches: %w", err)
	}
	for _, w := range wrong {
		c.report(BatchIsWhole, fmt.Sprintf("batch %d", w.ID), fmt.Sprintf("it wrote %d transfers, there are %d", w.Size, w.Found))
	}
	var strays []TransferID
	err = tx.NewSelect().Model((*transferRow)(nil)).Column("transfer_row.id").
		Join("LEFT JOIN batches AS b ON b.id = transfer_row.batch").
		Where("b.id IS NULL").Limit(checkBatch).Scan(ctx, &strays)
	if err != nil {
		return fmt.Errorf("look for transfers without a batch: %w", err)
	}
	for _, id := range strays {
		c.report(BatchIsWhole, string(id), "its batch doesn't exist")
	}
	return nil
}
