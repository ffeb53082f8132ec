package ledger

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// batch is groups being applied: what the database had, and what has been decided
// since. It belongs to one transaction.
type batch struct {
	at       database.Time
	accounts map[AccountID]*accountRow   // guarded ones are locked
	done     map[TransferID]*transferRow // by id: what exists, and what was decided
	ended    map[TransferID]bool         // holds that have ended
	wrote    []*transferRow              // to insert, in order
	touched  map[AccountID]struct{}      // guarded accounts to write
}

// load reads what groups concern, and locks the guarded accounts.
func (l *Ledger) load(ctx context.Context, tx bun.Tx, groups []Group) (*batch, error) {
	b := &batch{
		at:      database.At(l.now()),
		done:    map[TransferID]*transferRow{},
		ended:   map[TransferID]bool{},
		touched: map[AccountID]struct{}{},
	}
	var ids, holds []TransferID
	accounts := map[AccountID]struct{}{}
	for _, g := range groups {
		for _, t := range g {
			ids = append(ids, t.ID)
			accounts[t.Debit], accounts[t.Credit] = struct{}{}, struct{}{}
			if t.Hold != "" {
				holds = append(holds, t.Hold)
			}
		}
	}
	// Holds never change, so they are read before the locks: they name the accounts.
	rows, err := readTransfers(ctx, tx.NewSelect(), "id", holds)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		accounts[rows[i].Debit], accounts[rows[i].Credit] = struct{}{}, struct{}{}
		b.done[rows[i].ID] = &rows[i]
	}
	delete(accounts, "")
	if b.accounts, err = lockAccounts(ctx, tx, slices.Sorted(maps.Keys(accounts))); err != nil {
		return nil, err
	}
	// Under the locks, what is there of these transfers stays what it is.
	if rows, err = readTransfers(ctx, tx.NewSelect(), "id", ids); err != nil {
		return nil, err
	}
	for i := range rows {
		b.done[rows[i].ID] = &rows[i]
	}
	ends, err := readTransfers(ctx, tx.NewSelect(), "hold_id", holds)
	if err != nil {
		return nil, err
	}
	for _, e := range ends {
		b.ended[e.HoldID] = true
	}
	return b, nil
}

// lockAccounts reads accounts and locks the guarded ones, in the order of their ids, so
// that batches never wait for each other in a circle. Open accounts are not locked:
// their rows never change.
func lockAccounts(ctx context.Context, tx bun.Tx, ids []AccountID) (map[AccountID]*accountRow, error) {
	found, err := readAccounts(ctx, tx.NewSelect(), ids)
	if err != nil {
		return nil, err
	}
	guarded := slices.DeleteFunc(ids, func(id AccountID) bool { return found[id] == nil || found[id].Kind == Open })
	locked, err := readAccounts(ctx, database.ForUpdate(tx.NewSelect()), guarded)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, locked)
	return found, nil
}

// apply does a group in memory, or leaves everything as it was.
func (b *batch) apply(g Group) error {
	undo := b.savepoint(g)
	for _, t := range g {
		if err := b.transfer(t); err != nil {
			undo()
			return err
		}
	}
	return nil
}

// savepoint gives a function that brings back the present state of what g concerns.
func (b *batch) savepoint(g Group) func() {
	accounts := map[AccountID]accountRow{}
	keep := func(id AccountID) {
		if a := b.accounts[id]; a != nil {
			accounts[id] = *a
		}
	}
	for _, t := range g {
		keep(t.Debit)
		keep(t.Credit)
		if h := b.done[t.Hold]; h != nil {
			keep(h.Debit)
			keep(h.Credit)
		}
	}
	wrote := len(b.wrote)
	return func() {
		for id, a := range accounts {
			*b.accounts[id] = a
		}
		for _, r := range b.wrote[wrote:] {
			delete(b.done, r.ID)
			delete(b.ended, r.HoldID)
		}
		b.wrote = b.wrote[:wrote]
	}
}

// transfer does one transfer in memory.
func (b *batch) transfer(t Transfer) error {
	r, held, err := b.complete(t)
	if err != nil {
		return err
	}
	if old := b.done[t.ID]; old != nil {
		return old.same(r)
	}
	if r.HoldID != "" && b.ended[r.HoldID] {
		return ErrNotHeld.With("hold", string(r.HoldID))
	}
	debit, credit := b.accounts[r.Debit], b.accounts[r.Credit]
	if err := check(r, debit, credit); err != nil {
		return err
	}
	switch r.Kind {
	case Move:
		if err := debit.take(r.Amount); err != nil {
			return err
		}
		debit.Posted -= r.Amount
	case Hold:
		if err := debit.take(r.Amount); err != nil {
			return err
		}
		debit.Held += r.Amount
	case Post:
		debit.Held -= held
		debit.Posted -= r.Amount
	case Void:
		debit.Held -= held
	}
	r.DebitSeq, r.DebitPosted, r.DebitHeld = b.number(debit)
	if r.Kind == Move || r.Kind == Post {
		credit.Posted += r.Amount
		r.CreditSeq, r.CreditPosted, r.CreditHeld = b.number(credit)
	}
	b.done[r.ID] = r
	if r.HoldID != "" {
		b.ended[r.HoldID] = true
	}
	b.wrote = append(b.wrote, r)
	return nil
}

