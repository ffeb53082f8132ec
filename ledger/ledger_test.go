package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
)

const cny Unit = "CNY"

// each runs a test on every database, with a world that money comes from and wallets
// a, b and c; it ends with the invariants, before and after everything is sealed.
func each(t *testing.T, fn func(t *testing.T, l *Ledger)) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		l := New(db, time.Now)
		open(t, l,
			Account{ID: "world", Unit: cny, Kind: Open},
			Account{ID: "escrow", Unit: cny, Kind: Open},
			Account{ID: "a", Unit: cny, Kind: Guarded},
			Account{ID: "b", Unit: cny, Kind: Guarded},
			Account{ID: "c", Unit: cny, Kind: Guarded, Floor: -50})
		fn(t, l)
		wantSound(t, l)
		seal(t, l)
		wantSound(t, l) // the checkpoints have moved
	}, Migrate)
}

func wantSound(t *testing.T, l *Ledger) {
	t.Helper()
	for _, v := range append(violations(t, l), broken(t, l, Head{})...) {
		t.Errorf("violated: %s", v)
	}
}

func open(t testing.TB, l *Ledger, accounts ...Account) {
	t.Helper()
	err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return l.Open(ctx, tx, accounts...) })
	if err != nil {
		t.Fatal(err)
	}
}

func violations(t testing.TB, l *Ledger) []string {
	t.Helper()
	var all []string
	_, err := l.Check(context.Background(), func(invariant, id, found string) {
		all = append(all, fmt.Sprintf("%s: %s: %s", invariant, id, found))
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func move(id string, from, to AccountID, amount int64) Transfer {
	return Transfer{ID: TransferID(id), Kind: Move, Debit: from, Credit: to, Unit: cny, Amount: amount}
}

func hold(id string, from, to AccountID, amount int64) Transfer {
	t := move(id, from, to, amount)
	t.Kind = Hold
	return t
}

func end(id string, kind Kind, held string, amount int64) Transfer {
	return Transfer{ID: TransferID(id), Kind: kind, Hold: TransferID(held), Amount: amount}
}

func must(t testing.TB, l *Ledger, g ...Transfer) {
	t.Helper()
	if err := l.Post(context.Background(), g); err != nil {
		t.Fatalf("%+v: %v", g, err)
	}
}

func want(t testing.TB, l *Ledger, id AccountID, posted, held int64) {
	t.Helper()
	b, err := l.Balance(context.Background(), id)
	if err != nil || b.Posted != posted || b.Held != held {
		t.Errorf("%s has %d with %d held (%v), want %d with %d", id, b.Posted, b.Held, err, posted, held)
	}
}

func TestMoves(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		must(t, l, move("2", "a", "b", 30), move("3", "b", "escrow", 10))
		want(t, l, "world", -100, 0)
		want(t, l, "a", 70, 0)
		want(t, l, "b", 20, 0)
		want(t, l, "escrow", 10, 0)

		err := l.Post(t.Context(), Group{move("4", "b", "a", 20), move("5", "b", "a", 1)})
		f := fault.Of(err)
		if !errors.Is(err, ErrInsufficient) || f.Extra["account"] != "b" || f.Extra["missing"] != int64(1) {
			t.Errorf("got %v", err)
		}
		want(t, l, "b", 20, 0) // all or nothing
		must(t, l, move("6", "c", "a", 50))
		if err := l.Post(t.Context(), Group{move("7", "c", "a", 1)}); !errors.Is(err, ErrInsufficient) {
			t.Errorf("below the credit limit: %v", err)
		}
	})
}

func TestHolds(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		must(t, l, hold("h1", "a", "escrow", 60))
		want(t, l, "a", 100, 60)
		if err := l.Post(t.Context(), Group{move("2", "a", "b", 41)}); !errors.Is(err, ErrInsufficient) {
			t.Errorf("what is held was spent: %v", err)
		}
		must(t, l, end("p1", Post, "h1", 45))
		want(t, l, "a", 55, 0)
		want(t, l, "escrow", 45, 0)
		must(t, l, hold("h2", "a", "b", 55))
		must(t, l, end("v2", Void, "h2", 0))
		want(t, l, "a", 55, 0)
		must(t, l, hold("h3", "a", "b", 5), end("p3", Post, "h3", 0)) // in one group
		want(t, l, "b", 5, 0)

		for name, g := range map[string]Group{
			"again":          {end("x", Post, "h1", 0)},
			"voided":         {end("x", Post, "h2", 0)},
			"no hold":        {end("x", Void, "none", 0)},
			"a move":         {end("x", Void, "1", 0)},
			"twice in group": {hold("x", "a", "b", 1), end("y", Post, "x", 0), end("z", Void, "x", 0)},
		} {
			if err := l.Post(t.Context(), g); !errors.Is(err, ErrNotHeld) {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, l, hold("h4", "a", "b", 5))
		if err := l.Post(t.Context(), Group{end("x", Post, "h4", 6)}); !errors.Is(err, ErrTransfer) {
			t.Errorf("more than is held: %v", err)
		}
	})
}

