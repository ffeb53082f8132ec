// Package ledger is the double-entry engine: of pay, which counts money in it, and of
// shop, which counts goods. It knows neither of them.
//
// A transfer moves an amount of one unit (a currency, or one product's pieces) from a
// debit account to a credit account. It is never changed or deleted, and has an id that
// the caller chooses, so that sending it again is harmless. What one account loses the
// other one gains, so the sum over all accounts of a unit is zero by construction.
//
// A guarded account (a wallet, a product's stock) can never go below its floor. It has
// a row with what is posted and held; each transfer that touches it gets the next number
// of that account, without gaps, and keeps the balance after it. An open account
// (escrow, the outside world, goods sold) has no row that is written per transfer: its
// balance is a checkpoint and the transfers since, so it can't become a row that
// everybody waits for.
//
// A transfer may be a hold: it takes from what is available at once, and is later
// posted, in whole or in part, or voided, exactly once.
//
// What a transaction wrote is a batch. In the background batches are sealed: they become
// links of a keyed chain, which shows whatever is changed afterwards ([Chain]), and move
// the checkpoints of open accounts.
package ledger

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/commit"
	"jishi/kit/database"
	"jishi/kit/fault"
)

//go:embed migrations
var migrations embed.FS

// Ids are chosen by the caller, at most 64 bytes for an account and 96 for a transfer.
type (
	AccountID  string
	TransferID string
	// Unit is what is counted: a currency, or a product.
	Unit string
)

// AccountKind says whether an account has a floor.
type AccountKind string

// The kinds of account.
const (
	Guarded AccountKind = "guarded"
	Open    AccountKind = "open"
)

// Account is something that a unit can be in.
type Account struct {
	ID    AccountID
	Unit  Unit
	Kind  AccountKind
	Floor int64 // of guarded accounts: 0, or minus a credit limit
}

// Kind says what a transfer does.
type Kind string

// The kinds of transfer.
const (
	Move Kind = "move" // moves at once
	Hold Kind = "hold" // takes from what is available on the debit side, moves nothing yet
	Post Kind = "post" // ends a hold and moves its amount, or the part of it in Amount
	Void Kind = "void" // ends a hold and moves nothing
)

// Transfer is a movement, wished or done.
type Transfer struct {
	ID     TransferID
	Kind   Kind
	Debit  AccountID // loses Amount; of Post and Void it may be left to the hold, as Credit and Unit
	Credit AccountID // gains Amount
	Unit   Unit
	Amount int64      // in minor units or pieces, more than 0; of Post and Void 0 means all of the hold
	Hold   TransferID // of Post and Void: the hold that it ends
	Code   string     // what kind of business it is, "topup"
	Ref    string     // what it was for: an order, a payment

	At time.Time // when it was done
}

// Group is transfers that are done all together or not at all.
type Group []Transfer

// Refusals. They come back for the group that they concern.
var (
	// ErrInsufficient has the members account, available and missing.
	ErrInsufficient = fault.New(fault.Conflict, "ledger.insufficient", "There is too little in the account.")
	ErrNotHeld      = fault.New(fault.Conflict, "ledger.not_held", "There is no such hold, or it has ended.")
	ErrConflict     = fault.New(fault.Conflict, "ledger.conflict", "This id belongs to another transfer.")
	ErrNoAccount    = fault.New(fault.NotFound, "ledger.no_account", "There is no such account.")
	ErrTransfer     = fault.New(fault.Invalid, "ledger.transfer", "This is no transfer that can be done.")
)

// Ledger is the accounts and transfers of one database.
type Ledger struct {
	db    *database.DB
	now   func() time.Time
	posts *commit.Committer[Group, error]
}

// New returns the ledger of a migrated database.
func New(db *database.DB, now func() time.Time) *Ledger {
	l := &Ledger{db: db, now: now}
	l.posts = commit.New(db, "transfers", func(ctx context.Context, tx bun.Tx, batch []Group) ([]error, error) {
		return l.Apply(ctx, tx, batch...)
	}, func(g Group) int { return len(g) }, nil)
	return l
}

// Migrate makes the tables.
func Migrate(ctx context.Context, db *database.DB) error {
	return db.Migrate(ctx, migrations, "ledger")
}

