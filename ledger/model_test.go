package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jishi/kit/database/dbtest"
)

// model is the ledger as one would write it without a database.
type model struct {
	posted, held map[AccountID]int64
	holds        map[string]Transfer // that have not ended
}

func (m *model) available(id AccountID) int64 { return m.posted[id] - m.held[id] }

// Any sequence of transfers does what the model does, with the invariants after each.
func TestTheLedgerIsItsModel(t *testing.T) {
	databases := 0
	rapid.Check(t, func(rt *rapid.T) {
		databases++
		l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
		wallets := []AccountID{"a", "b", "c"}
		accounts := []Account{{ID: "world", Unit: cny, Kind: Open}}
		for _, w := range wallets {
			accounts = append(accounts, Account{ID: w, Unit: cny, Kind: Guarded})
		}
		open(t, l, accounts...)
		m := &model{map[AccountID]int64{}, map[AccountID]int64{}, map[string]Transfer{}}
		n := 0
		amount := rapid.Int64Range(1, 50)
		wallet := rapid.SampledFrom(wallets)
		next := func() string { n++; return fmt.Sprint("t", n) }
		do := func(rt *rapid.T, tr Transfer, refusal error) bool {
			err := l.Post(t.Context(), Group{tr})
			if !errors.Is(err, refusal) {
				rt.Fatalf("%+v: got %v, want %v", tr, err, refusal)
			}
			return err == nil
		}
		rt.Repeat(map[string]func(*rapid.T){
			"top up": func(rt *rapid.T) {
				w, a := wallet.Draw(rt, "wallet"), amount.Draw(rt, "amount")
				do(rt, move(next(), "world", w, a), nil)
				m.posted[w] += a
			},
			"move": func(rt *rapid.T) {
				from, to, a := wallet.Draw(rt, "from"), wallet.Draw(rt, "to"), amount.Draw(rt, "amount")
				var refusal error
				switch {
				case m.available(from) < a && from != to:
					refusal = ErrInsufficient
				case from == to:
					refusal = ErrTransfer
				}
				if do(rt, move(next(), from, to, a), refusal) {
					m.posted[from] -= a
					m.posted[to] += a
				}
			},
			"hold": func(rt *rapid.T) {
				from, a := wallet.Draw(rt, "from"), amount.Draw(rt, "amount")
				var refusal error
				if m.available(from) < a {
					refusal = ErrInsufficient
				}
				id := next()
				tr := hold(id, from, "world", a)
				if do(rt, tr, refusal) {
					m.held[from] += a
					m.holds[id] = tr
				}
			},
			"end": func(rt *rapid.T) {
				if len(m.holds) == 0 {
					rt.Skip("no holds")
				}
				id := rapid.SampledFrom(keys(m.holds)).Draw(rt, "hold")
				kind := rapid.SampledFrom([]Kind{Post, Void}).Draw(rt, "kind")
				h := m.holds[id]
				part := rapid.Int64Range(1, h.Amount).Draw(rt, "part")
				do(rt, end(next(), kind, id, part), nil)
				m.held[h.Debit] -= h.Amount
				if kind == Post {
					m.posted[h.Debit] -= part
				}
				delete(m.holds, id)
				do(rt, end(next(), kind, id, part), ErrNotHeld)
			},
			"": func(rt *rapid.T) {
				for _, w := range wallets {
					b, err := l.Balance(t.Context(), w)
					if err != nil || b.Posted != m.posted[w] || b.Held != m.held[w] {
						rt.Fatalf("%s has %+v (%v), the model %d with %d held", w, b, err, m.posted[w], m.held[w])
					}
				}
				if v := violations(t, l); len(v) > 0 {
					rt.Fatal(v)
				}
			},
		})
	})
	t.Logf("%d databases", databases)
}

func keys(m map[string]Transfer) []string {
	var all []string
	for i := 0; len(all) < len(m); i++ {
		if id := fmt.Sprint("t", i); m[id].ID != "" {
			all = append(all, id)
		}
	}
	return all
}
