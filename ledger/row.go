package ledger

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// accountRow is an account. Of an open one Posted is as of the last seal, Held and
// Version stay 0.
type accountRow struct {
	bun.BaseModel `bun:"table:accounts"`

	ID      AccountID `bun:",pk"`
	Unit    Unit
	Kind    AccountKind
	Floor   int64
	Posted  int64
	Held    int64 // by holds that have not ended
	Version int64 // the number of its last transfer
}

// available is what may still leave. It can't overflow: Floor and Held are bounded
// by what was posted.
func (a *accountRow) available() int64 { return a.Posted - a.Held - a.Floor }

// transferRow is a transfer with its place in each guarded account that it touches.
type transferRow struct {
	bun.BaseModel `bun:"table:transfers"`

	ID     TransferID `bun:",pk"`
	Kind   Kind
	Debit  AccountID
	Credit AccountID
	Unit   Unit
	Amount int64      // of a void: what its hold had held
	HoldID TransferID `bun:",nullzero"` // unique: a hold ends once
	Code   string
	Ref    string
	At     database.Time

	// The number in each account, unique with it, and the balance after; null on the
	// side of an open account, and on the credit side of what moves nothing.
	DebitSeq     *int64
	DebitPosted  *int64
	DebitHeld    *int64
	CreditSeq    *int64
	CreditPosted *int64
	CreditHeld   *int64

	Batch int64 // the transaction that wrote it
}

// transfer is the row as callers see it.
func (r *transferRow) transfer() Transfer {
	return Transfer{
		ID: r.ID, Kind: r.Kind, Debit: r.Debit, Credit: r.Credit, Unit: r.Unit,
		Amount: r.Amount, Hold: r.HoldID, Code: r.Code, Ref: r.Ref, At: r.At.Time,
	}
}

func readAccounts(ctx context.Context, q *bun.SelectQuery, ids []AccountID) (map[AccountID]*accountRow, error) {
	found := map[AccountID]*accountRow{}
	if len(ids) == 0 {
		return found, nil
	}
	var rows []accountRow
	if err := q.Model(&rows).Where("id IN (?)", bun.In(ids)).Order("id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	return found, nil
}

func readTransfers(ctx context.Context, q *bun.SelectQuery, column string, ids []TransferID) ([]transferRow, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []transferRow
	if err := q.Model(&rows).Where("? IN (?)", bun.Ident(column), bun.In(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read transfers: %w", err)
	}
	return rows, nil
}
