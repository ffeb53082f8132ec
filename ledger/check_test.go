package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database/dbtest"
)

// Whatever is changed behind the ledger's back is found.
func TestCheckFindsWhatWasChanged(t *testing.T) {
	update := func(model any, set, where string) func(context.Context, bun.Tx) error {
		return func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model(model).Set(set).Where(where).Exec(ctx)
			return err
		}
	}
	remove := func(model any, where string) func(context.Context, bun.Tx) error {
		return func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model(model).Where(where).Exec(ctx)
			return err
		}
	}
	both := func(one, other func(context.Context, bun.Tx) error) func(context.Context, bun.Tx) error {
		return func(ctx context.Context, tx bun.Tx) error { return errors.Join(one(ctx, tx), other(ctx, tx)) }
	}
	account, transfer, batch := (*accountRow)(nil), (*transferRow)(nil), (*batchRow)(nil)
	cases := map[string]struct {
		tamper func(context.Context, bun.Tx) error
		want   string // and whose it is, where others have it too
	}{
		"nothing":              {func(context.Context, bun.Tx) error { return nil }, ""},
		"a balance":            {update(account, "posted = posted + 1", "id = 'a'"), BalanceReplays},
		"what is held":         {update(account, "held = held + 1", "id = 'a'"), HeldIsOpen},
		"a number":             {update(account, "version = version + 1", "id = 'a'"), NoGaps},
		"an amount":            {update(transfer, "amount = amount + 1", "id = '2'"), BalanceReplays},
		"a balance after":      {update(transfer, "debit_posted = debit_posted + 1", "id = '2'"), BalanceReplays},
		"a direction":          {update(transfer, "credit = 'world', credit_seq = NULL", "id = '2'"), NoGaps},
		"a missing row":        {remove(transfer, "id = '2'"), NoGaps},
		"a missing last row":   {remove(transfer, "id = 'v'"), NoGaps},
		"a missing hold":       {remove(transfer, "id = 'h'"), EndsOnce},
		"a row without number": {update(transfer, "credit_seq = NULL", "id = '2'"), NoGaps},
		"money from nowhere":   {update(account, "posted = posted + 1", "id = 'b'"), SumIsZero},
		"a floor":              {update(account, "floor = 70", "id = 'a'"), AboveFloor},

		"what an open account has":    {update(account, "posted = posted + 1", "id = 'world'"), BalanceReplays + ": world"},
		"a number in an open account": {update(transfer, "debit_seq = 1", "id = '1'"), NoGaps + ": world"},
		"a gap":                       {both(update(transfer, "debit_seq = debit_seq + 1", "id = 'v'"), update(account, "version = version + 1", "id = 'a'")), NoGaps + ": a"},
		"what ends a hold":            {update(transfer, "amount = amount + 1", "id = 'v'"), EndsOnce + ": a"},
		"whose hold ends":             {update(transfer, "debit = 'b', debit_seq = 2", "id = 'v'"), EndsOnce + ": b"},

		"a missing account":                 {remove(account, "id = 'b'"), HasAccounts + ": b"},
		"a missing last account":            {remove(account, "id = 'world'"), HasAccounts + ": world"},
		"a missing last account of numbers": {update(transfer, "credit = 'z'", "id = '2'"), HasAccounts + ": z"},
		"an account's unit":                 {update(account, "unit = 'USD'", "id = 'b'"), HasAccounts + ": b"},
		"an open account's unit":            {update(account, "unit = 'USD'", "id = 'world'"), HasAccounts + ": world"},

		"a batch's size":   {update(batch, "size = size + 1", "id = 2"), BatchIsWhole + ": batch 2"},
		"a row's batch":    {update(transfer, "batch = 1", "id = '2'"), BatchIsWhole + ": batch 1"},
		"an emptied batch": {update(transfer, "batch = 1", "id = '2'"), BatchIsWhole + ": batch 2"},
		"a missing batch":  {remove(batch, "id = 2"), BatchIsWhole + ": 2"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
			open(t, l,
				Account{ID: "world", Unit: cny, Kind: Open},
				Account{ID: "a", Unit: cny, Kind: Guarded},
				Account{ID: "b", Unit: cny, Kind: Guarded})
			must(t, l, move("1", "world", "a", 100))
			must(t, l, move("2", "a", "b", 30))
			must(t, l, hold("h", "a", "b", 5), end("v", Void, "h", 0))
			if err := l.db.InTx(t.Context(), c.tamper); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(violations(t, l), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// What is being written is no violation.
func TestCheckingBesideWriters(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		must(t, l, move("fund", "world", "a", 1000))
		var writers sync.WaitGroup
		done := make(chan struct{})
		for w := range 4 {
			writers.Go(func() {
				for i := range 50 {
					id := fmt.Sprint(w, "-", i)
					must(t, l, move(id, "a", "b", 1), hold(id+"h", "a", "escrow", 2))
					must(t, l, end(id+"p", Post, id+"h", 1), move(id+"back", "escrow", "c", 1))
				}
			})
		}
		go func() { writers.Wait(); close(done) }()
		checks := 0
		for going := true; going; checks++ {
			seal(t, l)
			for _, v := range append(violations(t, l), broken(t, l, Head{})...) {
				t.Errorf("reported: %s", v)
			}
			select {
			case <-done:
				going = false
			default:
			}
		}
		t.Logf("%d checks while 600 groups were written", checks)
	})
}
