package ledger

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Balance is what an account has.
type Balance struct {
	Posted    int64
	Held      int64 // taken by holds that have not ended
	Available int64 // what may still leave: posted - held - floor; of open accounts what is posted
	Version   int64 // the number of the last transfer; of open accounts 0
}

// Balance is that of one account, or ErrNoAccount.
func (l *Ledger) Balance(ctx context.Context, id AccountID) (Balance, error) {
	found, err := l.Balances(ctx, id)
	if err != nil {
		return Balance{}, err
	}
	b, ok := found[id]
	if !ok {
		return Balance{}, ErrNoAccount.With("account", string(id))
	}
	return b, nil
}

// Balances are those of the accounts among ids that exist.
func (l *Ledger) Balances(ctx context.Context, ids ...AccountID) (map[AccountID]Balance, error) {
	return balances(ctx, l.db.NewSelect, ids)
}

// BalancesIn is Balances as a transaction sees them.
func (l *Ledger) BalancesIn(ctx context.Context, tx bun.Tx, ids ...AccountID) (map[AccountID]Balance, error) {
	return balances(ctx, tx.NewSelect, ids)
}

func balances(ctx context.Context, query func() *bun.SelectQuery, ids []AccountID) (map[AccountID]Balance, error) {
	rows, err := readAccounts(ctx, query(), ids)
	if err != nil {
		return nil, err
	}
	all := make(map[AccountID]Balance, len(rows))
	var open []AccountID
	for id, a := range rows {
		all[id] = a.balance()
		if a.Kind == Open {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return all, nil
	}
	sums, err := openSums(ctx, query, open)
	if err != nil {
		return nil, err
	}
	for _, id := range open {
		all[id] = Balance{Posted: sums[id], Available: sums[id]}
	}
	return all, nil
}

// openSums is what open accounts have: what they had at the last seal and what the batches
// since moved. It is one statement, so that a seal that is made meanwhile counts once.
func openSums(ctx context.Context, query func() *bun.SelectQuery, open []AccountID) (map[AccountID]int64, error) {
	since := func(side, amount string) *bun.SelectQuery {
		// The CROSS JOIN makes SQLite begin with the batches, which are few.
		return query().TableExpr("batches AS b").Join("CROSS JOIN transfers AS t").
			ColumnExpr("?, ?", bun.Ident("t."+side), bun.Safe(amount)).
			Where("b.seal IS NULL").Where("t.batch = b.id").
			Where("? IN (?)", bun.Ident("t."+side), bun.In(open)).
			Where("t.kind IN (?)", bun.In([]Kind{Move, Post})).
			GroupExpr("?", bun.Ident("t."+side))
	}
	var parts []struct {
		Account AccountID
		Amount  int64
	}
	err := query().Model((*accountRow)(nil)).ColumnExpr("id AS account, posted AS amount").Where("id IN (?)", bun.In(open)).
		UnionAll(since("debit", "-SUM(t.amount)")).
		UnionAll(since("credit", "SUM(t.amount)")).
		Scan(ctx, &parts)
	if err != nil {
		return nil, fmt.Errorf("sum open accounts: %w", err)
	}
	sums := map[AccountID]int64{}
	for _, p := range parts {
		sums[p.Account] += p.Amount
	}
	return sums, nil
}

// TransfersIn are those among ids that were done, as a transaction sees them.
func (l *Ledger) TransfersIn(ctx context.Context, tx bun.Tx, ids ...TransferID) (map[TransferID]Transfer, error) {
	rows, err := readTransfers(ctx, tx.NewSelect(), "id", ids)
	if err != nil {
		return nil, err
	}
	found := make(map[TransferID]Transfer, len(rows))
	for _, r := range rows {
		found[r.ID] = r.transfer()
	}
	return found, nil
}

// CountIn is how many transfers there are, as a transaction sees them.
func (l *Ledger) CountIn(ctx context.Context, tx bun.Tx) (int64, error) {
	n, err := tx.NewSelect().Model((*transferRow)(nil)).Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count transfers: %w", err)
	}
	return int64(n), nil
}

// Entry is one line of a guarded account's statement.
type Entry struct {
	Seq      int64 // 1, 2, 3 … without gaps
	Transfer Transfer
	Amount   int64 // what it added to what is posted: negative on the debit side, 0 for holds and voids
	Posted   int64 // the balance after it
	Held     int64 // what was held after it
}

// Entries is a guarded account's statement, newest first. Holds and voids, which move
// nothing, are entries as well.
func (l *Ledger) Entries(ctx context.Context, id AccountID, p database.Page) (entries []Entry, next string, err error) {
	var before int64
	more, err := p.After(&before)
	if err != nil {
		return nil, "", err
	}
	if !more {
		// Both sides are read up to here: a commit between the two would leave a gap otherwise.
		found, err := readAccounts(ctx, l.db.NewSelect(), []AccountID{id})
		if err != nil || found[id] == nil {
			return nil, "", err
		}
		before = found[id].Version + 1
	}
	sides := make([][]Entry, 2)
	for i, side := range []string{"debit", "credit"} {
		var rows []transferRow
		seq := bun.Ident(side + "_seq")
		q := l.db.NewSelect().Model(&rows).
			Where("? = ?", bun.Ident(side), id).
			Where("? < ?", seq, before).
			OrderExpr("? DESC", seq).
			Limit(int64(p.Size() + 1))
		if err := q.Scan(ctx); err != nil {
			return nil, "", fmt.Errorf("read entries of %s: %w", id, err)
		}
		for j := range rows {
			sides[i] = append(sides[i], rows[j].entry(id))
		}
	}
	entries, further := database.Cut(merge(sides[0], sides[1]), p)
	if further {
		next = database.Cursor(entries[len(entries)-1].Seq)
	}
	return entries, next, nil
}

// merge joins two statements, both newest first.
func merge(a, b []Entry) []Entry {
	all := make([]Entry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Seq > b[0].Seq {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// entry is the row as the statement of one of its accounts shows it.
func (r *transferRow) entry(id AccountID) Entry {
	e := Entry{Transfer: r.transfer()}
	moved := int64(0)
	if r.Kind == Move || r.Kind == Post {
		moved = r.Amount
	}
	if r.Debit == id {
		e.Seq, e.Posted, e.Held, e.Amount = *r.DebitSeq, *r.DebitPosted, *r.DebitHeld, -moved
	} else {
		e.Seq, e.Posted, e.Held, e.Amount = *r.CreditSeq, *r.CreditPosted, *r.CreditHeld, moved
	}
	return e
}
