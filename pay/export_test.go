package pay_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"jishi/pay"
	"jishi/pay/payclient"
)

// A file of a statement has a line for each entry of its time, and what lies between the
// two balances is their sum; a merchant's order that a spreadsheet would run is only text.
func TestAStatementIsExported(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 10000)
		start := b.clock.now()
		for i, id := range []string{"ord_1", "=1+2", "+3", "-4", "@SUM(A1)"} {
			b.clock.pass(time.Hour)
			if _, err := b.Charge(t.Context(), shop(alice), order(id, int64(100+i))); err != nil {
				t.Fatal(err)
			}
		}
		b.clock.pass(time.Hour)
		held := order("ord_6", 500)
		held.Hold = true
		p, err := b.Charge(t.Context(), shop(alice), held)
		if err != nil {
			t.Fatal(err)
		}
		b.clock.pass(time.Hour)
		if _, err := b.Close(t.Context(), merchant, p.ID); err != nil {
			t.Fatal(err)
		}
		all := b.export(t, w.ID, time.Time{}, time.Time{})
		want := `created_at,kind,order,amount,balance,reserved,held,currency,id
,opening,,,0.00,,,CNY,
2026-05-01T12:00:00Z,topup,,100.00,100.00,0.00,0.00,CNY,
2026-05-01T13:00:00Z,payment,ord_1,-1.00,99.00,0.00,0.00,CNY,
2026-05-01T14:00:00Z,payment,'=1+2,-1.01,97.99,0.00,0.00,CNY,
2026-05-01T15:00:00Z,payment,'+3,-1.02,96.97,0.00,0.00,CNY,
2026-05-01T16:00:00Z,payment,'-4,-1.03,95.94,0.00,0.00,CNY,
2026-05-01T17:00:00Z,payment,'@SUM(A1),-1.04,94.90,0.00,0.00,CNY,
2026-05-01T18:00:00Z,hold,ord_6,0.00,94.90,5.00,5.00,CNY,
2026-05-01T19:00:00Z,void,ord_6,0.00,94.90,5.00,0.00,CNY,
,closing,,,94.90,,,CNY,`
		if all != want {
			t.Errorf("got\n%s\nwant\n%s", all, want)
		}
		part := b.export(t, w.ID, start.Add(2*time.Hour), start.Add(3*time.Hour))
		want = `created_at,kind,order,amount,balance,reserved,held,currency,id
,opening,,,99.00,,,CNY,
2026-05-01T14:00:00Z,payment,'=1+2,-1.01,97.99,0.00,0.00,CNY,
,closing,,,97.99,,,CNY,`
		if part != want {
			t.Errorf("got\n%s\nwant\n%s", part, want)
		}
		for at, want := range map[time.Duration]string{-time.Second: "0.00", 0: "100.00", 90 * time.Minute: "99.00", 24 * time.Hour: "94.90"} {
			if got, _, err := b.BalanceAt(t.Context(), alice, w.ID, start.Add(at)); err != nil || got.String() != want {
				t.Errorf("after %s: %s, %v; want %s", at, got, err, want)
			}
		}
		if _, err := b.Export(t.Context(), bob, w.ID, time.Time{}, time.Time{}); !errors.Is(err, payclient.ErrNotFound) {
			t.Errorf("another's wallet: %v", err)
		}
		if _, _, err := b.BalanceAt(t.Context(), bob, w.ID, start); !errors.Is(err, payclient.ErrNotFound) {
			t.Errorf("the balance of another's wallet: %v", err)
		}
	})
}

// export is a file without the ids of its entries, which are new each time.
func (b *bench) export(t *testing.T, wallet pay.WalletID, from, to time.Time) string {
	t.Helper()
	e, err := b.Export(t.Context(), alice, wallet, from, to)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := e.WriteCSV(&text); err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for i, r := range records {
		if i > 0 {
			r[len(r)-1] = ""
		}
		lines = append(lines, strings.Join(r, ","))
	}
	return strings.Join(lines, "\n")
}

// Who leaves in the middle gets the error, not a file that looks whole.
func TestAnExportThatBreaksIsAnError(t *testing.T) {
	broken := errors.New("the database went away")
	e := pay.Export{Entries: func(yield func([]pay.Entry, error) bool) {
		_ = yield([]pay.Entry{{ID: "1"}}, nil) && yield(nil, broken)
	}}
	if err := e.WriteCSV(&strings.Builder{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := e.WriteCSV(full{}); err == nil {
		t.Error("nobody noticed that nothing was written")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("the reader has left") }
