package database_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

type thing struct {
	bun.BaseModel `bun:"table:things"`
	ID            string `bun:",pk"`
	N             int64
	At            database.Time
}

const up = "-- +goose Up\n"

var thingTables = fstest.MapFS{
	"sqlite/00001_things.sql": {Data: []byte(up + "CREATE TABLE things (id TEXT NOT NULL, n BIGINT NOT NULL, at BIGINT, PRIMARY KEY (id)) WITHOUT ROWID;")},
	"mysql/00001_things.sql":  {Data: []byte(up + "CREATE TABLE things (id VARBINARY(64) NOT NULL, n BIGINT NOT NULL, at BIGINT, PRIMARY KEY (id));")},
}

func things(ctx context.Context, db *database.DB) error {
	return db.Migrate(ctx, thingTables, "things")
}

func insert(t *testing.T, db *database.DB, rows ...thing) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&rows).Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *database.DB, id string) thing {
	t.Helper()
	x := thing{ID: id}
	if err := db.NewSelect().Model(&x).WherePK().Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

// However an address is written, its password stays out of what is said of it.
func TestNoErrorHasAPassword(t *testing.T) {
	for _, url := range []string{
		"mysql://jishi:hunter2@127.0.0.1:1/pay", // as it should be; nobody listens there
		"mysql://jishi:@hunter2@127.0.0.1:1/pay",
		"mysql://127.0.0.1:1/hunter2@127.0.0.1:1/pay", // the user is 127.0.0.1
		"mysql://jishi:1/x?hunter2@127.0.0.1:1/pay",
		"mysql://127.0.0.1:1/pay?password=hunter2",
		"mysql://jishi@127.0.0.1:1/pay?password=hunter2",
		"mysql://jishi:hunter2",
		"mysql:/jishi:hunter2@127.0.0.1:1/pay",
		"mysql:jishi:hunter2@127.0.0.1:1/pay",
		"mysql:jishi:hunter2%@127.0.0.1:1/pay",
		"mariadb://jishi:hunter2@127.0.0.1:1/pay",
		"mariadb:jishi:hunter2@127.0.0.1:1/pay",
		"jishi:hunter2@tcp(127.0.0.1:1)/pay",
	} {
		db, err := database.Open(t.Context(), url)
		if err == nil {
			t.Errorf("%s is open: %v", url, db.Close())
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestBothDatabasesAgree(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		now := database.At(time.Now())
		insert(t, db, thing{ID: "a", N: 1, At: now}, thing{ID: "A", N: 2}, thing{ID: "a ", N: 3})
		if got := read(t, db, "a"); got.N != 1 || !got.At.Equal(now.Time) {
			t.Errorf("got %+v, want %+v", got, now)
		}
		if got := read(t, db, "A"); got.N != 2 || !got.At.IsZero() {
			t.Errorf("keys must tell a from A: %+v", got)
		}
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&thing{ID: "a"}).Exec(ctx)
			return err
		})
		if !database.Taken(err) {
			t.Errorf("a second a: %v", err)
		}
		if database.Taken(errors.New("x")) {
			t.Error("any error is taken for a taken key")
		}
		for id, want := range map[string]bool{"a": true, "none": false} {
			err = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				found, err := database.Changed(tx.NewUpdate().Model((*thing)(nil)).Set("n = n").Where("id = ?", id).Exec(ctx))
				if found != want {
					t.Errorf("an update that changes nothing of %q: found %v", id, found)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		err = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := database.Upsert(tx.NewInsert().Model(&[]thing{{ID: "a", N: 7}, {ID: "new", N: 8}}), []string{"id"}, "n").Exec(ctx)
			return err
		})
		if a, n := read(t, db, "a"), read(t, db, "new"); err != nil || a.N != 7 || a.At.IsZero() || n.N != 8 {
			t.Errorf("upsert: %+v %+v %v", a, n, err)
		}
	}, things)
}

