package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/linktest"
)

// shortLong is the form of a test that was asked for.
func shortLong[T any](short, inLong T) T {
	if dbtest.Long() {
		return inLong
	}
	return short
}

// Money is exact while statements and commits fail in every way that is known of servers.
func TestBankUnderFaults(t *testing.T) {
	dbtest.UnderFaults(t, 2, func(t *testing.T, address string, way *dbtest.Faulty) {
		l := New(dbtest.Open(t, address, Migrate), time.Now)
		openBank(t, l)
		through := New(dbtest.Open(t, way.URL), time.Now)

		ctx, cancel := context.WithTimeout(t.Context(), shortLong(2*time.Second, 10*time.Second))
		defer cancel()
		m := newMoves()
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				if err := work(ctx, through, fmt.Sprint("w", w), m.ask, m.askAgain, m.end); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() { audit(ctx, t, l) })
		wg.Wait()
		m.settleAll(t, l)
	})
}

// A transfer whose COMMIT had no answer is unknown, also where the database is away when it is
// sent again.
func TestTheDatabaseGoesAwayInACommit(t *testing.T) {
	address := dbtest.MariaDB(t)
	l := New(dbtest.Open(t, address, Migrate), time.Now)
	openBank(t, l)
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := New(dbtest.Open(t, way.URL), time.Now)
	for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard} {
		way.GoAway(1, how)
		g := Group{move(string(how), purse(0), purse(1), 1)}
		if err := through.Post(t.Context(), g); fault.Of(err).Kind != fault.Unknown {
			t.Errorf("%s: got %v, want %v", how, err, database.ErrUnknown)
		}
		way.Return()
		must(t, through, g...)
	}
	want(t, l, purse(1), purseStart+2, 0)
}

// A deadlock takes the whole transaction back, also while the ledger puts right that an id was in
// use: nothing may go on without a transaction, of which each statement would stay.
func TestNothingGoesOnAfterADeadlock(t *testing.T) {
	address := dbtest.MariaDB(t)
	l := New(dbtest.Open(t, address, Migrate), time.Now)
	openBank(t, l)
	old, fresh := move("old", purse(0), purse(1), 1), move("fresh", purse(0), purse(1), 2)
	must(t, l, old)
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := New(dbtest.Open(t, way.URL), time.Now)
	way.Deadlock("DELETE FROM `batches`")
	stop := errors.New("stop")
	err := through.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := through.Apply(ctx, tx, Group{old}, Group{fresh}); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v, want %v", err, stop)
	}
	want(t, l, purse(1), purseStart+1, 0)
	if n := way.Counts()["1213 deadlock"]; n != 1 {
		t.Errorf("there were %d deadlocks", n)
	}
}

// bank is replicas at work, behind a link to the database.
type bank struct {
	db       *database.DB // not through the link
	address  string       // of the database, through the link
	link     *linktest.Link
	workers  int
	moves    *moves
	replicas []*replica
	open     int // moves that those who were killed had no answer to
}

const (
	// lockWait is for how many seconds the server lets a transaction wait for a row.
	lockWait = 1
	// silence is longer than the server lets a transaction stand still.
	silence = 12 * time.Second
)

