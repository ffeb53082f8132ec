package commit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// journal is a Write that says "done N" and keeps what it was given.
type journal struct {
	mu      sync.Mutex
	batches [][]int
	before  func(batch []int) error // called outside of mu
}

func (j *journal) write(_ context.Context, _ bun.Tx, batch []int) ([]string, error) {
	if j.before != nil {
		if err := j.before(batch); err != nil {
			return nil, err
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.batches = append(j.batches, slices.Clone(batch))
	answers := make([]string, len(batch))
	for i, n := range batch {
		answers[i] = fmt.Sprint("done ", n)
	}
	return answers, nil
}

// one is how many rows these requests write.
func one(int) int { return 1 }

func start(t *testing.T, before func([]int) error) (*Committer[int, string], *journal) {
	t.Helper()
	j := &journal{before: before}
	return New(dbtest.Open(t, dbtest.SQLite(t)), "test", j.write, one, nil), j
}

// parked holds the first batch until release is called, so that others can queue.
func parked() (before func([]int) error, begun <-chan struct{}, release func()) {
	began, gate := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(began); <-gate })
	return func([]int) error { first(); return nil }, began, sync.OnceFunc(func() { close(gate) })
}

// queue starts requests and waits until they all stand in line.
func queue(t *testing.T, c *Committer[int, string], wg *sync.WaitGroup, ns []int, each func(n int, answer string, err error)) {
	t.Helper()
	for _, n := range ns {
		before := waiting(c)
		wg.Go(func() {
			answer, err := c.Do(t.Context(), n)
			each(n, answer, err)
		})
		for waiting(c) == before {
			breathe()
		}
	}
}

func waiting(c *Committer[int, string]) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.waiting)
}

// breathe lets the others run while a test waits for them.
func breathe() { <-time.After(time.Millisecond) }

// wantDone checks the answer of a request.
func wantDone(t *testing.T) func(n int, answer string, err error) {
	return func(n int, answer string, err error) {
		t.Helper()
		if want := fmt.Sprint("done ", n); answer != want || err != nil {
			t.Errorf("request %d: got %q, %v", n, answer, err)
		}
	}
}

// What waits while a batch is written goes together, in order, and everyone has their own answer.
func TestWhatWaitsGoesTogether(t *testing.T) {
	before, begun, release := parked()
	defer release()
	c, j := start(t, before)
	var sizes []int
	c.observe = func(size int, _, _ time.Duration) { sizes = append(sizes, size) }
	check := wantDone(t)
	var wg sync.WaitGroup
	wg.Go(func() { a, err := c.Do(t.Context(), 0); check(0, a, err) })
	<-begun
	queue(t, c, &wg, []int{1, 2, 3, 4, 5}, check)
	release()
	wg.Wait()
	if got, want := fmt.Sprint(j.batches), "[[0] [1 2 3 4 5]]"; got != want {
		t.Errorf("batches %s, want %s", got, want)
	}
	if want := []int{1, 5}; !slices.Equal(sizes, want) {
		t.Errorf("told of batches of %v, want %v", sizes, want)
	}
	if c.led || len(c.waiting) > 0 {
		t.Error("somebody still leads, and nobody waits")
	}
	a, err := c.Do(t.Context(), 9)
	check(9, a, err)
}

// What would be too much for one transaction goes in several, a request that is too much by
// itself too.
func TestATransactionIsBounded(t *testing.T) {
	before, begun, release := parked()
	defer release()
	c, j := start(t, before)
	rows := []int{1, MaxRows * 2 / 5, MaxRows * 2 / 5, MaxRows * 2 / 5, MaxRows * 2, 1, 1}
	c.rows = func(n int) int { return rows[n] }
	check := wantDone(t)
	var wg sync.WaitGroup
	wg.Go(func() { a, err := c.Do(t.Context(), 0); check(0, a, err) })
	<-begun
	queue(t, c, &wg, []int{1, 2, 3, 4, 5, 6}, check)
	release()
	wg.Wait()
	if got, want := fmt.Sprint(j.batches), "[[0] [1 2] [3] [4] [5 6]]"; got != want {
		t.Errorf("batches %s, want %s", got, want)
	}
}

// A request that breaks its batch is alone with its error; the others are written once.
func TestOneThatBreaksDoesNotHarmTheOthers(t *testing.T) {
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("poison") },
		"a panic":  func() error { panic("poison") },
	} {
		t.Run(name, func(t *testing.T) {
			hold, begun, release := parked()
			defer release()
			c, j := start(t, func(batch []int) error {
				if err := hold(batch); err != nil || !slices.Contains(batch, 13) {
					return err
				}
				return fail()
			})
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = c.Do(t.Context(), 0) })
			<-begun
			queue(t, c, &wg, []int{10, 11, 12, 13, 14, 15, 16}, func(n int, answer string, err error) {
				if (err != nil) != (n == 13) {
					t.Errorf("request %d: %q, %v", n, answer, err)
				}
			})
			release()
			wg.Wait()
			done := slices.Concat(j.batches...)
			slices.Sort(done)
			if want := []int{0, 10, 11, 12, 14, 15, 16}; !slices.Equal(done, want) {
				t.Errorf("written %v, want %v", done, want)
			}
		})
	}
}

