// Package commit is group commit: requests that wait at the same time are done together,
// in one transaction with one commit, and each gets an answer of its own.
//
// There is no worker. The first request that finds nobody at work leads: it takes what is
// waiting (never waits for more), writes it, answers everyone, and hands the lead to the
// first of those that came meanwhile. So a request alone goes at once, a batch gathers
// while the one before commits, and when the last caller has its answer nothing is left
// running: a server that has drained its callers has drained this. The hand-over of the
// lead is that of RocksDB's write groups:
// https://github.com/facebook/rocksdb/blob/main/db/write_thread.h
//
// Committers of one name that share a database take turns, and each takes what is
// waiting when it is its turn. Where they write the same rows they would wait for each
// other anyway, but with the batch that they had before.
//
// It knows nothing of what is written.
package commit

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
)

const (
	maxBatch  = 1000             // requests in one transaction
	maxQueue  = 8192             // requests that wait; beyond that the answer is busy
	batchTime = 20 * time.Second // a transaction with its retries
	turnTime  = time.Second      // to wait for another process's

	// takenTries is how often a batch is written that meets a unique key in use: somebody else
	// was faster, and the next time Write sees what they did.
	takenTries = 3
)

// MaxRows is how many rows of one table the requests of a transaction write, about, so that it
// doesn't take too long and its statements are below the 16 MiB that a server takes. A single
// request may have more.
const MaxRows = 10_000

// Write does a batch inside tx, one request after the other, and gives the answer of each.
// That a request is refused is an answer. An error is for what broke; then nothing of the
// batch may stay, and it is tried again in halves, so that a request that breaks its batch
// is alone with its error in the end. It runs more than once, so it touches nothing but tx
// and its own variables.
type Write[R, A any] func(ctx context.Context, tx bun.Tx, batch []R) ([]A, error)

// Observer is told of each transaction: how many requests it had, how long the oldest of
// them had waited for it, and how long it took.
type Observer func(size int, waited, took time.Duration)

// Committer writes requests of type R. It is safe for concurrent use.
type Committer[R, A any] struct {
	db      *database.DB
	write   Write[R, A]
	rows    func(R) int
	observe Observer
	turns   *database.AdvisoryLock // used by who leads

	mu      sync.Mutex
	waiting []*request[R, A] // guarded by mu; the first one is the next leader
	led     bool             // guarded by mu: somebody leads, or was told to
}

// New returns the committer of a database for what name says. rows is how many rows of one
// table a request may write, about; observe may be nil.
func New[R, A any](db *database.DB, name string, write Write[R, A], rows func(R) int, observe Observer) *Committer[R, A] {
	if observe == nil {
		observe = func(int, time.Duration, time.Duration) {}
	}
	return &Committer[R, A]{db: db, write: write, rows: rows, observe: observe, turns: db.AdvisoryLock(name, turnTime)}
}

type request[R, A any] struct {
	ctx    context.Context
	in     R
	since  time.Time
	answer A
	err    error
	leads  bool      // guarded by the committer's mu: it was told to, and can't leave any more
	turn   chan bool // true: lead; false: answered
}

// Do has a request written and returns when it is on disk, with its answer. The errors are
// those of [database.DB.InTx]; a queue that is full, and a context that ends before the
// request is begun, say that nothing happened. What has begun is waited for.
func (c *Committer[R, A]) Do(ctx context.Context, in R) (A, error) {
	r := &request[R, A]{ctx: ctx, in: in, since: time.Now(), turn: make(chan bool, 1)}
	lead, err := c.join(r)
	if err != nil {
		return r.answer, err
	}
	if !lead {
		select {
		case lead = <-r.turn:
		case <-ctx.Done():
			if c.leave(r) {
				return r.answer, gone(ctx)
			}
			lead = <-r.turn
		}
	}
	if lead {
		c.lead()
		<-r.turn // it was in the batch
	}
	return r.answer, r.err
}

// gone is the refusal of a request whose caller left or ran out of time.
func gone(ctx context.Context) error { return database.ErrBusy.Because(ctx.Err()) }

// join puts r into the queue; lead tells that nobody else is at work.
func (c *Committer[R, A]) join(r *request[R, A]) (lead bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= maxQueue {
		return false, database.ErrBusy
	}
	c.waiting = append(c.waiting, r)
	if c.led {
		return false, nil
	}
	c.led, r.leads = true, true
	return true, nil
}

// leave takes r out of the queue, unless its time has come.
func (c *Committer[R, A]) leave(r *request[R, A]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.leads {
		return false
	}
	for i, w := range c.waiting {
		if w == r {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// lead writes one batch, of which the caller is the first, answers it and hands over.
func (c *Committer[R, A]) lead() {
	unlock := c.turns.Lock()
	runtime.Gosched() // those who are about to join make the batch larger
	batch := c.take()
	c.do(batch)
	unlock()
	c.handOver()
	for _, r := range batch {
		r.turn <- false
	}
}

// take gives what is waiting, as far as it fits into one transaction: the first does.
func (c *Committer[R, A]) take() []*request[R, A] {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, rows := 0, 0
	for n < min(len(c.waiting), maxBatch) {
		rows += c.rows(c.waiting[n].in)
		if n > 0 && rows > MaxRows {
			break
		}
		n++
	}
	batch := c.waiting[:n:n]
	c.waiting = append([]*request[R, A](nil), c.waiting[n:]...)
	return batch
}

func (c *Committer[R, A]) handOver() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.led = false
		return
	}
	next := c.waiting[0]
	next.leads = true
	next.turn <- true
}

// do writes a batch, or the parts of it that can be written.
func (c *Committer[R, A]) do(batch []*request[R, A]) {
	present := make([]*request[R, A], 0, len(batch))
	for _, r := range batch {
		if r.ctx.Err() != nil {
			r.err = gone(r.ctx)
			continue
		}
		present = append(present, r)
	}
	if len(present) > 0 {
		c.try(present)
	}
}

func (c *Committer[R, A]) try(batch []*request[R, A]) {
	var answers []A
	var err error
	for range takenTries {
		began := time.Now()
		answers, err = c.transaction(batch)
		c.observe(len(batch), began.Sub(batch[0].since), time.Since(began))
		if !database.Taken(err) {
			break
		}
	}
	switch {
	case err == nil:
		for i, r := range batch {
			r.answer = answers[i]
		}
	case len(batch) > 1 && splits(err):
		half := len(batch) / 2
		c.try(batch[:half])
		c.try(batch[half:])
	default:
		for _, r := range batch {
			r.err = err
		}
	}
}

// splits tells whether one request may be to blame. A database that is away, full, busy
// or didn't answer treats every part alike, and of what is unknown nothing is tried again.
func splits(err error) bool {
	k := fault.Of(err).Kind
	return k != fault.Busy && k != fault.Unknown
}

func (c *Committer[R, A]) transaction(batch []*request[R, A]) (answers []A, err error) {
	defer func() { // a panic must answer the others too
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	in := make([]R, len(batch))
	for i, r := range batch {
		in[i] = r.in
	}
	// The transaction is everyone's, so no one's leaving ends it.
	ctx, cancel := context.WithTimeout(context.Background(), batchTime)
	defer cancel()
	err = c.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		answers, err = c.write(ctx, tx, in)
		return err
	})
	if err == nil && len(answers) != len(in) {
		err = fmt.Errorf("%d answers to %d requests", len(answers), len(in))
	}
	return answers, err
}