// troubles are what happens to replicas while they move money: one round of each, and how
// often it was met in all of them.
var troubles = []struct {
	name  string
	round func(t *testing.T, b *bank, n int)
	met   func(b *bank) int
}{
	{"nothing", func(*testing.T, *bank, int) {}, nil},
	{"killed", func(t *testing.T, b *bank, _ int) {
		i := rand.IntN(len(b.replicas))
		b.open += b.replicas[i].kill(t)
		b.replicas[i] = startReplica(t, b.address, b.workers, b.moves)
	}, func(b *bank) int { return b.open }},
	{"stopped", func(t *testing.T, b *bank, n int) {
		i := rand.IntN(len(b.replicas))
		locker := b.stop(t, b.replicas[i])
		if dbtest.Long() && n == 0 {
			pass(t, silence)
			if still, _ := b.standing(t); still == locker {
				t.Errorf("transaction %s has stood still for %s", locker, silence)
			}
			for j, r := range b.replicas {
				if j != i {
					r.answers(t) // with the rows that were taken from it
				}
			}
		} else {
			pass(t, lockWait*1500*time.Millisecond) // others give up waiting for the rows that it has locked
		}
		b.replicas[i].signal(t, syscall.SIGCONT)
	}, nil},
	{"cut", func(t *testing.T, b *bank, n int) {
		b.cut(t, n)
	}, func(b *bank) int { return b.moves.again }},
	{"slow and cut", func(t *testing.T, b *bank, n int) {
		if n == 0 {
			b.link.Slow(10 * time.Millisecond)
		}
		b.cut(t, n) // more is under way than on a fast one
	}, func(b *bank) int { return b.moves.again }},
}

// cut breaks the link, in the first round for longer than a transaction is tried again for.
func (b *bank) cut(t *testing.T, n int) {
	t.Helper()
	d := rand.N(200 * time.Millisecond)
	if n == 0 {
		d = 300 * time.Millisecond
	}
	b.link.Cut()
	pass(t, d)
	b.link.Mend()
}

// stop stops a replica in the middle of a transaction, which it names, and for which the others
// wait.
func (b *bank) stop(t *testing.T, r *replica) (locker string) {
	t.Helper()
	for try := range 100 {
		// It has just committed when it answers, and its next turn may be far on a busy machine.
		pass(t, rand.N(time.Duration(1+try)*10*time.Millisecond))
		r.signal(t, syscall.SIGSTOP)
		for range 10 {
			pass(t, 150*time.Millisecond)
			locker, waiting := b.standing(t)
			if locker == "" {
				break
			}
			if waiting > 0 || len(b.replicas) == 1 {
				return locker
			}
		}
		r.signal(t, syscall.SIGCONT)
		r.answers(t)
	}
	t.Fatal("a replica was never stopped in the middle of a transaction that others wait for")
	return ""
}

// standing is the transaction that has locked rows and has had nothing to do for longer than a
// process that goes on leaves it, and how many wait for rows. Who asks more often than ten times
// a second is told of the past.
func (b *bank) standing(t *testing.T) (locker string, waiting int) {
	t.Helper()
	err := b.db.NewSelect().DB().NewRaw("SELECT COALESCE(MAX(IF(p.command = 'Sleep' AND p.time_ms > 100 AND x.trx_rows_locked > 0, x.trx_id, NULL)), ''),"+
		" COALESCE(SUM(x.trx_state = 'LOCK WAIT'), 0)"+
		" FROM information_schema.innodb_trx AS x JOIN information_schema.processlist AS p ON p.id = x.trx_mysql_thread_id"+
		" WHERE p.db = DATABASE()").Scan(t.Context(), &locker, &waiting)
	if err != nil {
		t.Fatal(err)
	}
	return locker, waiting
}

