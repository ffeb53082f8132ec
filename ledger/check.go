package ledger

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
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
)

// Checked is how much a check read.
type Checked struct{ Accounts, Transfers int64 }

// checkBatch is how many rows a check reads at a time.
const checkBatch = 1000

// Check verifies every invariant of the ledger. It reads in batches, so its memory is
// bounded by the holds that are open at one time in one account. It is exact on a
// ledger that is at rest; beside a running one an account that is written meanwhile
// may be reported.
func (l *Ledger) Check(ctx context.Context, report Report) (Checked, error) {
	var total Checked
	sums := map[Unit]int64{}
	after := AccountID("")
	for {
		var accounts []accountRow
		err := l.db.NewSelect().Model(&accounts).Where("id > ?", after).Order("id").Limit(checkBatch).Scan(ctx)
		if err != nil {
			return total, fmt.Errorf("read accounts: %w", err)
		}
		for i := range accounts {
			a := &accounts[i]
			total.Accounts++
			if a.Kind == Open {
				b, err := l.Balance(ctx, a.ID)
				if err != nil {
					return total, err
				}
				sums[a.Unit] += b.Posted
				continue
			}
			sums[a.Unit] += a.Posted
			n, err := l.replay(ctx, a, report)
			if err != nil {
				return total, err
			}
			total.Transfers += n
		}
		if len(accounts) < checkBatch {
			break
		}
		after = accounts[len(accounts)-1].ID
	}
	for unit, sum := range sums {
		if sum != 0 {
			report(SumIsZero, string(unit), fmt.Sprintf("it is %d", sum))
		}
	}
	return total, l.checkNumbered(ctx, report)
}

// replay does an account's transfers again, and gives how many there are.
func (l *Ledger) replay(ctx context.Context, a *accountRow, report Report) (int64, error) {
	r := replay{account: a, holds: map[TransferID]int64{}, report: report}
	for {
		rows, err := l.entriesFrom(ctx, a.ID, r.seq)
		if err != nil {
			return r.count, err
		}
		for _, e := range rows {
			r.entry(e)
		}
		if len(rows) == 0 {
			break
		}
	}
	r.end()
	return r.count, nil
}

// entriesFrom is the entries of an account that follow a number, oldest first.
func (l *Ledger) entriesFrom(ctx context.Context, id AccountID, seq int64) ([]Entry, error) {
	sides := make([][]Entry, 2)
	for i, side := range []string{"debit", "credit"} {
		var rows []transferRow
		number := bun.Ident(side + "_seq")
		err := l.db.NewSelect().Model(&rows).
			Where("? = ?", bun.Ident(side), id).
			Where("? > ?", number, seq).
			OrderExpr("?", number).
			Limit(checkBatch).
			Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("read entries of %s: %w", id, err)
		}
		for j := len(rows) - 1; j >= 0; j-- { // merge wants the newest first
			sides[i] = append(sides[i], rows[j].entry(id))
		}
	}
	merged := merge(sides[0], sides[1])
	var all []Entry
	for i := len(merged) - 1; i >= 0; i-- {
		all = append(all, merged[i])
	}
	// What lies behind the end of a side that was cut off comes with the next batch.
	if len(all) > checkBatch {
		all = all[:checkBatch]
	}
	return all, nil
}

// replay is an account being done again.
type replay struct {
	account           *accountRow
	seq, posted, held int64
	count             int64
	holds             map[TransferID]int64 // those that are open, and what they hold
	report            Report
}

func (r *replay) wrong(invariant string, format string, args ...any) {
	r.report(invariant, string(r.account.ID), fmt.Sprintf(format, args...))
}

func (r *replay) entry(e Entry) {
	r.count++
	if e.Seq != r.seq+1 {
		r.wrong(NoGaps, "%d is followed by %d (%s)", r.seq, e.Seq, e.Transfer.ID)
	}
	r.seq = e.Seq
	r.posted += e.Amount
	switch t := e.Transfer; {
	case t.Kind == Hold:
		r.holds[t.ID] = t.Amount
		r.held += t.Amount
	case t.Hold != "" && e.Amount <= 0: // on the side that was held
		held, open := r.holds[t.Hold]
		if !open {
			r.wrong(EndsOnce, "%s ends %s, which isn't open", t.ID, t.Hold)
		}
		delete(r.holds, t.Hold)
		r.held -= held
	}
	if r.posted != e.Posted || r.held != e.Held {
		r.wrong(BalanceReplays, "after %s (number %d) it says %d, %d held; the replay %d, %d held", e.Transfer.ID, e.Seq, e.Posted, e.Held, r.posted, r.held)
		r.posted, r.held = e.Posted, e.Held // one report for one break
	}
	if r.posted-r.held < r.account.Floor {
		r.wrong(AboveFloor, "%d with %d held after %s", r.posted, r.held, e.Transfer.ID)
	}
}

func (r *replay) end() {
	a := r.account
	if r.seq != a.Version {
		r.wrong(NoGaps, "the last number is %d, the account says %d", r.seq, a.Version)
	}
	if r.posted != a.Posted || r.held != a.Held {
		r.wrong(BalanceReplays, "it says %d, %d held; the replay %d, %d held", a.Posted, a.Held, r.posted, r.held)
	}
	var open int64
	for _, held := range r.holds {
		open += held
	}
	if open != a.Held {
		r.wrong(HeldIsOpen, "%d is held, the open holds are %d", a.Held, open)
	}
}

// checkNumbered finds transfers that touch a guarded account and have no number in it.
func (l *Ledger) checkNumbered(ctx context.Context, report Report) error {
	for side, kinds := range map[string][]Kind{"debit": {Move, Hold, Post, Void}, "credit": {Move, Post}} {
		var ids []TransferID
		err := l.db.NewSelect().Model((*transferRow)(nil)).Column("transfer_row.id").
			Join("JOIN accounts AS a ON a.id = ?", bun.Ident("transfer_row."+side)).
			Where("a.kind = ?", Guarded).
			Where("transfer_row.kind IN (?)", bun.In(kinds)).
			Where("? IS NULL", bun.Ident("transfer_row."+side+"_seq")).
			Limit(checkBatch).
			Scan(ctx, &ids)
		if err != nil {
			return fmt.Errorf("look for transfers without a number: %w", err)
		}
		for _, id := range ids {
			report(NoGaps, string(id), "it has no number in its "+side+" account")
		}
	}
	return nil
}