// Time that is over before COMMIT, or before another statement, is busy: nothing has happened.
func TestOutOfTimeIsBusy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		insertA := func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&thing{ID: "a"}).Exec(context.WithoutCancel(ctx))
			return err
		}
		for what, last := range map[string]func(context.Context, bun.Tx) error{
			"COMMIT":      func(context.Context, bun.Tx) error { return nil },
			"a statement": insertA,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
				if err := insertA(ctx, tx); err != nil {
					return err
				}
				for { // until the transaction is taken back
					if _, err := tx.ExecContext(context.WithoutCancel(ctx), "SELECT 1"); err != nil {
						return last(ctx, tx)
					}
				}
			})
			cancel()
			if !errors.Is(err, database.ErrBusy) {
				t.Errorf("before %s: got %v, want %v", what, err, database.ErrBusy)
			}
		}
		if n, err := db.NewSelect().Model((*thing)(nil)).Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d rows, %v; want none", n, err)
		}
	}, things)
}

// Two transactions that lock in opposite order both come through.
func TestDeadlocksAreTriedAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		insert(t, db, thing{ID: "a"}, thing{ID: "b"})
		var begun sync.WaitGroup
		begun.Add(2)
		var runs atomic.Int64
		add := func(first, second string) error {
			meet := sync.OnceFunc(begun.Done)
			return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				runs.Add(1)
				for i, id := range []string{first, second} {
					_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", id).Exec(ctx)
					if err != nil {
						return err
					}
					if i == 0 && !isSQLite(t.Name()) { // SQLite has one writer: the other can't be here
						meet()
						begun.Wait()
					}
				}
				return nil
			})
		}
		var wg sync.WaitGroup
		for _, pair := range [][2]string{{"a", "b"}, {"b", "a"}} {
			wg.Go(func() {
				if err := add(pair[0], pair[1]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if a, b := read(t, db, "a"), read(t, db, "b"); a.N != 2 || b.N != 2 {
			t.Errorf("n = %d and %d, want 2 and 2", a.N, b.N)
		}
		if !isSQLite(t.Name()) && runs.Load() < 3 {
			t.Errorf("%d runs: there was no deadlock to survive", runs.Load())
		}
	}, things)
}

// A key has one effect, however many use it at once, and the others learn its result.
func TestOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		insert(t, db, thing{ID: "counter"})
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				mine := fmt.Sprint("result", i)
				err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					if err := database.Once(ctx, tx, "usr_1", "key", "hash", mine); err != nil {
						return err
					}
					_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", "counter").Exec(ctx)
					return err
				})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, database.ErrUsed) || !database.Taken(err) {
					t.Error(err)
				}
				if got, used, err := db.Used(t.Context(), "usr_1", "key", "hash"); err != nil || !used || (won.Load() == 0 && got == mine) {
					t.Errorf("used: %q %v %v", got, used, err)
				}
			})
		}
		wg.Wait()
		if n := read(t, db, "counter").N; won.Load() != 1 || n != 1 {
			t.Errorf("%d won, %d effects", won.Load(), n)
		}
		if _, _, err := db.Used(t.Context(), "usr_1", "key", "other"); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("another body: %v", err)
		}
		if _, used, err := db.Used(t.Context(), "usr_2", "key", "hash"); used || err != nil {
			t.Errorf("somebody else's key: %v %v", used, err)
		}
	}, things)
}

// Old keys are forgotten, however many there are; the others aren't.
func TestForgetOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		const keys = 1100 // more than go at once
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			for i := range keys {
				if err := database.Once(ctx, tx, "usr_1", fmt.Sprint(i), "hash", "result"); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := db.ForgetOnce(t.Context(), time.Now().Add(-time.Hour)); n != 0 || err != nil {
			t.Errorf("forgot %d that are not old, %v", n, err)
		}
		if n, err := db.ForgetOnce(t.Context(), time.Now().Add(time.Hour)); n != keys || err != nil {
			t.Errorf("forgot %d, %v, want %d", n, err, keys)
		}
		if _, used, err := db.Used(t.Context(), "usr_1", "1", "hash"); used || err != nil {
			t.Errorf("used: %v, %v", used, err)
		}
	}, things)
}

