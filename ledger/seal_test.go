package ledger

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

var chainKeys = [][]byte{[]byte("the newest key of 32 bytes ......"), []byte("an older key of 32 bytes .........")}

func seal(t testing.TB, l *Ledger) Sealed {
	t.Helper()
	s, err := l.Chain(chainKeys).Seal(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// broken is what the chain says.
func broken(t testing.TB, l *Ledger, known Head) []string {
	t.Helper()
	var all []string
	_, err := l.Chain(chainKeys).Verify(context.Background(), known, func(invariant, id, found string) {
		all = append(all, fmt.Sprintf("%s: %s: %s", invariant, id, found))
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSchemaIsTheSameEverywhere(t *testing.T) { dbtest.Parity(t, Migrate) }

// A column that the digest doesn't cover could be changed.
func TestEveryColumnIsSealed(t *testing.T) {
	l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
	var columns []string
	for _, f := range l.db.NewSelect().DB().Table(reflect.TypeFor[transferRow]()).Fields {
		columns = append(columns, f.Name)
	}
	if slices.Sort(columns); !slices.Equal(columns, slices.Sorted(slices.Values(sealedColumns))) {
		t.Errorf("sealed are %v, there are %v", sealedColumns, columns)
	}
}

func TestSealing(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		if s := seal(t, l); s.Seals != 0 {
			t.Errorf("nothing was there, sealed %+v", s)
		}
		must(t, l, move("1", "world", "a", 100), hold("h", "a", "escrow", 40))
		must(t, l, end("p", Post, "h", 30))
		want(t, l, "world", -100, 0)
		first := seal(t, l)
		if first.Transfers != 3 || first.Head.Seq != 1 {
			t.Errorf("sealed %+v, want 3 transfers in seal 1", first)
		}
		want(t, l, "world", -100, 0)
		want(t, l, "escrow", 30, 0)
		must(t, l, move("2", "escrow", "b", 10))
		want(t, l, "escrow", 20, 0)
		second := seal(t, l)
		want(t, l, "escrow", 20, 0)
		if b, err := l.Backlog(t.Context()); err != nil || b != (Backlog{}) {
			t.Errorf("%+v waits for a seal, %v", b, err)
		}
		for _, h := range []Head{first.Head, second.Head} {
			var parsed Head
			if err := parsed.UnmarshalText([]byte(h.String())); err != nil || len(broken(t, l, parsed)) > 0 {
				t.Errorf("head %s: %v, %v", h, err, broken(t, l, parsed))
			}
		}
	})
}

// Of many sealers at once each batch gets one seal, while others write and read.
func TestSealersAndReadersAtOnce(t *testing.T) {
	each(t, func(t *testing.T, l *Ledger) {
		var began, done atomic.Int64
		var writers, others sync.WaitGroup
		stop := make(chan struct{})
		for w := range 4 {
			writers.Go(func() {
				for i := range 60 {
					began.Add(1)
					must(t, l, move(fmt.Sprint(w, "-", i), "world", "escrow", 1))
					done.Add(1)
				}
			})
		}
		for range 3 {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						seal(t, l)
					}
				}
			})
		}
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := done.Load()
				b, err := l.Balance(t.Context(), "escrow")
				if most := began.Load(); err != nil || b.Posted < least || b.Posted > most {
					t.Errorf("escrow has %d (%v), want %d to %d", b.Posted, err, least, most)
				}
				if found, err := l.Balances(t.Context(), "escrow", "world"); err != nil || found["escrow"].Posted != -found["world"].Posted {
					t.Errorf("escrow has %d, the world %d (%v)", found["escrow"].Posted, found["world"].Posted, err)
				}
			}
		})
		writers.Wait()
		close(stop)
		others.Wait()
		want(t, l, "escrow", 240, 0)
	})
}

// A transfer that commits after ones with higher numbers and later times were sealed is
// neither lost nor counted twice.
func TestALateCommitIsSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		if strings.HasSuffix(t.Name(), "sqlite") {
			t.Skip("SQLite has one writer: nothing commits late")
		}
		l := New(db, time.Now)
		open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open})
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if _, err := l.Apply(ctx, tx, Group{move("late", "world", "escrow", 1)}); err != nil {
				return err
			}
			must(t, l, move("early", "world", "escrow", 2))
			if s := seal(t, l); s.Transfers != 1 {
				t.Errorf("sealed %+v, want the early one", s)
			}
			want(t, l, "escrow", 2, 0)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want(t, l, "escrow", 3, 0)
		if s := seal(t, l); s.Transfers != 1 {
			t.Errorf("sealed %+v, want the late one", s)
		}
		want(t, l, "escrow", 3, 0)
		wantSound(t, l)
	}, Migrate)
}

func TestKeysOfTheChainRotate(t *testing.T) {
	l := New(dbtest.Open(t, dbtest.SQLite(t), Migrate), time.Now)
	open(t, l, Account{ID: "world", Unit: cny, Kind: Open}, Account{ID: "escrow", Unit: cny, Kind: Open})
	for i, keys := range [][][]byte{chainKeys[1:], chainKeys} {
		must(t, l, move(fmt.Sprint(i), "world", "escrow", 1))
		if _, err := l.Chain(keys).Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantSound(t, l)
	var wrong []string
	_, err := l.Chain(chainKeys[:1]).Verify(t.Context(), Head{}, func(_, id, found string) { wrong = append(wrong, id+": "+found) })
	if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0], "seal 1: it was made with the key") {
		t.Errorf("without the older key: %v, %q", err, wrong)
	}
}
