package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// BalanceAt is what a guarded account had at a past time. Where clocks went back between some of
// its transfers, and the time lies between theirs, it is what it had after one of them, and always
// the same one.
func (l *Ledger) BalanceAt(ctx context.Context, id AccountID, at time.Time) (Balance, error) {
	a, err := l.guarded(ctx, id)
	if err != nil {
		return Balance{}, err
	}
	return l.before(ctx, a, database.At(at).Add(time.Microsecond))
}

// Period is a part of a guarded account's statement: what follows Opening, up to Closing.
// The amounts of its entries add up to what lies between the two.
type Period struct {
	Account          AccountID
	Opening, Closing Balance
}

// Period is the transfers from one time on, and before another one; a zero time is no
// bound. A period ends where the next one begins, whenever either is asked for, unless a transfer
// with a time before their border was written in between.
func (l *Ledger) Period(ctx context.Context, id AccountID, from, to time.Time) (Period, error) {
	a, err := l.guarded(ctx, id)
	if err != nil {
		return Period{}, err
	}
	p := Period{Account: id, Opening: Balance{Available: -a.Floor}, Closing: a.balance()}
	if !to.IsZero() {
		if p.Closing, err = l.before(ctx, a, to); err != nil {
			return Period{}, err
		}
	}
	if !from.IsZero() {
		if p.Opening, err = l.before(ctx, a, from); err != nil {
			return Period{}, err
		}
	}
	if p.Opening.Version > p.Closing.Version { // from lies behind to
		p.Opening = p.Closing
	}
	return p, nil
}

// Each reads a period's entries, oldest first, some at a time.
func (l *Ledger) Each(ctx context.Context, p Period) iter.Seq2[[]Entry, error] {
	return func(yield func([]Entry, error) bool) {
		for at := p.Opening.Version; at < p.Closing.Version; at += checkBatch {
			entries, err := l.numbered(ctx, p.Account, at, min(at+checkBatch, p.Closing.Version))
			if !yield(entries, err) || err != nil {
				return
			}
		}
	}
}

// guarded reads an account that numbers its transfers.
func (l *Ledger) guarded(ctx context.Context, id AccountID) (*accountRow, error) {
	found, err := readAccounts(ctx, l.db.NewSelect(), []AccountID{id})
	if err != nil {
		return nil, err
	}
	if found[id] == nil || found[id].Kind != Guarded {
		return nil, ErrNoAccount.With("account", string(id))
	}
	return found[id], nil
}

func (a *accountRow) balance() Balance {
	return Balance{Posted: a.Posted, Held: a.Held, Available: a.available(), Version: a.Version}
}

// before is the balance after the last transfer that was made before a time. Where clocks went
// back around it there are several that could be called that, and the one that is found must not
// depend on when it is asked for, or what lies between two of them is in no statement, or in two.
// So it goes by powers of two instead of halving what there is: from any place it looks at the same
// numbers, however many there are by now, and what came with a later time is never stepped on.
func (l *Ledger) before(ctx context.Context, a *accountRow, t time.Time) (Balance, error) {
	b := Balance{Available: -a.Floor}
	step := int64(1)
	for step <= a.Version/2 {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		n := b.Version + step
		if n > a.Version {
			continue
		}
		entries, err := l.numbered(ctx, a.ID, n-1, n)
		if err != nil {
			return Balance{}, err
		}
		if len(entries) == 0 {
			return Balance{}, fmt.Errorf("account %s has no transfer with number %d", a.ID, n)
		}
		if e := entries[0]; e.Transfer.At.Before(t) {
			b = Balance{Posted: e.Posted, Held: e.Held, Available: e.Posted - e.Held - a.Floor, Version: e.Seq}
		}
	}
	return b, nil
}

// numbered is the entries of an account after one number and up to another one, oldest first.
func (l *Ledger) numbered(ctx context.Context, id AccountID, after, upTo int64) ([]Entry, error) {
	var all []Entry
	for _, s := range sides {
		var rows []transferRow
		seq := bun.Ident(s.name + "_seq")
		err := l.db.NewSelect().Model(&rows).Where("? = ?", bun.Ident(s.name), id).Where("? > ? AND ? <= ?", seq, after, seq, upTo).Scan(ctx)
		if err != nil {
			return nil, fmt.Errorf("read entries of %s: %w", id, err)
		}
		for i := range rows {
			all = append(all, rows[i].entry(id))
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return int(a.Seq - b.Seq) })
	return all, nil
}
