package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/rapidtest"
)

// model is the ledger as one would write it without a database.
type model struct {
	accounts map[AccountID]Account
	posted   map[AccountID]int64
	held     map[AccountID]int64
	done     map[TransferID]Transfer // as they were completed
	ended    map[TransferID]bool     // holds
	history  map[AccountID][]Balance // of guarded accounts, by number
}

func newModel(accounts []Account) *model {
	m := &model{
		accounts: map[AccountID]Account{}, posted: map[AccountID]int64{}, held: map[AccountID]int64{},
		done: map[TransferID]Transfer{}, ended: map[TransferID]bool{}, history: map[AccountID][]Balance{},
	}
	for _, a := range accounts {
		m.accounts[a.ID] = a
		if a.Kind == Guarded {
			m.history[a.ID] = []Balance{{Available: -a.Floor}}
		}
	}
	return m
}

func (m *model) clone() *model {
	c := &model{m.accounts, maps.Clone(m.posted), maps.Clone(m.held), maps.Clone(m.done), maps.Clone(m.ended), maps.Clone(m.history)}
	for id, h := range c.history {
		c.history[id] = slices.Clip(h)
	}
	return c
}

// group does all of one or nothing.
func (m *model) group(g Group) error {
	next := m.clone()
	for _, t := range g {
		if err := next.transfer(t); err != nil {
			return err
		}
	}
	*m = *next
	return nil
}

func (m *model) transfer(t Transfer) error {
	ends := t.Kind == Post || t.Kind == Void
	var held int64
	if ends {
		h, ok := m.done[t.Hold]
		if !ok || h.Kind != Hold {
			return ErrNotHeld
		}
		held = h.Amount
		if t.Kind == Void || t.Amount == 0 {
			t.Amount = held
		}
		if t.Amount > held {
			return ErrTransfer
		}
		t.Debit, t.Credit, t.Unit = h.Debit, h.Credit, h.Unit
	}
	if old, ok := m.done[t.ID]; ok {
		if old != t {
			return ErrConflict
		}
		return nil
	}
	if ends && m.ended[t.Hold] {
		return ErrNotHeld
	}
	debit := m.accounts[t.Debit]
	if t.Amount <= 0 || t.Debit == t.Credit || t.Kind == Hold && debit.Kind == Open {
		return ErrTransfer
	}
	if !ends && debit.Kind == Guarded && m.posted[t.Debit]-m.held[t.Debit]-t.Amount < debit.Floor {
		return ErrInsufficient
	}
	if t.Kind == Hold {
		m.held[t.Debit] += t.Amount
	}
	m.held[t.Debit] -= held
	moves := t.Kind == Move || t.Kind == Post
	if moves {
		m.posted[t.Debit] -= t.Amount
	}
	m.note(t.Debit)
	if moves {
		m.posted[t.Credit] += t.Amount
		m.note(t.Credit)
	}
	m.done[t.ID] = t
	m.ended[t.Hold] = true
	return nil
}

func (m *model) balance(id AccountID) Balance {
	b := Balance{Posted: m.posted[id], Held: m.held[id]}
	b.Available = b.Posted - b.Held - m.accounts[id].Floor
	if h := m.history[id]; h != nil {
		b.Version = int64(len(h)) - 1
	}
	return b
}

// note gives a guarded account its next number.
func (m *model) note(id AccountID) {
	if h := m.history[id]; h != nil {
		m.history[id] = append(h, Balance{})
		m.history[id][len(h)] = m.balance(id)
	}
}

// world is a ledger beside its model, with a clock that goes on at each step.
type world struct {
	l     *Ledger
	m     *model
	now   time.Time
	last  int                     // of the ids
	times []map[AccountID]Balance // after each second
	start time.Time
}

var modelAccounts = []Account{
	{ID: "world", Unit: cny, Kind: Open}, {ID: "escrow", Unit: cny, Kind: Open},
	{ID: "a", Unit: cny, Kind: Guarded}, {ID: "b", Unit: cny, Kind: Guarded}, {ID: "c", Unit: cny, Kind: Guarded, Floor: -50},
}

