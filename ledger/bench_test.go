package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database/dbtest"
)

// BenchmarkHotAccount has many clients move money at once, each waiting for its transfer
// to be on disk. All transfers go into one account (group and single), or into as many as
// there are clients (uniform). group is what Post does, single a transaction for each.
//
//	go test ./ledger -run - -bench HotAccount -benchtime 200000x
func BenchmarkHotAccount(b *testing.B) {
	for _, kind := range []struct {
		name string
		url  func(testing.TB) string
	}{{"sqlite", dbtest.SQLite}, {"mariadb", dbtest.MariaDB}, {"tidb", dbtest.TiDB}} {
		b.Run(kind.name, func(b *testing.B) {
			for _, c := range []struct {
				name              string
				clients, accounts int
				post              func(*Ledger, context.Context, Group) error
			}{
				{"group", 1000, 1, (*Ledger).Post},
				{"uniform", 1000, 1000, (*Ledger).Post},
				{"single", 1000, 1, postAlone},
				{"group64", 64, 1, (*Ledger).Post},
				{"single64", 64, 1, postAlone},
			} {
				b.Run(c.name, func(b *testing.B) {
					l := New(dbtest.Open(b, kind.url(b), Migrate), time.Now)
					hot := make([]Account, c.accounts)
					for i := range hot {
						hot[i] = Account{ID: AccountID(fmt.Sprintf("hot%d", i)), Unit: cny, Kind: Guarded}
					}
					open(b, l, append(hot, Account{ID: "world", Unit: cny, Kind: Open})...)
					rush(b, c.clients, func(ctx context.Context, i int64) error {
						to := hot[i%int64(len(hot))].ID
						return c.post(l, ctx, Group{move(fmt.Sprintf("bench_%012d", i), "world", to, 1)})
					})
				})
			}
		})
	}
}

// postAlone is Post as it would be without group commit.
func postAlone(l *Ledger, ctx context.Context, g Group) error {
	var refusals []error
	err := l.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		refusals, err = l.Apply(ctx, tx, g)
		return err
	})
	if err != nil {
		return err
	}
	return refusals[0]
}

// rush has clients share b.N calls, and reports calls per second and latencies.
func rush(b *testing.B, clients int, call func(ctx context.Context, i int64) error) {
	b.Helper()
	var next atomic.Int64
	took := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	b.ResetTimer()
	for c := range took {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				began := time.Now()
				if err := call(b.Context(), i); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(all[len(all)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}