// A lost reply to COMMIT is everyone's, and nothing is tried again.
func TestUnknownIsNotTriedAgain(t *testing.T) {
	hold, begun, release := parked()
	defer release()
	tries := 0
	c, _ := start(t, func(batch []int) error {
		if err := hold(batch); err != nil || batch[0] == 0 {
			return err
		}
		tries++
		return database.ErrUnknown
	})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = c.Do(t.Context(), 0) })
	<-begun
	queue(t, c, &wg, []int{1, 2, 3}, func(n int, _ string, err error) {
		if !errors.Is(err, database.ErrUnknown) {
			t.Errorf("request %d: %v", n, err)
		}
	})
	release()
	wg.Wait()
	if tries != 1 {
		t.Errorf("tried %d times", tries)
	}
}

// Who leaves while waiting has changed nothing, and doesn't keep the others.
func TestOneMayLeaveTheQueue(t *testing.T) {
	hold, begun, release := parked()
	defer release()
	c, j := start(t, hold)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = c.Do(t.Context(), 0) })
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := c.Do(ctx, 1); left <- err }() // the next leader
	for waiting(c) == 0 {
		breathe()
	}
	queue(t, c, &wg, []int{2}, func(_ int, answer string, err error) {
		if answer != "done 2" || err != nil {
			t.Errorf("got %q, %v", answer, err)
		}
	})
	cancel()
	if err := <-left; !errors.Is(err, database.ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	release()
	wg.Wait()
	if got := fmt.Sprint(j.batches); got != "[[0] [2]]" {
		t.Errorf("batches %s", got)
	}
}

// The queue is bounded, and says so at once.
func TestAFullQueueIsBusy(t *testing.T) {
	hold, begun, release := parked()
	defer release()
	c, _ := start(t, hold)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = c.Do(t.Context(), 0) })
	<-begun
	c.mu.Lock()
	c.waiting = make([]*request[int, string], maxQueue)
	c.mu.Unlock()
	if _, err := c.Do(t.Context(), 1); !errors.Is(err, database.ErrBusy) {
		t.Errorf("got %v", err)
	}
	c.mu.Lock()
	c.waiting = nil
	c.mu.Unlock()
	release()
	wg.Wait()
}

// Many at once over many rounds: every request is written exactly once.
func TestNoneIsLostOrDoubled(t *testing.T) {
	c, j := start(t, nil)
	const clients, rounds = 50, 40
	var wg sync.WaitGroup
	for k := range clients {
		wg.Go(func() {
			for i := range rounds {
				n := k*rounds + i
				ctx, cancel := context.WithCancel(t.Context())
				if n%7 == 0 {
					go cancel()
				}
				answer, err := c.Do(ctx, n)
				if err == nil && answer != fmt.Sprint("done ", n) || err != nil && n%7 != 0 {
					t.Errorf("request %d: %q, %v", n, answer, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	seen := map[int]int{}
	for _, n := range slices.Concat(j.batches...) {
		seen[n]++
	}
	for n := range clients * rounds {
		if seen[n] > 1 || seen[n] == 0 && n%7 != 0 {
			t.Errorf("request %d was written %d times", n, seen[n])
		}
	}
	if len(j.batches) == clients*rounds {
		t.Error("no two requests went together")
	}
}

// Replicas write in turns, and each takes what waits when its turn comes: a batch that was
// taken before it had to wait would be one request.
func TestReplicasTakeTurns(t *testing.T) {
	url := dbtest.MariaDB(t)
	hold, begun, release := parked()
	defer release()
	replica := func(j *journal) *Committer[int, string] {
		db := dbtest.Open(t, url)
		c := New(db, "test", j.write, one, nil)
		c.turns = db.AdvisoryLock("test", time.Minute) // for a slow machine
		return c
	}
	j := &journal{}
	first, second := replica(&journal{before: hold}), replica(j)
	var wg sync.WaitGroup
	check := wantDone(t)
	wg.Go(func() { a, err := first.Do(t.Context(), 0); check(0, a, err) })
	<-begun
	queue(t, second, &wg, []int{1, 2, 3, 4, 5}, check)
	release()
	wg.Wait()
	if got, want := fmt.Sprint(j.batches), "[[1 2 3 4 5]]"; got != want {
		t.Errorf("the second replica's batches are %s, want %s", got, want)
	}
}
