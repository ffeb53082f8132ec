package ledger

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// Sealed data that is changed in any way is found, at the right seal.
func TestTheChainFindsWhatWasChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		l := New(db, time.Now)
		rows, head := sealedMarket(t, l)
		r := rand.New(rand.NewPCG(1, 2))
		kinds := len(changes(r, rows, head))
		rounds := shortLong(3, 30)
		for range rounds {
			for kind := range kinds {
				c := changes(r, rows, head)[kind]
				if err := db.InTx(t.Context(), c.do); err != nil {
					t.Fatalf("%s: %v", c.what, err)
				}
				found := broken(t, l, head)
				if len(found) == 0 || !strings.Contains(found[0], ": "+c.want+": ") {
					t.Errorf("%s: found %q, want it at %s", c.what, found, c.want)
				}
				restore(t, l, rows)
			}
		}
		t.Logf("%d changes of each of %d kinds", rounds, kinds)
		wantSound(t, l)
	}, Migrate)
}

// A seal that was made with our key, but in another history (before a backup was restored,
// say), doesn't fit those that follow.
func TestASealOfAnotherHistoryIsFound(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), func() time.Time { return at })
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open})
	next := func(amount int64) everything {
		must(t, l, move(fmt.Sprint("t", amount), "world", "escrow", amount))
		seal(t, l)
		return readAll(t, l)
	}
	first := next(1)
	next(2)
	ours := next(3)
	restore(t, l, first)
	other := next(20)
	ours.transfers[1], ours.seals[1] = other.transfers[1], other.seals[1]
	ours.batches[1] = other.batches[1]
	restore(t, l, ours)
	if found := broken(t, l, Head{}); len(found) != 1 || !strings.Contains(found[0], "seal 3: it was not made after seal 2") {
		t.Errorf("found %q", found)
	}
}

// Bytes that go from one column to the next are a change.
func TestBytesDontMoveBetweenColumns(t *testing.T) {
	l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open})
	row := move("1", "world", "escrow", 1)
	row.Code = "a\x01b"
	must(t, l, row)
	seal(t, l)
	err := l.db.InTx(t.Context(), both(set[transferRow]("code", "a", "1 = 1"), set[transferRow]("ref", "b\x01", "1 = 1")))
	if found := broken(t, l, Head{}); err != nil || len(found) != 1 {
		t.Errorf("found %q, %v", found, err)
	}
}

// everything is the rows of a ledger.
type everything struct {
	accounts  []accountRow
	transfers []transferRow
	batches   []batchRow
	seals     []sealRow
}