// Open makes accounts, inside the caller's transaction. Making the same one again is
// harmless; with another unit, kind or floor it is ErrConflict.
func (l *Ledger) Open(ctx context.Context, tx bun.Tx, accounts ...Account) error {
	rows := make([]accountRow, len(accounts))
	ids := make([]AccountID, len(accounts))
	for i, a := range accounts {
		if a.ID == "" || a.Unit == "" || a.Floor > 0 || (a.Kind == Open) == (a.Kind == Guarded) || (a.Kind == Open && a.Floor != 0) {
			return ErrTransfer.Because(fmt.Errorf("account %+v", a))
		}
		rows[i] = accountRow{ID: a.ID, Unit: a.Unit, Kind: a.Kind, Floor: a.Floor}
		ids[i] = a.ID
	}
	if _, err := database.Upsert(tx.NewInsert().Model(&rows), []string{"id"}).Exec(ctx); err != nil {
		return fmt.Errorf("open accounts %v: %w", ids, err)
	}
	found, err := readAccounts(ctx, tx.NewSelect(), ids)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if f := found[a.ID]; !f.is(a) {
			return ErrConflict.Because(fmt.Errorf("account %s exists as %+v", a.ID, f))
		}
	}
	return nil
}

// Differing are those of accounts, at most some thousand, that aren't there with their unit, kind
// and floor: no transfer tells that one was changed.
func (l *Ledger) Differing(ctx context.Context, accounts ...Account) ([]AccountID, error) {
	ids := make([]AccountID, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	found, err := readAccounts(ctx, l.db.NewSelect(), ids)
	var different []AccountID
	for _, a := range accounts {
		if !found[a.ID].is(a) {
			different = append(different, a.ID)
		}
	}
	return different, err
}

func (r *accountRow) is(a Account) bool {
	return r != nil && r.Unit == a.Unit && r.Kind == a.Kind && r.Floor == a.Floor
}

// postTries is how often a group is sent that may have been done.
const postTries = 3

// Post does a group together with those of others that wait at the same time; it is on
// disk when Post returns. A refusal is the error.
func (l *Ledger) Post(ctx context.Context, g Group) error {
	refusal, err := l.posts.Do(ctx, g)
	for try := 1; try < postTries && errors.Is(err, database.ErrUnknown); try++ {
		// Whatever became of the commit: sending it again finds it done.
		refusal, err = l.posts.Do(ctx, g)
		err = database.Afterwards(err)
	}
	return errors.Join(err, refusal)
}

// Apply does groups, one after the other, inside the caller's transaction; a caller
// that has many requests waiting hands them over together. For each group the answer is
// nil or its refusal; a refused group leaves nothing, the others are done. The error is
// for what broke, and the caller's transaction must end with it.
//
// The guarded accounts concerned are locked until the transaction ends, in the order of
// their ids; so callers that apply twice in one transaction can deadlock, and are
// tried again by [database.DB.InTx]. Where another transaction did one of the transfers at
// the same time, between open accounts and so under no lock, the error is
// [database.Taken]; the next try finds it done.
func (l *Ledger) Apply(ctx context.Context, tx bun.Tx, groups ...Group) ([]error, error) {
	b, err := l.load(ctx, tx, groups)
	if err != nil {
		return nil, err
	}
	// Ids are nearly always new, so they are looked up only when something speaks against
	// it: a refusal (what was done is not refused), or a unique key.
	refusals := b.applyAll(groups)
	again, err := b.lookUp(ctx, tx, refused(groups, refusals))
	if err != nil {
		return nil, err
	}
	if !again {
		if err := b.write(ctx, tx); !database.Taken(err) {
			return refusals, err
		}
	}
	if b, err = l.load(ctx, tx, groups); err != nil {
		return nil, err
	}
	if _, err := b.lookUp(ctx, tx, groups); err != nil {
		return nil, err
	}
	refusals = b.applyAll(groups)
	return refusals, b.write(ctx, tx)
}

func refused(groups []Group, refusals []error) []Group {
	var some []Group
	for i, g := range groups {
		if refusals[i] != nil {
			some = append(some, g)
		}
	}
	return some
}
