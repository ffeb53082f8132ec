package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
)

// A bank is purses among which money moves all the time; none of it may be lost, made or
// spent twice, whatever happens to those who move it.
const (
	purses     = 8
	purseStart = 1000
	mostMoved  = 400 // so that some moves are refused
)

func purse(i int) AccountID { return AccountID(fmt.Sprint("purse", i)) }

func openBank(t *testing.T, l *Ledger) {
	t.Helper()
	accounts := []Account{{ID: "world", Unit: cny, Kind: Open}}
	var first Group
	for i := range purses {
		accounts = append(accounts, Account{ID: purse(i), Unit: cny, Kind: Guarded})
		first = append(first, move(fmt.Sprint("start", i), "world", purse(i), purseStart))
	}
	open(t, l, accounts...)
	must(t, l, first...)
}

// moves are those that were asked for, by id, and how each was answered.
type moves struct {
	mu    sync.Mutex
	asked map[TransferID]Transfer // guarded by mu
	again int                     // guarded by mu; how often somebody had to ask once more
	ended map[TransferID]bool     // guarded by mu; whether it was done, or refused
}

func newMoves() *moves {
	return &moves{asked: map[TransferID]Transfer{}, ended: map[TransferID]bool{}}
}

func (m *moves) ask(t Transfer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[t.ID] = t
}

func (m *moves) askAgain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again++
}

func (m *moves) end(id TransferID, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended[id] = done
}

// work moves money until ctx ends, each time asking with the same id until there is an
// answer. It tells before it asks, and asks again, and when it has one.
func work(ctx context.Context, l *Ledger, name string, ask func(Transfer), again func(), end func(id TransferID, done bool)) error {
	for n := 0; ctx.Err() == nil; n++ {
		from := rand.IntN(purses)
		to := (from + 1 + rand.IntN(purses-1)) % purses
		t := move(fmt.Sprint(name, "-", n), purse(from), purse(to), 1+rand.Int64N(mostMoved))
		ask(t)
		done, err := settle(ctx, l, t, again)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		end(t.ID, done)
	}
	return nil
}

// settle asks until it is known whether a transfer was done.
func settle(ctx context.Context, l *Ledger, t Transfer, again func()) (done bool, err error) {
	for {
		err := l.Post(ctx, Group{t})
		switch f := fault.Of(err); {
		case err == nil:
			return true, nil
		case errors.Is(err, ErrInsufficient):
			return false, nil
		case f.Kind != fault.Unknown && f.Kind != fault.Busy:
			return false, fmt.Errorf("move %s: %w", t.ID, err)
		}
		select {
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		again()
	}
}

// audit reads all balances in one snapshot, again and again until ctx ends, and tells how
// often. In each there is as much money as ever, and no purse has less than nothing.
func audit(ctx context.Context, t *testing.T, l *Ledger) int {
	ids := []AccountID{"world"}
	for i := range purses {
		ids = append(ids, purse(i))
	}
	for n := 0; ; n++ {
		var found map[AccountID]Balance
		err := l.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
			found, err = l.BalancesIn(ctx, tx, ids...)
			return err
		})
		if ctx.Err() != nil {
			return n
		}
		if err != nil {
			t.Errorf("read all balances: %v", err)
			return n
		}
		sum := int64(0)
		for id, b := range found {
			sum += b.Posted
			if id != "world" && b.Available < 0 {
				t.Errorf("%s has %+v", id, b)
			}
		}
		if sum != 0 || found["world"].Posted != -purses*purseStart {
			t.Errorf("the sum is %d, the world has %d", sum, found["world"].Posted)
		}
	}
}

// settleAll asks again for what was not answered, and then compares what was answered with
// what there is: everything that was done is there as it was asked for, nothing else, and
// the ledger's invariants hold.
func (m *moves) settleAll(t *testing.T, l *Ledger) {
	t.Helper()
	open := 0
	for id, tr := range m.asked {
		if _, answered := m.ended[id]; answered {
			continue
		}
		open++
		done, err := settle(t.Context(), l, tr, m.askAgain)
		if err != nil {
			t.Fatal(err)
		}
		m.ended[id] = done
	}
	want := map[AccountID]int64{}
	for i := range purses {
		want[purse(i)] = purseStart
	}
	var rows []transferRow
	if err := l.db.NewSelect().Model(&rows).Where("debit <> ?", "world").Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := map[TransferID]bool{}
	for _, r := range rows {
		asked := m.asked[r.ID]
		there[r.ID] = true
		if got := r.transfer(); got.Debit != asked.Debit || got.Credit != asked.Credit || got.Amount != asked.Amount {
			t.Errorf("%s is %+v, asked for was %+v", r.ID, got, asked)
		}
		want[r.Debit] -= r.Amount
		want[r.Credit] += r.Amount
	}
	done := 0
	for id, was := range m.ended {
		if was != there[id] {
			t.Errorf("%s was answered with done=%v, there is it: %v", id, was, there[id])
		}
		if was {
			done++
		}
	}
	for id, posted := range want {
		b, err := l.Balance(t.Context(), id)
		if err != nil || b.Posted != posted {
			t.Errorf("%s has %d (%v), its moves make %d", id, b.Posted, err, posted)
		}
	}
	for _, v := range violations(t, l) {
		t.Errorf("violated: %s", v)
	}
	t.Logf("%d asked, %d times again, %d of them at the end; %d done", len(m.asked), m.again, open, done)
	if done == 0 {
		t.Error("nothing was done at all")
	}
}