func readAll(t *testing.T, l *Ledger) everything {
	t.Helper()
	var all everything
	for rows, order := range map[any]string{&all.accounts: "id", &all.transfers: "batch", &all.batches: "id", &all.seals: "seq"} {
		if err := l.db.NewSelect().Model(rows).Order(order).Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func restore(t *testing.T, l *Ledger, all everything) {
	t.Helper()
	err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		batches := slices.Clone(all.batches) // bun writes the ids that it takes for new ones into it
		for _, rows := range []any{&all.transfers, &batches, &all.seals} {
			if _, err := tx.NewDelete().Model(rows).Where("1 = 1").Exec(ctx); err != nil {
				return err
			}
			if _, err := tx.NewInsert().Model(rows).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sealedMarket is 60 transfers of every kind in 6 seals.
func sealedMarket(t *testing.T, l *Ledger) (everything, Head) {
	t.Helper()
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open},
		Account{ID: "a", Unit: cny, Kind: Guarded}, Account{ID: "b", Unit: cny, Kind: Guarded})
	var head Head
	for i := range 6 {
		id := func(what string) string { return fmt.Sprint(what, i) }
		must(t, l, move(id("in"), "world", "a", 1000), move(id("give"), "a", "b", 5))
		must(t, l, hold(id("hold"), "a", "escrow", 100), hold(id("keep"), "a", "escrow", 1))
		must(t, l, end(id("post"), Post, id("hold"), 70), hold(id("other"), "b", "escrow", 3))
		must(t, l, end(id("void"), Void, id("other"), 0))
		must(t, l, move(id("out"), "escrow", "b", 20), move(id("pass"), "escrow", "world", 1), move(id("back"), "b", "world", 2))
		head = seal(t, l).Head
	}
	return readAll(t, l), head
}

// change is a statement or some, and where what it did is to be found.
type change struct {
	what string
	do   func(context.Context, bun.Tx) error
	want string
}

// changes are one of each kind, of sealed data that is drawn. What goes elsewhere is found at
// the first of the seals concerned.
func changes(r *rand.Rand, all everything, head Head) []change {
	sealOf := map[int64]int64{}
	for _, b := range all.batches {
		sealOf[b.ID] = b.Seal
	}
	one := all.transfers[r.IntN(len(all.transfers))]
	another := func(fits func(transferRow) bool) transferRow {
		for {
			if t := all.transfers[r.IntN(len(all.transfers))]; fits(t) {
				return t
			}
		}
	}
	other := another(func(t transferRow) bool { return sealOf[t.Batch] != sealOf[one.Batch] })
	beside := another(func(t transferRow) bool { return sealOf[t.Batch] == sealOf[one.Batch] && t.Batch != one.Batch })
	fresh := transferRow{ID: "new", Kind: Move, Debit: "world", Credit: "escrow", Unit: cny, Amount: 7, At: one.At, Batch: one.Batch}
	cut, before := 1+r.Int64N(head.Seq), -r.Int64N(2)
	here := fmt.Sprintf("seal %d", sealOf[one.Batch])
	first := fmt.Sprintf("seal %d", min(sealOf[one.Batch], sealOf[other.Batch]))
	list := []change{
		{"removed", remove[transferRow]("id = ?", one.ID), here},
		{"inserted", insert(&fresh), here},
		{"swapped transfers", swap[transferRow]("batch", "id", one.ID, one.Batch, other.ID, other.Batch), first},
		{"swapped transfers of one seal", swap[transferRow]("batch", "id", one.ID, one.Batch, beside.ID, beside.Batch), here},
		{"swapped batches", swap[batchRow]("seal", "id", one.Batch, sealOf[one.Batch], other.Batch, sealOf[other.Batch]), first},
		{"removed batch", remove[batchRow]("id = ?", one.Batch), here},
		{"batch without its seal", set[batchRow]("seal", nil, "id = ?", one.Batch), here},
		{"inserted batch", insertBatch(fresh, sealOf[one.Batch]), here},
		{"cut off", both(
			remove[transferRow]("batch IN (SELECT id FROM batches WHERE seal >= ?)", cut),
			remove[batchRow]("seal >= ?", cut), remove[sealRow]("seq >= ?", cut)), fmt.Sprintf("seal %d", cut)},
		{"hidden before the first seal", both(
			insertBatch(fresh, before),
			insert(&sealRow{Seq: before, Digest: []byte{1}, KeyID: "x", MAC: []byte{1}, At: one.At})), fmt.Sprintf("seal %d", before)},
	}
	for _, column := range sealedColumns {
		want := here
		if column == "batch" {
			want = first
		}
		list = append(list, change{"column " + column, set[transferRow](column, changed(column, one, other), "id = ?", one.ID), want})
	}
	return append(list, sealChanges(all.seals[sealOf[one.Batch]-1], all.seals[sealOf[other.Batch]-1])...)
}

// sealChanges are those of the chain's own rows.
func sealChanges(one, other sealRow) []change {
	here := fmt.Sprintf("seal %d", one.Seq)
	list := []change{
		{"removed seal", remove[sealRow]("seq = ?", one.Seq), here},
		{"swapped seals", both(
			set[sealRow]("seq", -1, "seq = ?", one.Seq),
			set[sealRow]("seq", one.Seq, "seq = ?", other.Seq),
			set[sealRow]("seq", other.Seq, "seq = -1")), fmt.Sprintf("seal %d", min(one.Seq, other.Seq))},
		// as one who knows how it is made would, but for the key
		{"forged", func(ctx context.Context, tx bun.Tx) error {
			err := set[transferRow]("amount", 12345, "id = ?", fmt.Sprint("in", one.Seq-1))(ctx, tx)
			if err != nil {
				return err
			}
			var ids []int64
			if err := tx.NewSelect().Model((*batchRow)(nil)).Column("id").Where("seal = ?", one.Seq).Order("id").Scan(ctx, &ids); err != nil {
				return err
			}
			got, err := digest(ctx, tx.NewSelect, ids)
			if err != nil {
				return err
			}
			return set[sealRow]("digest", got.digest, "seq = ?", one.Seq)(ctx, tx)
		}, here},
	}
	columns := map[string]any{"transfers": one.Transfers + 1, "digest": other.Digest, "key_id": "other", "mac": other.MAC, "at": other.At}
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		list = append(list, change{"seal's " + column, set[sealRow](column, columns[column], "seq = ?", one.Seq), here})
	}
	return list
}

// changed is another value for a column, one that the unique keys allow.
func changed(column string, one, other transferRow) any {
	number := func(n *int64) any {
		if n == nil {
			return 5000
		}
		return *n + 5000
	}
	switch column {
	case "batch":
		return other.Batch
	case "kind":
		if one.Kind == Move {
			return Hold
		}
		return Move
	case "hold_id":
		if one.HoldID != "" {
			return nil
		}
		return ""
	case "amount":
		return one.Amount + 1
	case "at":
		return database.At(one.At.Add(time.Microsecond))
	case "debit_seq":
		return number(one.DebitSeq)
	case "debit_posted":
		return number(one.DebitPosted)
	case "debit_held":
		return number(one.DebitHeld)
	case "credit_seq":
		return number(one.CreditSeq)
	case "credit_posted":
		return number(one.CreditPosted)
	case "credit_held":
		return number(one.CreditHeld)
	}
	return map[string]any{"id": one.ID + "x", "debit": one.Debit + "x", "credit": one.Credit + "x", "unit": one.Unit + "x", "code": one.Code + "x", "ref": one.Ref + "x"}[column]
}

func set[T any](column string, value any, where string, args ...any) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*T)(nil)).Set("? = ?", bun.Ident(column), value).Where(where, args...).Exec(ctx)
		return err
	}
}

// swap gives each of two rows the other's value.
func swap[T any](column, key string, one, oneHas, other, otherHas any) func(context.Context, bun.Tx) error {
	return both(
		set[T](column, otherHas, "? = ?", bun.Ident(key), one),
		set[T](column, oneHas, "? = ?", bun.Ident(key), other))
}

func insert(row any) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		return err
	}
}

// insertBatch puts in a batch of one transfer that says it has a seal.
func insertBatch(row transferRow, seal int64) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		b := batchRow{Size: 1, At: row.At}
		if err := insert(&b)(ctx, tx); err != nil {
			return err
		}
		row.Batch = b.ID
		return both(insert(&row), set[batchRow]("seal", seal, "id = ?", b.ID))(ctx, tx)
	}
}

func remove[T any](where string, args ...any) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*T)(nil)).Where(where, args...).Exec(ctx)
		return err
	}
}

func both(all ...func(context.Context, bun.Tx) error) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		for _, do := range all {
			if err := do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	}
}
