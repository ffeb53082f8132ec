package ledger

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// A statement of any time has the entries of that time, and its opening balance and
// they add up to its closing balance.
func TestHistory(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		now := start
		l := New(db, func() time.Time { return now })
		open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "a", Unit: cny, Kind: Guarded, Floor: -10}, Account{ID: "b", Unit: cny, Kind: Guarded})
		history := []Balance{{Available: 10}} // after each minute
		for i := range 40 {
			now = start.Add(time.Duration(i) * time.Minute)
			id := fmt.Sprint(i)
			switch i % 4 {
			case 0:
				must(t, l, move(id, "world", "a", 100))
			case 1:
				must(t, l, hold(id, "a", "b", 7))
			case 2:
				must(t, l, end(id, Post, fmt.Sprint(i-1), 5))
			case 3:
				must(t, l, move(id, "b", "a", 1), move(id+"x", "a", "world", 3))
			}
			b, err := l.Balance(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			history = append(history, b)
		}
		minute := func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) }
		for i := range 41 {
			for what, at := range map[string]time.Time{"at": minute(i - 1), "before": minute(i).Add(-time.Microsecond)} {
				if got, err := l.BalanceAt(t.Context(), "a", at); err != nil || got != history[i] {
					t.Errorf("%s minute %d: %+v, %v; want %+v", what, i, got, err, history[i])
				}
			}
		}
		for _, c := range [][2]int{{0, 40}, {3, 17}, {10, 10}, {20, 5}, {-5, 3}, {39, 100}} {
			wantPeriod(t, l, history, c[0], c[1], minute(c[0]), minute(c[1]))
		}
		wantPeriod(t, l, history, 0, 40, time.Time{}, time.Time{})
		for _, id := range []AccountID{"world", "nobody"} {
			if _, err := l.Period(t.Context(), id, start, now); !errors.Is(err, ErrNoAccount) {
				t.Errorf("%s: %v", id, err)
			}
		}
	}, Migrate)
}

// The times of an account's transfers are in the order of their numbers, however many replicas
// write them: statements of a period go by that.
func TestTimesAreInTheOrderOfNumbers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		dbtest.NoTurns(t, db, "transfers")
		open(t, New(db, time.Now), Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "a", Unit: cny, Kind: Guarded})
		var replicas sync.WaitGroup
		for k := range 8 {
			l := New(db, time.Now)
			replicas.Go(func() {
				for i := range 20 {
					if err := l.Post(t.Context(), Group{move(fmt.Sprint(k, "-", i), "world", "a", 1)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		replicas.Wait()
		var rows []transferRow
		if err := db.NewSelect().Model(&rows).Order("credit_seq").Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range len(rows) - 1 {
			if early := rows[i].At.Sub(rows[i+1].At.Time); early > 0 {
				t.Errorf("number %d has a time %v before that of number %d", i+2, early, i+1)
			}
		}
	}, Migrate)
}

// Whatever clocks did around a time, a statement up to it ends where the one from it begins,
// also when that is asked for after more was posted.
func TestPeriodsMeetWhereClocksWentBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		border := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var now time.Time
		l := New(db, func() time.Time { return now })
		open(t, l, Account{ID: "world", Unit: cny, Kind: Open})
		for _, times := range []string{"-+-", "+-", "--+-", "-+--", "-++-", "+++-", "-+-+-", "--++-+-"} { // before and after it
			id := AccountID(times)
			open(t, l, Account{ID: id, Unit: cny, Kind: Guarded})
			n := 0
			post := func(early bool) {
				if now = border.Add(5 * time.Millisecond); early {
					now = border.Add(-3 * time.Millisecond)
				}
				n++
				must(t, l, move(fmt.Sprint(times, n), "world", id, 1))
			}
			for _, c := range times {
				post(c == '-')
			}
			first, err := l.Period(t.Context(), id, time.Time{}, border)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				next, err := l.Period(t.Context(), id, border, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				if next.Opening != first.Closing {
					t.Errorf("%s, %d transfers: one ends at %+v, the next begins at %+v", times, n, first.Closing, next.Opening)
				}
				post(false)
			}
		}
	}, Migrate)
}

func wantPeriod(t *testing.T, l *Ledger, history []Balance, from, to int, fromAt, toAt time.Time) {
	t.Helper()
	p, err := l.Period(t.Context(), "a", fromAt, toAt)
	if err != nil {
		t.Fatal(err)
	}
	from, to = max(from, 0), min(max(to, 0), len(history)-1)
	from = min(from, to)
	if p.Opening != history[from] || p.Closing != history[to] {
		t.Errorf("%d to %d: %+v, want %+v to %+v", from, to, p, history[from], history[to])
	}
	posted, seq := p.Opening.Posted, p.Opening.Version
	for entries, err := range l.Each(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(entries, func(a, b Entry) int { return int(a.Seq - b.Seq) }) {
			t.Errorf("%d to %d: not in order", from, to)
		}
		for _, e := range entries {
			posted += e.Amount
			if seq++; e.Seq != seq || e.Posted != posted {
				t.Errorf("%d to %d: entry %d leaves %d, want %d and %d", from, to, e.Seq, e.Posted, seq, posted)
			}
		}
	}
	if posted != p.Closing.Posted || seq != p.Closing.Version {
		t.Errorf("%d to %d: the entries lead to %d, number %d; want %+v", from, to, posted, seq, p.Closing)
	}
}

// A statement longer than what is read at a time.
func TestALongPeriod(t *testing.T) {
	l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "a", Unit: cny, Kind: Guarded})
	for i := range 3 {
		var g Group
		for j := range 700 {
			g = append(g, move(fmt.Sprint(i, "-", j), "world", "a", 1))
		}
		must(t, l, g...)
	}
	p, err := l.Period(t.Context(), "a", time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	n, parts := 0, 0
	for entries, err := range l.Each(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		n, parts = n+len(entries), parts+1
	}
	if n != 2100 || parts != 3 {
		t.Errorf("%d entries in %d parts, want 2100 in 3", n, parts)
	}
}