// Any sequence of groups, of one and of several transfers, sent once or again, with parts of
// holds and reads of what was, does what the model does; every invariant holds after each,
// and the chain after each seal.
func TestTheLedgerIsItsModel(t *testing.T) {
	rapidtest.Brief(t)
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		runs, steps := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			runs++
			w := newWorld(t, db)
			rt.Repeat(map[string]func(*rapid.T){
				"post":      w.post,
				"apply":     w.apply,
				"past":      w.past,
				"statement": w.statement,
				"seal":      func(rt *rapid.T) { w.seal(t, rt) },
				"":          func(rt *rapid.T) { steps++; w.check(t, rt) },
			})
		})
		t.Logf("%d sequences, %d steps", runs, steps)
	}, Migrate)
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return both(remove[accountRow]("1 = 1"), remove[transferRow]("1 = 1"), remove[batchRow]("1 = 1"), remove[sealRow]("1 = 1"))(ctx, tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{m: newModel(modelAccounts), start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.now = w.start
	w.l = New(db, func() time.Time { return w.now })
	open(t, w.l, modelAccounts...)
	return w
}

// draw is some transfers: new ones, ends of holds that are open or not, and old ones again,
// as they were or not quite.
func (w *world) draw(rt *rapid.T) Group {
	account := rapid.SampledFrom([]AccountID{"world", "world", "escrow", "a", "a", "b", "c"})
	old := slices.Sorted(maps.Keys(w.m.done))
	var holds []TransferID
	for _, id := range old {
		if w.m.done[id].Kind == Hold {
			holds = append(holds, id)
		}
	}
	var g Group
	for range rapid.SampledFrom([]int{1, 1, 1, 2, 3, 5}).Draw(rt, "size") {
		w.last++
		id := fmt.Sprint("t", w.last)
		amount := rapid.Int64Range(0, 60).Draw(rt, "amount")
		kind := rapid.SampledFrom([]Kind{Move, Move, Hold, Post, Post, Void, "again"}).Draw(rt, "kind")
		switch {
		case kind == "again" && len(old) > 0:
			t := w.m.done[rapid.SampledFrom(old).Draw(rt, "old")]
			if rapid.IntRange(0, 3).Draw(rt, "other") == 0 {
				t.Code = "other"
			}
			g = append(g, t)
		case (kind == Post || kind == Void) && len(holds) > 0:
			g = append(g, end(id, kind, string(rapid.SampledFrom(holds).Draw(rt, "hold")), amount))
		case kind == Hold:
			g = append(g, hold(id, account.Draw(rt, "from"), account.Draw(rt, "to"), amount))
			holds = append(holds, TransferID(id))
		default:
			g = append(g, move(id, account.Draw(rt, "from"), account.Draw(rt, "to"), amount))
		}
	}
	return g
}

func (w *world) post(rt *rapid.T) {
	g := w.draw(rt)
	want := w.m.group(g)
	if got := w.l.Post(context.Background(), g); !errors.Is(got, want) {
		rt.Fatalf("%+v: got %v, want %v", g, got, want)
	}
}

// apply hands several groups over together.
func (w *world) apply(rt *rapid.T) {
	groups := make([]Group, rapid.IntRange(2, 4).Draw(rt, "groups"))
	want := make([]error, len(groups))
	for i := range groups {
		groups[i] = w.draw(rt)
	}
	for i, g := range groups {
		want[i] = w.m.group(g)
	}
	var got []error
	err := w.l.db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) (err error) {
		got, err = w.l.Apply(ctx, tx, groups...)
		return err
	})
	if err != nil {
		rt.Fatal(err)
	}
	for i := range groups {
		if !errors.Is(got[i], want[i]) {
			rt.Fatalf("group %d of %+v: got %v, want %v", i, groups, got[i], want[i])
		}
	}
}

func (w *world) past(rt *rapid.T) {
	if len(w.times) == 0 {
		return
	}
	second := rapid.IntRange(0, len(w.times)-1).Draw(rt, "second")
	id := rapid.SampledFrom([]AccountID{"a", "b", "c"}).Draw(rt, "account")
	got, err := w.l.BalanceAt(context.Background(), id, w.start.Add(time.Duration(second)*time.Second))
	if err != nil || got != w.times[second][id] {
		rt.Fatalf("%s after %d seconds: got %+v, %v; want %+v", id, second, got, err, w.times[second][id])
	}
}

func (w *world) statement(rt *rapid.T) {
	id := rapid.SampledFrom([]AccountID{"a", "b", "c"}).Draw(rt, "account")
	h := w.m.history[id]
	p, err := w.l.Period(context.Background(), id, time.Time{}, time.Time{})
	if err != nil || p.Opening != h[0] || p.Closing != h[len(h)-1] {
		rt.Fatalf("%s: got %+v, %v; want %+v", id, p, err, h)
	}
	n := 0
	for entries, err := range w.l.Each(context.Background(), p) {
		if err != nil {
			rt.Fatal(err)
		}
		for _, e := range entries {
			n++
			if e.Seq != int64(n) || e.Posted != h[n].Posted || e.Held != h[n].Held || e.Posted-e.Amount != h[n-1].Posted {
				rt.Fatalf("%s: entry %+v, want %+v", id, e, h[n])
			}
		}
	}
	if n != len(h)-1 {
		rt.Fatalf("%s: %d entries, want %d", id, n, len(h)-1)
	}
}

// seal checks the whole chain each time: what is sealed must have stayed as it was.
func (w *world) seal(t *testing.T, rt *rapid.T) {
	seal(t, w.l)
	if v := broken(t, w.l, Head{}); len(v) > 0 {
		rt.Fatal(v)
	}
}

// check compares everything, and lets a second pass.
func (w *world) check(t *testing.T, rt *rapid.T) {
	found, err := w.l.Balances(context.Background(), "world", "escrow", "a", "b", "c")
	if err != nil {
		rt.Fatal(err)
	}
	for id, got := range found {
		if want := w.m.balance(id); got != want {
			rt.Fatalf("%s has %+v, the model %+v", id, got, want)
		}
	}
	if v := violations(t, w.l); len(v) > 0 {
		rt.Fatal(v)
	}
	w.times = append(w.times, found)
	w.now = w.now.Add(time.Second)
}