func TestSendingAgainIsHarmless(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		g := Group{move("1", "world", "a", 100), hold("h", "a", "b", 40), end("p", Post, "h", 0)}
		must(t, l, g...)
		must(t, l, g...)
		must(t, l, g[0])
		want(t, l, "a", 60, 0)
		for name, other := range map[string]Transfer{
			"amount":  move("1", "world", "a", 99),
			"account": move("1", "world", "b", 100),
			"kind":    hold("p", "a", "b", 40),
		} {
			if err := l.Post(t.Context(), Group{other}); !errors.Is(err, ErrConflict) && !errors.Is(err, ErrTransfer) {
				t.Errorf("another %s: %v", name, err)
			}
		}
	})
}

func TestGroupsAreIndependent(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 10))
		var got []error
		err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) (err error) {
			got, err = l.Apply(ctx, tx,
				Group{move("2", "a", "b", 6)},
				Group{move("3", "a", "b", 6)}, // there are 4 left
				Group{move("4", "a", "b", 4)},
				Group{move("2", "a", "b", 6)}, // again
			)
			return err
		})
		if err != nil || got[0] != nil || !errors.Is(got[1], ErrInsufficient) || got[2] != nil || got[3] != nil {
			t.Errorf("got %v, %v", got, err)
		}
		want(t, l, "a", 0, 0)
		want(t, l, "b", 10, 0)
	})
}

func TestWhatCantBeDone(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		open(t, l, Account{ID: "pieces", Unit: "prd_1", Kind: Guarded})
		must(t, l, move("1", "world", "a", 100))
		other := move("x", "a", "pieces", 1)
		other.Unit = "prd_1"
		for name, c := range map[string]struct {
			t    Transfer
			want error
		}{
			"nothing":        {move("x", "a", "b", 0), ErrTransfer},
			"less":           {move("x", "a", "b", -5), ErrTransfer},
			"to itself":      {move("x", "a", "a", 5), ErrTransfer},
			"without an id":  {move("", "a", "b", 5), ErrTransfer},
			"between units":  {move("x", "a", "pieces", 5), ErrTransfer},
			"of other unit":  {other, ErrTransfer},
			"to nowhere":     {move("x", "a", "nowhere", 5), ErrNoAccount},
			"from nowhere":   {move("x", "nowhere", "a", 5), ErrNoAccount},
			"open hold":      {hold("x", "world", "a", 5), ErrTransfer},
			"unknown kind":   {Transfer{ID: "x", Kind: "gift", Debit: "a", Credit: "b", Unit: cny, Amount: 1}, ErrTransfer},
			"an overflow":    {move("x", "world", "a", math.MaxInt64), ErrTransfer},
			"move of a hold": {Transfer{ID: "x", Kind: Move, Debit: "a", Credit: "b", Unit: cny, Amount: 1, Hold: "1"}, ErrTransfer},
		} {
			if err := l.Post(t.Context(), Group{c.t}); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		want(t, l, "a", 100, 0)
	})
}

