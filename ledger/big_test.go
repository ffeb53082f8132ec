package ledger

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// BenchmarkVerify fills a database with as many transfers as TRANSFERS says, all of which
// obey every invariant, seals them, and then checks everything: the ledger, and its chain.
// It reports how many transfers a second each reads, and the most memory that the process
// had while it read.
//
//	TRANSFERS=10000000 go test ./ledger -run - -bench Verify -benchtime 1x -timeout 2h
func BenchmarkVerify(b *testing.B) {
	transfers, _ := strconv.Atoi(os.Getenv("TRANSFERS"))
	if transfers == 0 {
		transfers = 50000
	}
	for _, kind := range []struct {
		name string
		url  func(testing.TB) string
	}{{"sqlite", dbtest.SQLite}, {"mariadb", dbtest.MariaDB}} {
		b.Run(kind.name, func(b *testing.B) {
			db := dbtest.Open(b, kind.url(b), Migrate)
			if kind.name == "mariadb" && transfers > 1000000 {
				enlarge(b, db)
			}
			l := New(db, time.Now)
			phase := func(name string, fn func()) {
				start := time.Now()
				fn()
				took := time.Since(start)
				b.Logf("%s: %d transfers in %s", name, transfers, took.Round(time.Millisecond))
				b.ReportMetric(float64(transfers)/took.Seconds(), name+"-transfers/s")
			}
			phase("fill", func() { fill(b, l, transfers) })
			phase("seal", func() { seal(b, l) })
			dbtest.ForgetPeak(b)
			for b.Loop() {
				phase("check", func() {
					if v := violations(b, l); len(v) > 0 {
						b.Fatal(v[0])
					}
				})
				phase("chain", func() {
					if v := broken(b, l, Head{}); len(v) > 0 {
						b.Fatal(v[0])
					}
				})
			}
			b.ReportMetric(dbtest.Peak(b), "MB-peak")
		})
	}
}

// enlarge gives a test's MariaDB the memory that a server of that size would have.
func enlarge(b *testing.B, db *database.DB) {
	b.Helper()
	for _, set := range []string{"innodb_buffer_pool_size = 4294967296", "innodb_log_file_size = 1073741824", "innodb_flush_log_at_trx_commit = 2"} {
		if _, err := db.NewSelect().DB().ExecContext(b.Context(), "SET GLOBAL "+set); err != nil {
			b.Fatal(err)
		}
	}
}

// fill writes top-ups, payments, and holds with their ends, over a hundredth as many
// wallets, in batches of a thousand.
func fill(b *testing.B, l *Ledger, transfers int) {
	b.Helper()
	wallets := make([]accountRow, max(transfers/100, 2))
	for i := range wallets {
		wallets[i] = accountRow{ID: AccountID(fmt.Sprintf("wal_%026d", i)), Unit: cny, Kind: Guarded}
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := 0; n < transfers; {
		bt := &batch{at: database.At(at.Add(time.Duration(n) * time.Millisecond)), touched: map[AccountID]struct{}{}}
		for len(bt.wrote) < min(1000, transfers-n) {
			i := n + len(bt.wrote)
			w := &wallets[(i/4)*7919%len(wallets)]
			r := &transferRow{ID: TransferID(fmt.Sprintf("pay_%026d", i)), Kind: Move, Debit: w.ID, Credit: "escrow", Unit: cny, Amount: 3, Code: "payment", Ref: fmt.Sprintf("pay_%026d", i), At: bt.at}
			switch i % 4 {
			case 0:
				r.Debit, r.Credit, r.Amount, r.Code = "world", w.ID, 10, "topup"
				w.Posted += r.Amount
				r.CreditSeq, r.CreditPosted, r.CreditHeld = bt.number(w)
			case 1:
				w.Posted -= r.Amount
				r.DebitSeq, r.DebitPosted, r.DebitHeld = bt.number(w)
			case 2:
				r.Kind = Hold
				w.Held += r.Amount
				r.DebitSeq, r.DebitPosted, r.DebitHeld = bt.number(w)
			case 3:
				r.Kind, r.Amount, r.HoldID = Post, 2, TransferID(fmt.Sprintf("pay_%026d", i-1))
				w.Held -= 3
				w.Posted -= r.Amount
				r.DebitSeq, r.DebitPosted, r.DebitHeld = bt.number(w)
			}
			bt.wrote = append(bt.wrote, r)
		}
		n += len(bt.wrote)
		err := l.db.InTx(b.Context(), func(ctx context.Context, tx bun.Tx) error {
			if err := bt.register(ctx, tx); err != nil {
				return err
			}
			_, err := tx.NewInsert().Model(&bt.wrote).Exec(ctx)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	accounts := append(wallets, accountRow{ID: "world", Unit: cny, Kind: Open}, accountRow{ID: "escrow", Unit: cny, Kind: Open})
	for part := range slices.Chunk(accounts, 1000) {
		err := l.db.InTx(b.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&part).Exec(ctx)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
