package ledger

import (
	"cmp"
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// sides are how a transfer touches its accounts.
var sides = []struct {
	name  string
	sign  int64  // of what it moves
	kinds []Kind // that touch the account on this side
}{
	{"debit", -1, []Kind{Move, Hold, Post, Void}},
	{"credit", 1, []Kind{Move, Post}},
}

// without is the transfers that have no number in an account.
type without struct {
	Account     AccountID
	Moved       int64 // by all of them
	Transfers   int64
	Example     TransferID
	First, Last Unit // of their units
}

func unnumbered(ctx context.Context, tx bun.Tx, r database.Range[AccountID]) (map[AccountID]without, error) {
	found := map[AccountID]without{}
	for _, s := range sides {
		var rows []without
		err := r.Of(tx.NewSelect().Model((*transferRow)(nil)), s.name).
			ColumnExpr("? AS account", bun.Ident(s.name)).
			ColumnExpr("SUM(CASE WHEN kind IN (?) THEN amount ELSE 0 END) * ? AS moved", bun.In([]Kind{Move, Post}), s.sign).
			ColumnExpr("COUNT(*) AS transfers, MIN(id) AS example, MIN(unit) AS first, MAX(unit) AS last").
			Where("? IS NULL", bun.Ident(s.name+"_seq")).
			Where("kind IN (?)", bun.In(s.kinds)).
			GroupExpr("?", bun.Ident(s.name)).Scan(ctx, &rows)
		if err != nil {
			return nil, fmt.Errorf("sum transfers without a number: %w", err)
		}
		for _, row := range rows {
			if other, both := found[row.Account]; both {
				row.Moved += other.Moved
				row.Transfers += other.Transfers
				row.First, row.Last = min(row.First, other.First), max(row.Last, other.Last)
			}
			found[row.Account] = row
		}
	}
	return found, nil
}

// entryRow is a transfer as one of its accounts numbers it.
type entryRow struct {
	Account AccountID
	Seq     int64
	ID      TransferID
	Kind    Kind
	Unit    Unit
	Amount  int64
	HoldID  TransferID
	Posted  int64 // the balance after it
	Held    int64

	sign int64 // -1 on the debit side
}

// entries is the numbered transfers of a range of accounts, by account and number.
type entries struct{ sides [2]*sideReader }

func newEntries(tx bun.Tx, r database.Range[AccountID]) *entries {
	e := &entries{}
	for i, s := range sides {
		e.sides[i] = &sideReader{tx: tx, name: s.name, sign: s.sign, left: r}
	}
	return e
}

// peek is the next entry, nil at the end.
func (e *entries) peek(ctx context.Context) (*entryRow, error) {
	debit, err := e.sides[0].peek(ctx)
	if err != nil {
		return nil, err
	}
	credit, err := e.sides[1].peek(ctx)
	if err != nil {
		return nil, err
	}
	if debit == nil || credit != nil && credit.before(debit) {
		return credit, nil
	}
	return debit, nil
}

func (r *entryRow) before(o *entryRow) bool {
	return cmp.Or(cmp.Compare(r.Account, o.Account), cmp.Compare(r.Seq, o.Seq)) < 0
}

// next goes on behind what peek gave.
func (e *entries) next() {
	debit, credit := e.sides[0].head(), e.sides[1].head()
	if debit == nil || credit != nil && credit.before(debit) {
		e.sides[1].at++
		return
	}
	e.sides[0].at++
}

// sideReader reads the entries on one side of their transfers, a few thousand at a time.
type sideReader struct {
	tx    bun.Tx
	name  string
	sign  int64
	left  database.Range[AccountID] // accounts that were not begun
	begun *entryRow                 // the last entry that was read
	rows  []entryRow                // read, from at on not yet given
	at    int
	end   bool
}

const sideBatch = 4000

func (s *sideReader) head() *entryRow {
	if s.at < len(s.rows) {
		return &s.rows[s.at]
	}
	return nil
}

func (s *sideReader) peek(ctx context.Context) (*entryRow, error) {
	if s.at == len(s.rows) && !s.end {
		if err := s.read(ctx); err != nil {
			return nil, fmt.Errorf("read entries on the %s side: %w", s.name, err)
		}
	}
	return s.head(), nil
}

// read goes on in the account that was begun, then in those that follow: two ranges of the
// index, where one condition over both columns would read an account from its start.
func (s *sideReader) read(ctx context.Context) error {
	account, seq := bun.Ident(s.name), bun.Ident(s.name+"_seq")
	s.rows, s.at = s.rows[:0], 0
	if s.begun != nil {
		q := s.query().Where("? = ?", account, s.begun.Account).Where("? > ?", seq, s.begun.Seq).OrderExpr("?", seq)
		if err := q.Scan(ctx, &s.rows); err != nil {
			return err
		}
	}
	if len(s.rows) == 0 {
		q := s.left.Of(s.query(), s.name).Where("? IS NOT NULL", seq).OrderExpr("?, ?", account, seq)
		if err := q.Scan(ctx, &s.rows); err != nil {
			return err
		}
	}
	if len(s.rows) == 0 {
		s.end = true
		return nil
	}
	for i := range s.rows {
		s.rows[i].sign = s.sign
	}
	last := s.rows[len(s.rows)-1]
	s.begun, s.left.After = &last, last.Account
	return nil
}

func (s *sideReader) query() *bun.SelectQuery {
	return s.tx.NewSelect().Model((*transferRow)(nil)).
		ColumnExpr("? AS account, ? AS seq, ? AS posted, ? AS held", bun.Ident(s.name), bun.Ident(s.name+"_seq"), bun.Ident(s.name+"_posted"), bun.Ident(s.name+"_held")).
		Column("id", "kind", "unit", "amount", "hold_id").Limit(sideBatch)
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

func (r *replay) entry(e *entryRow) {
	r.count++
	if e.Seq != r.seq+1 {
		r.wrong(NoGaps, "%d is followed by %d (%s)", r.seq, e.Seq, e.ID)
	}
	r.seq = e.Seq
	if e.Unit != r.account.Unit {
		r.wrong(HasAccounts, "it is in %s, transfer %s in %s", r.account.Unit, e.ID, e.Unit)
	}
	if e.Kind == Move || e.Kind == Post {
		r.posted += e.sign * e.Amount
	}
	switch {
	case e.Kind == Hold:
		r.holds[e.ID] = e.Amount
		r.held += e.Amount
	case e.HoldID != "" && e.sign < 0: // on the side that was held
		held, open := r.holds[e.HoldID]
		if !open || e.Amount > held {
			r.wrong(EndsOnce, "%s ends %d of %s, of which %d are open", e.ID, e.Amount, e.HoldID, held)
		}
		delete(r.holds, e.HoldID)
		r.held -= held
	}
	if r.posted != e.Posted || r.held != e.Held {
		r.wrong(BalanceReplays, "after %s (number %d) it says %d, %d held; the replay %d, %d held", e.ID, e.Seq, e.Posted, e.Held, r.posted, r.held)
		r.posted, r.held = e.Posted, e.Held // one report for one break
	}
	if r.posted-r.held < r.account.Floor {
		r.wrong(AboveFloor, "%d with %d held after %s", r.posted, r.held, e.ID)
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