func TestOpeningAgain(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		open(t, l, Account{ID: "a", Unit: cny, Kind: Guarded})
		want(t, l, "a", 100, 0)
		err := l.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			return l.Open(ctx, tx, Account{ID: "a", Unit: cny, Kind: Open})
		})
		if !errors.Is(err, ErrConflict) {
			t.Errorf("as an open account: %v", err)
		}
	})
}

func TestStatement(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		for i := range 7 {
			must(t, l, move(fmt.Sprint("in", i), "world", "a", 10), move(fmt.Sprint("out", i), "a", "b", 3))
		}
		var seqs []int64
		var last Entry
		p := database.Page{Limit: 4}
		for {
			entries, next, err := l.Entries(t.Context(), "a", p)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if last.Seq != 0 && e.Posted+last.Amount != last.Posted {
					t.Errorf("%d: balance %d is followed by %+v", e.Seq, e.Posted, last)
				}
				last = e
				seqs = append(seqs, e.Seq)
			}
			if next == "" {
				break
			}
			p.Cursor = next
		}
		for i, seq := range seqs {
			if seq != int64(14-i) {
				t.Fatalf("numbers %v", seqs)
			}
		}
		if len(seqs) != 14 {
			t.Errorf("%d entries, want 14", len(seqs))
		}
	})
}

// Whatever is committed while the first page of a statement is read, no number is missing there.
func TestAStatementHasNoGaps(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		var ended atomic.Bool
		var writer sync.WaitGroup
		writer.Go(func() {
			defer ended.Store(true)
			for i := range 200 {
				err := l.Post(t.Context(), Group{move(fmt.Sprint("out", i), "a", "b", 1), move(fmt.Sprint("in", i), "b", "a", 1)})
				if err != nil {
					t.Error(err)
				}
			}
		})
		for !ended.Load() {
			entries, _, err := l.Entries(t.Context(), "a", database.Page{Limit: 5})
			if err != nil {
				t.Error(err)
				break
			}
			for i := range len(entries) - 1 {
				if entries[i+1].Seq != entries[i].Seq-1 {
					t.Errorf("number %d is followed by %d", entries[i].Seq, entries[i+1].Seq)
				}
			}
		}
		writer.Wait()
	})
}

// Fifty draw on an account that suffices for twenty.
func TestAnAccountIsNotOverdrawn(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 20))
		var done, refused atomic.Int64
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				kind := Move
				if i%2 == 0 {
					kind = Hold
				}
				tr := move(fmt.Sprint("t", i), "a", "b", 1)
				tr.Kind = kind
				switch err := l.Post(t.Context(), Group{tr}); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, ErrInsufficient):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 20 || refused.Load() != 30 {
			t.Errorf("%d done, %d refused; want 20 and 30", done.Load(), refused.Load())
		}
	})
}

func TestTheSameIdAtOnceHasOneEffect(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := l.Post(t.Context(), Group{move("1", "world", "a", 5)}); err != nil {
					t.Error(err)
				}
				// Between open accounts no lock keeps the two apart.
				if err := l.Post(t.Context(), Group{move("2", "world", "escrow", 5)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		want(t, l, "a", 5, 0)
		want(t, l, "escrow", 5, 0)
	})
}

func TestAHoldEndsOnce(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 100))
		for i := range 20 {
			h := fmt.Sprint("h", i)
			must(t, l, hold(h, "a", "b", 2))
			var won atomic.Int64
			var wg sync.WaitGroup
			for k, kind := range []Kind{Post, Void, Post, Void} {
				wg.Go(func() {
					switch err := l.Post(t.Context(), Group{end(fmt.Sprint(h, "-", k), kind, h, 0)}); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, ErrNotHeld):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Fatalf("%s ended %d times", h, won.Load())
			}
		}
	})
}

// Transfers in opposite directions lock the same two rows.
func TestOppositeTransfersDontBlockEachOther(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("1", "world", "a", 1000), move("2", "world", "b", 1000))
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				from, to := AccountID("a"), AccountID("b")
				if i%2 == 0 {
					from, to = to, from
				}
				if err := l.Post(t.Context(), Group{move(fmt.Sprint("t", i), from, to, 1)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		want(t, l, "a", 1000, 0)
	})
}