// A replica is this test program once more, with a database.DB of its own. It says what it
// asks for and what it was answered on its output, a line each, so that nothing that it
// says is lost when it is killed.
const (
	replicaVariable = "LEDGER_REPLICA" // its name and its database; set, this is one
	replicaWorkers  = "LEDGER_WORKERS"
)

func TestMain(m *testing.M) {
	if name, address, ok := strings.Cut(os.Getenv(replicaVariable), " "); ok {
		if err := runReplica(name, address); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runReplica(name, address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with its parent, or when that closes the pipe
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var db *database.DB
	for {
		var err error
		if db, err = database.Open(ctx, address); err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		if fault.Of(err).Kind != fault.Busy {
			return err
		}
	}
	defer db.Close()
	l := New(db, time.Now)
	var mu sync.Mutex // one line at a time
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format, args...)
	}
	var workers int
	if _, err := fmt.Sscan(os.Getenv(replicaWorkers), &workers); err != nil {
		return err
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			errs[w] = work(ctx, l, fmt.Sprint(name, "-", w),
				func(t Transfer) { say("ask %s %s %s %d\n", t.ID, t.Debit, t.Credit, t.Amount) },
				func() { say("again\n") },
				func(id TransferID, done bool) { say("end %s %v\n", id, done) })
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// replica is a process that moves money.
type replica struct {
	cmd      *exec.Cmd
	stdin    io.Closer
	answered chan struct{}  // tells of an answer that it had, if somebody listens; closed with its output
	open     int            // moves that it asked for and had no answer to; read when its output has ended
	read     sync.WaitGroup // until its output has ended
}

var replicas atomic.Int64

// startReplica runs one, and takes down what it says.
func startReplica(t *testing.T, address string, workers int, m *moves) *replica {
	t.Helper()
	r := &replica{cmd: exec.Command(os.Args[0]), answered: make(chan struct{})}
	r.cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=r%d %s", replicaVariable, replicas.Add(1), address),
		fmt.Sprintf("%s=%d", replicaWorkers, workers))
	r.cmd.Stderr = os.Stderr
	in, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.stdin = in
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() }) // one that stands still doesn't end with its parent
	r.read.Go(func() {
		defer close(r.answered)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var tr Transfer
			var done bool
			if n, _ := fmt.Sscanf(lines.Text(), "ask %s %s %s %d", &tr.ID, &tr.Debit, &tr.Credit, &tr.Amount); n == 4 {
				r.open++
				m.ask(move(string(tr.ID), tr.Debit, tr.Credit, tr.Amount))
			} else if lines.Text() == "again" {
				m.askAgain()
			} else if n, _ := fmt.Sscanf(lines.Text(), "end %s %t", &tr.ID, &done); n == 2 {
				r.open--
				m.end(tr.ID, done)
				select {
				case r.answered <- struct{}{}:
				default:
				}
			} else {
				t.Errorf("a replica says %q", lines.Text())
			}
		}
	})
	return r
}

// end asks it to end, and waits.
func (r *replica) end(t *testing.T) {
	t.Helper()
	_ = r.stdin.Close()
	r.read.Wait()
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("a replica ended: %v", err)
	}
}

// answers waits until it has another answer: it is there, and goes on.
func (r *replica) answers(t *testing.T) {
	t.Helper()
	select {
	case _, more := <-r.answered:
		if !more {
			t.Fatal("a replica ended by itself")
		}
	case <-time.After(time.Minute):
		t.Fatal("a replica has had no answer for a minute")
	}
}

// kill ends it as a power failure would, and tells how many of its moves had no answer.
func (r *replica) kill(t *testing.T) int {
	t.Helper()
	_ = r.cmd.Process.Kill()
	r.read.Wait()
	_ = r.cmd.Wait()
	if status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("a replica that was to be killed ended before: %v", r.cmd.ProcessState)
	}
	return r.open
}

func (r *replica) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}