// pass lets replicas work for a while.
func pass(t *testing.T, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// Money is exact whatever happens to the processes that move it.
func TestBankInTrouble(t *testing.T) {
	type cell struct {
		replicas, workers int
		turns             bool
	}
	for _, trouble := range troubles {
		for _, c := range shortLong([]cell{{2, 8, false}}, []cell{{1, 8, true}, {1, 64, true}, {2, 32, false}, {3, 8, false}, {3, 64, true}}) {
			t.Run(fmt.Sprintf("%s, %d replicas of %d", trouble.name, c.replicas, c.workers), func(t *testing.T) {
				address := dbtest.MariaDB(t)
				db := dbtest.Open(t, address, Migrate)
				l := New(db, time.Now)
				openBank(t, l)
				if !c.turns {
					dbtest.NoTurns(t, db, "transfers")
				}
				if _, err := db.NewSelect().DB().NewRaw("SET GLOBAL innodb_lock_wait_timeout = ?", lockWait).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				b := newBank(t, db, address, c.replicas, c.workers)

				reading, stop := context.WithCancel(t.Context())
				var readers sync.WaitGroup
				var reads [3]int
				for i := range reads {
					readers.Go(func() { reads[i] = audit(reading, t, l) })
				}
				end := time.Now().Add(shortLong(3*time.Second, time.Minute))
				rounds := 0
				for ; rounds == 0 || time.Now().Before(end); rounds++ {
					pass(t, time.Duration(200+rand.IntN(400))*time.Millisecond)
					b.answers(t)
					trouble.round(t, b, rounds)
				}
				b.answers(t)
				for _, r := range b.replicas {
					r.end(t)
				}
				stop()
				readers.Wait()
				t.Logf("%d rounds, all balances read %v times", rounds, reads)
				if slices.Contains(reads[:], 0) {
					t.Errorf("all balances were read %v times", reads)
				}
				if trouble.met != nil && trouble.met(b) == 0 {
					t.Errorf("nobody met that replicas were %s", trouble.name)
				}
				b.moves.settleAll(t, l)
			})
		}
	}
}

// answers waits until each replica has another answer, whatever has happened to it.
func (b *bank) answers(t *testing.T) {
	t.Helper()
	for _, r := range b.replicas {
		r.answers(t)
	}
}

func newBank(t *testing.T, db *database.DB, address string, replicas, workers int) *bank {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	b := &bank{db: db, link: linktest.New(t, u.Host), workers: workers, moves: newMoves()}
	u.Host = b.link.Address()
	b.address = u.String()
	for range replicas {
		b.replicas = append(b.replicas, startReplica(t, b.address, workers, b.moves))
	}
	return b
}

// A process on SQLite that is killed in the middle loses nothing either.
func TestBankIsKilledOnSQLite(t *testing.T) {
	address := dbtest.SQLite(t)
	l := New(dbtest.Open(t, address, Migrate), time.Now)
	openBank(t, l)
	m, open := newMoves(), 0
	for range shortLong(3, 60) {
		r := startReplica(t, address, 8, m)
		r.answers(t)
		pass(t, time.Duration(rand.IntN(400))*time.Millisecond)
		open += r.kill(t)
	}
	if open == 0 {
		t.Error("nothing was under way when replicas were killed")
	}
	m.settleAll(t, l)
}

// On a full disk a transfer is refused and leaves nothing, whichever page finds no room;
// with room again the same transfer is done.
func TestFullDisk(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), Migrate)
	l := New(db, time.Now)
	openBank(t, l)
	full := 0
	for pages := range int64(12) {
		dbtest.LimitPages(t, db, pages)
		before, err := l.Balance(t.Context(), purse(0))
		if err != nil {
			t.Fatal(err)
		}
		// Many at a time, so that some page of some table is missing.
		var g Group
		for i := range 100 {
			g = append(g, move(fmt.Sprint("full", pages, "-", i), purse(i%2), purse(1-i%2), 1))
		}
		err = l.Post(t.Context(), g)
		if err != nil && !errors.Is(err, database.ErrFull) {
			t.Fatalf("%d pages left: got %v, want %v", pages, err, database.ErrFull)
		}
		if err != nil {
			full++
			if b, err := l.Balance(t.Context(), purse(0)); err != nil || b != before {
				t.Errorf("%d pages left: %+v (%v), want %+v as before", pages, b, err, before)
			}
		}
		dbtest.LimitPages(t, db, -1)
		must(t, l, g...)
		want(t, l, purse(0), purseStart, 0)
	}
	if full < 3 {
		t.Errorf("the disk was full %d times", full)
	}
	for _, v := range violations(t, l) {
		t.Errorf("violated: %s", v)
	}
}
