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
	id       int64 // of its row, once it has one
	at       database.Time
	accounts map[AccountID]*accountRow   // guarded ones are locked
	done     map[TransferID]*transferRow // by id: what exists, and what was decided
	ended    map[TransferID]bool         // holds that have ended
	wrote    []*transferRow              // to insert, in order
	touched  map[AccountID]struct{}      // guarded accounts to write
}

// load reads the accounts that groups concern, and locks the guarded ones. What has been
// done of the groups already is not read: see lookUp.
func (l *Ledger) load(ctx context.Context, tx bun.Tx, groups []Group) (*batch, error) {
	b := &batch{
		done:    map[TransferID]*transferRow{},
		ended:   map[TransferID]bool{},
		touched: map[AccountID]struct{}{},
	}
	accounts := map[AccountID]struct{}{}
	for _, g := range groups {
		for _, t := range g {
			accounts[t.Debit], accounts[t.Credit] = struct{}{}, struct{}{}
		}
	}
	// Holds never change, so they are read before the locks: they name the accounts.
	holds, err := readTransfers(ctx, tx.NewSelect(), "id", holdsOf(groups))
	if err != nil {
		return nil, err
	}
	for i := range holds {
		accounts[holds[i].Debit], accounts[holds[i].Credit] = struct{}{}, struct{}{}
		b.done[holds[i].ID] = &holds[i]
	}
	delete(accounts, "")
	b.accounts, err = lockAccounts(ctx, tx, slices.Sorted(maps.Keys(accounts)))
	b.at = database.At(l.now()) // under the locks, so that an account's times are in the order of its numbers
	return b, err
}

// lookUp reads what has been done of groups, and which of their holds have ended; found
// tells whether there was anything. Under the locks that stays as it is.
func (b *batch) lookUp(ctx context.Context, tx bun.Tx, groups []Group) (found bool, err error) {
	var ids []TransferID
	for _, g := range groups {
		for _, t := range g {
			ids = append(ids, t.ID)
		}
	}
	rows, err := readTransfers(ctx, tx.NewSelect(), "id", ids)
	if err != nil {
		return false, err
	}
	for i := range rows {
		b.done[rows[i].ID] = &rows[i]
	}
	ends, err := readTransfers(ctx, tx.NewSelect(), "hold_id", holdsOf(groups))
	if err != nil {
		return false, err
	}
	for _, e := range ends {
		b.ended[e.HoldID] = true
	}
	return len(rows)+len(ends) > 0, nil
}

func holdsOf(groups []Group) []TransferID {
	var holds []TransferID
	for _, g := range groups {
		for _, t := range g {
			if t.Hold != "" {
				holds = append(holds, t.Hold)
			}
		}
	}
	return holds
}

// lockAccounts reads accounts and locks the guarded ones, in the order of their ids, so
// that batches never wait for each other in a circle. Open accounts are not locked: what
// is read of them never changes.
func lockAccounts(ctx context.Context, tx bun.Tx, ids []AccountID) (map[AccountID]*accountRow, error) {
	found, err := readAccounts(ctx, tx.NewSelect().Where("kind = ?", Open), ids)
	if err != nil {
		return nil, err
	}
	guarded := slices.DeleteFunc(ids, func(id AccountID) bool { return found[id] != nil })
	locked, err := readAccounts(ctx, database.ForUpdate(tx.NewSelect()), guarded)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, locked)
	return found, nil
}

// applyAll does groups in memory, and gives the refusal of each, or nil.
func (b *batch) applyAll(groups []Group) []error {
	refusals := make([]error, len(groups))
	for i, g := range groups {
		refusals[i] = b.apply(g)
	}
	return refusals
}

// apply does a group in memory, or leaves everything as it was.
func (b *batch) apply(g Group) error {
	if len(g) == 1 {
		return b.transfer(g[0]) // which refuses before it changes anything
	}
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
	for _, side := range [2]struct {
		id AccountID
		a  *accountRow
	}{{r.Debit, debit}, {r.Credit, credit}} {
		if side.a == nil {
			return ErrNoAccount.With("account", string(side.id))
		}
		if side.a.Unit != r.Unit {
			return ErrTransfer.Because(fmt.Errorf("transfer %s of %s: account %s is in %s", r.ID, r.Unit, side.id, side.a.Unit))
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
	n := &[3]int64{a.Version, a.Posted, a.Held}
	return &n[0], &n[1], &n[2]
}

// write stores what was decided: one statement per table.
func (b *batch) write(ctx context.Context, tx bun.Tx) error {
	if len(b.wrote) == 0 {
		return nil
	}
	if err := b.register(ctx, tx); err != nil {
		return err
	}
	_, err := database.Insert(tx, &b.wrote).Exec(ctx)
	if database.Taken(err) {
		// The transaction may go on without it, so no other error may pass for this one: after
		// a deadlock there is no transaction any more, and each statement would be its own.
		if broken := b.unregister(ctx, tx); broken != nil {
			return broken
		}
		return err
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
	_, err = database.Upsert(database.Insert(tx, &rows), []string{"id"}, "posted", "held", "version").Exec(ctx)
	if err != nil {
		return fmt.Errorf("write %d balances: %w", len(rows), err)
	}
	return nil
}