func TestADatabaseThatIsAwayIsARefusal(t *testing.T) {
	_, err := database.Open(t.Context(), "mysql://root@127.0.0.1:1/none")
	if !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	for _, address := range []string{"", "postgres:x", "mysql://localhost"} {
		if _, err := database.Open(t.Context(), address); err == nil {
			t.Errorf("%q was opened", address)
		}
	}
}

// Processes that start together on a new database all find it as it should be in the end, and
// none of them does anything again.
func TestProcessesMayMigrateTogether(t *testing.T) {
	files := fstest.MapFS{}
	for _, folder := range []string{"sqlite", "mysql"} {
		for i := range 7 {
			files[fmt.Sprintf("%s/%05d_made.sql", folder, i+1)] = &fstest.MapFile{Data: fmt.Appendf(nil, up+"CREATE TABLE t%d (n BIGINT NOT NULL);", i)}
		}
		files[folder+"/00008_changed.sql"] = &fstest.MapFile{Data: []byte(up + "INSERT INTO t0 VALUES (1);\nUPDATE t0 SET n = n + 1;")}
	}
	for name, address := range map[string]func(t *testing.T) string{
		"sqlite":  func(t *testing.T) string { return dbtest.SQLite(t) },
		"mariadb": func(t *testing.T) string { return dbtest.MariaDB(t) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 5 {
				at := address(t)
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() {
						db, err := database.Open(t.Context(), at)
						if err != nil {
							t.Error(err)
							return
						}
						if err := errors.Join(db.Migrate(t.Context(), files, "many"), db.Close()); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				var n []int
				if err := dbtest.Open(t, at).NewSelect().Table("t0").Column("n").Scan(t.Context(), &n); err != nil || len(n) != 1 || n[0] != 2 {
					t.Errorf("rows %v, %v; want [2]", n, err)
				}
			}
		})
	}
}

// Every row comes once and in order, whatever the page's size, and a page that
// somebody made up is refused.
func TestPages(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		rows := make([]thing, 7)
		for i := range rows {
			rows[i].ID = fmt.Sprintf("t%d", i)
		}
		insert(t, db, rows...)
		for limit := 1; limit <= 8; limit++ {
			var got []string
			p := database.Page{Limit: limit}
			for {
				page, next, err := database.Newest(t.Context(), db.NewSelect(), p, "id", func(x thing) string { return x.ID })
				if err != nil {
					t.Fatal(err)
				}
				if len(page) > limit {
					t.Fatalf("a page of %d rows, want at most %d", len(page), limit)
				}
				for _, x := range page {
					got = append(got, x.ID)
				}
				if next == "" {
					break
				}
				p.Cursor = next
			}
			if want := "[t6 t5 t4 t3 t2 t1 t0]"; fmt.Sprint(got) != want {
				t.Errorf("pages of %d: got %v, want %s", limit, got, want)
			}
		}
	}, things)

	var s string
	var n int64
	good := database.Cursor("a", int64(1)<<62)
	if _, err := (database.Page{Cursor: good}).After(&s, &n); err != nil || s != "a" || n != 1<<62 {
		t.Errorf("got %q %d %v, want what the cursor was made of", s, n, err)
	}
	for _, bad := range []string{"!", good[:3], database.Cursor("one"), database.Cursor(1, 1), database.Cursor("a", "b"), database.Cursor("a", nil), database.Cursor("a", 1, 2)} {
		if _, err := (database.Page{Cursor: bad}).After(&s, &n); !errors.Is(err, database.ErrCursor) {
			t.Errorf("%q: got %v, want a refusal", bad, err)
		}
	}
	for limit, want := range map[int]int{-1: 20, 0: 20, 1: 1, 100: 100, 1000: 100} {
		if got := (database.Page{Limit: limit}).Size(); got != want {
			t.Errorf("limit %d: a page of %d, want %d", limit, got, want)
		}
	}
}

func TestSchemasAreTheSame(t *testing.T) { dbtest.Parity(t, things) }