// complete makes a row of t, with what Post and Void leave to their hold, and gives
// what the hold held.
func (b *batch) complete(t Transfer) (r *transferRow, held int64, err error) {
	ends := t.Kind == Post || t.Kind == Void
	if ends != (t.Hold != "") {
		return nil, 0, ErrTransfer.Because(fmt.Errorf("%s %s has hold %q", t.Kind, t.ID, t.Hold))
	}
	if ends {
		h := b.done[t.Hold]
		if h == nil || h.Kind != Hold {
			return nil, 0, ErrNotHeld.With("hold", string(t.Hold))
		}
		held = h.Amount
		if t.Amount == 0 || t.Kind == Void {
			t.Amount = held
		}
		if t.Debit == "" {
			t.Debit, t.Credit, t.Unit = h.Debit, h.Credit, h.Unit
		}
		if t.Debit != h.Debit || t.Credit != h.Credit || t.Unit != h.Unit || t.Amount > held {
			return nil, 0, ErrTransfer.Because(fmt.Errorf("%s %s does not fit its hold %s", t.Kind, t.ID, t.Hold))
		}
	}
	return &transferRow{
		ID: t.ID, Kind: t.Kind, Debit: t.Debit, Credit: t.Credit, Unit: t.Unit, Amount: t.Amount,
		HoldID: t.Hold, Code: t.Code, Ref: t.Ref, At: b.at,
	}, held, nil
}

// same is nil when r asks for what was done already.
func (r *transferRow) same(other *transferRow) error {
	if r.Kind == other.Kind && r.Debit == other.Debit && r.Credit == other.Credit && r.Unit == other.Unit &&
		r.Amount == other.Amount && r.HoldID == other.HoldID && r.Code == other.Code && r.Ref == other.Ref {
		return nil
	}
	return ErrConflict.With("transfer", string(r.ID))
}

// check refuses what can't be done whatever the balances are.
func check(r *transferRow, debit, credit *accountRow) error {
	for id, a := range map[AccountID]*accountRow{r.Debit: debit, r.Credit: credit} {
		if a == nil {
			return ErrNoAccount.With("account", string(id))
		}
		if a.Unit != r.Unit {
			return ErrTransfer.Because(fmt.Errorf("transfer %s of %s: account %s is in %s", r.ID, r.Unit, id, a.Unit))
		}
	}
	switch r.Kind {
	case Move, Hold, Post, Void:
	default:
		return ErrTransfer.Because(fmt.Errorf("transfer %s is a %q", r.ID, r.Kind))
	}
	if r.ID == "" || r.Amount <= 0 || r.Debit == r.Credit {
		return ErrTransfer.Because(fmt.Errorf("transfer %q of %d from %s to %s", r.ID, r.Amount, r.Debit, r.Credit))
	}
	// Holds need a floor that keeps what is held.
	if r.Kind == Hold && debit.Kind != Guarded {
		return ErrTransfer.Because(fmt.Errorf("hold %s on open account %s", r.ID, r.Debit))
	}
	if credit.Kind == Guarded && r.Amount > math.MaxInt64/2-credit.Posted {
		return ErrTransfer.Because(fmt.Errorf("transfer %s: account %s would overflow", r.ID, r.Credit))
	}
	return nil
}

// take is the floor: what a guarded account has not available can't leave it.
func (a *accountRow) take(amount int64) error {
	if a.Kind == Guarded && a.available() < amount {
		return ErrInsufficient.With("account", string(a.ID)).With("available", a.available()).With("missing", amount-a.available())
	}
	return nil
}

// number gives a guarded account's next number and its balance; nothing for an open one.
func (b *batch) number(a *accountRow) (seq, posted, held *int64) {
	if a.Kind == Open {
		return nil, nil, nil
	}
	a.Version++
	b.touched[a.ID] = struct{}{}
	s, p, h := a.Version, a.Posted, a.Held
	return &s, &p, &h
}

// write stores what was decided: one statement per table.
func (b *batch) write(ctx context.Context, tx bun.Tx) error {
	if len(b.wrote) == 0 {
		return nil
	}
	if err := b.register(ctx, tx); err != nil {
		return err
	}
	_, err := tx.NewInsert().Model(&b.wrote).Exec(ctx)
	if database.Taken(err) {
		return fmt.Errorf("%w: %w", errRace, err)
	}
	if err != nil {
		return fmt.Errorf("write %d transfers: %w", len(b.wrote), err)
	}
	rows := make([]*accountRow, 0, len(b.touched))
	for _, id := range slices.Sorted(maps.Keys(b.touched)) {
		rows = append(rows, b.accounts[id])
	}
	if len(rows) == 0 { // between open accounts
		return nil
	}
	_, err = database.Upsert(tx.NewInsert().Model(&rows), []string{"id"}, "posted", "held", "version").Exec(ctx)
	if err != nil {
		return fmt.Errorf("write %d balances: %w", len(rows), err)
	}
	return nil
}