// What is committed survives a power failure; a server that is set to forget it is found.
func TestDurable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		expect := func(want bool) {
			t.Helper()
			if got, err := db.Durable(t.Context()); err != nil || got != want {
				t.Errorf("durable: %v, %v, want %v", got, err, want)
			}
		}
		expect(true)
		if isSQLite(t.Name()) {
			return
		}
		for value, want := range map[int]bool{0: false, 2: false, 1: true} {
			_, err := db.NewSelect().DB().NewRaw("SET GLOBAL innodb_flush_log_at_trx_commit = ?", value).Exec(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			expect(want)
		}
		if _, err := db.NewSelect().DB().NewRaw("SET GLOBAL innodb_flush_log_at_trx_commit = 1").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}, things)
}

// A server that has a binary log forgets what isn't on disk there.
func TestDurableWithABinaryLog(t *testing.T) {
	db := dbtest.Open(t, dbtest.NewServer(t, "--log-bin").Database(t, "things"), things)
	for value, want := range map[int]bool{0: false, 1: true, 100: false} {
		if _, err := db.NewSelect().DB().NewRaw("SET GLOBAL sync_binlog = ?", value).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Durable(t.Context()); err != nil || got != want {
			t.Errorf("sync_binlog = %d: %v, %v, want %v", value, got, err, want)
		}
	}
}

// Whatever ends a transaction, nothing of it stays.
func TestNothingHappenedUnlessItDid(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		insert(t, db, thing{ID: "a"})
		broken := errors.New("broken")
		tooLate, cancel := context.WithCancel(t.Context())
		for name, c := range map[string]struct {
			ctx  context.Context
			end  func() error
			want error
		}{
			"an error":          {t.Context(), func() error { return broken }, broken},
			"a reader who left": {tooLate, func() error { cancel(); return nil }, context.Canceled},
		} {
			err := db.InTx(c.ctx, func(ctx context.Context, tx bun.Tx) error {
				if _, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", "a").Exec(ctx); err != nil {
					return err
				}
				return c.end()
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_ = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				if _, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", "a").Exec(ctx); err != nil {
					return err
				}
				panic("a defect")
			})
		}()
		if n := read(t, db, "a").N; n != 0 {
			t.Errorf("n = %d, want 0", n)
		}
		insert(t, db, thing{ID: "b"}) // no lock was left behind
	}, things)
}

// A transaction that never gets through gives up in time, and says that nothing happened.
func TestConflictThatStaysIsBusy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		insert(t, db, thing{ID: "a"})
		held, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = 1").Where("id = ?", "a").Exec(ctx)
				close(held)
				<-release
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = 2").Where("id = ?", "a").Exec(ctx)
			return err
		})
		if !errors.Is(err, database.ErrBusy) {
			t.Errorf("got %v, want %v", err, database.ErrBusy)
		}
		close(release)
		wg.Wait()
		if n := read(t, db, "a").N; n != 1 {
			t.Errorf("n = %d, want 1", n)
		}
	}, things)
}

func isSQLite(name string) bool { return strings.HasSuffix(name, "/sqlite") }

// A transaction sees what others committed since it began: what it decides under a lock, it
// decides on what is there now.
func TestATransactionSeesWhatIsCommitted(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		if isSQLite(t.Name()) {
			return // its transactions have the whole database to themselves
		}
		insert(t, db, thing{ID: "a", N: 1})
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			x := thing{ID: "a"}
			if err := tx.NewSelect().Model(&x).WherePK().Scan(ctx); err != nil {
				return err
			}
			err := db.InTx(ctx, func(ctx context.Context, other bun.Tx) error {
				_, err := other.NewUpdate().Model((*thing)(nil)).Set("n = 2").Where("id = ?", "a").Exec(ctx)
				return err
			})
			if err != nil {
				return err
			}
			err = tx.NewSelect().Model(&x).WherePK().Scan(ctx)
			if x.N != 2 {
				t.Errorf("it sees %d, want 2", x.N)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}, things)
}
