// Package job is durable background work: rows of a module's database, written in the
// transaction that wants the work done, and run by whichever replica comes first.
//
// A job runs at least once: a process may die after the work and before it could say
// so, so handlers are written to be harmless the second time. While one runs it is
// leased: its row falls due again only when the lease is over, which is also how the
// work of a process that died is picked up. A claim is one conditional update of the rows
// that are due, so of many workers one wins each; rows aren't skipped under locks, nor sought
// by ascending id (which would lose rows that commit late), so it works alike on every
// database.
//
// It knows nothing of what jobs do.
package job

import (
	"context"
	"embed"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

//go:embed migrations
var migrations embed.FS

// Migrate makes the table.
func Migrate(ctx context.Context, db *database.DB) error {
	return db.Migrate(ctx, migrations, "job")
}

// Job is work to be done. Kind and Key together are unique among the jobs that aren't done.
type Job struct {
	Kind    string    // chooses the handler; at most 64 bytes
	Key     string    // what it is about, an order's id; at most 190 bytes
	Payload []byte    // the handler's; at most 60 KB
	At      time.Time // when it falls due; the zero time is at once

	Attempt int // for handlers: this run's number, from 1; those that ended with Later don't count
}

// Handler does the work of a job. Nil is done, an error is tried again later (with
// growing pauses, or those of its [Schedule], then given up), and what [Later] or [LaterWith]
// return is tried again at that time without counting as a failure. Its context ends before
// the lease does.
type Handler func(ctx context.Context, j Job) error

// later is no failure: the time hasn't come.
type later struct {
	at      time.Time
	payload []byte // nil is what it was
}

func (l later) Error() string { return "not before " + l.at.Format(time.RFC3339) }

// Later makes a handler's result that means: not yet, come back at that time.
func Later(at time.Time) error { return later{at: at} }

// LaterWith is Later for a job that has something to remember: its payload from now on.
func LaterWith(at time.Time, payload []byte) error { return later{at, payload} }

// Schedule is the pauses after a job's first failure, its second and so on. After the last
// of them it has one more try, and is given up if that fails too.
type Schedule []time.Duration

// Failed makes a handler's result that means: it failed for this reason, and is tried
// again by this schedule rather than by everybody's.
func (s Schedule) Failed(err error) error { return scheduled{err, s} }

type scheduled struct {
	error
	schedule Schedule
}

func (s scheduled) Unwrap() error { return s.error }

// The states of a job. What is done has no row.
const (
	Waiting = "waiting" // for its time, or while it runs for the end of its lease
	Dead    = "dead"    // given up
)

type row struct {
	bun.BaseModel `bun:"table:jobs"`

	Kind    string `bun:",pk"`
	Key     string `bun:",pk"`
	Payload []byte
	State   string
	// DueAt is when a worker may take it. Taking it moves this to the lease's end.
	DueAt     database.Time
	Lease     string `bun:",nullzero"` // names the run that has it
	Attempts  int
	LastError []byte // not text: it may be cut anywhere, or hold anything
	CreatedAt database.Time

	claimed time.Time // by this process's clock, when the lease began
}

// Queue is the jobs of a database.
type Queue struct {
	db   *database.DB
	now  func() time.Time
	wake chan struct{} // holds one token when somebody wants the queue looked at

	runs map[string]*atomic.Int64 // by outcome
}

// New returns the jobs in a migrated database. now may be nil for the time of day.
func New(db *database.DB, now func() time.Time) *Queue {
	if now == nil {
		now = time.Now
	}
	runs := map[string]*atomic.Int64{}
	for _, outcome := range Outcomes {
		runs[outcome] = new(atomic.Int64)
	}
	return &Queue{db: db, now: now, wake: make(chan struct{}, 1), runs: runs}
}

// Add writes a job in the caller's transaction. If there is one of its kind and key
// already, that one stays as it is, be it dead: see [Queue.Revive]. Call [Queue.Wake] after
// the commit to have it run without delay.
func (q *Queue) Add(ctx context.Context, tx bun.Tx, jobs ...Job) error {
	if len(jobs) == 0 {
		return nil
	}
	now := q.now()
	rows := make([]row, len(jobs))
	for i, j := range jobs {
		if j.At.IsZero() {
			j.At = now
		}
		if j.Payload == nil {
			j.Payload = []byte{}
		}
		rows[i] = row{
			Kind: j.Kind, Key: j.Key, Payload: j.Payload, State: Waiting, LastError: []byte{},
			DueAt: database.At(j.At), CreatedAt: database.At(now),
		}
	}
	_, err := database.Upsert(database.Insert(tx, &rows), []string{"kind", "key"}).Exec(ctx)
	if err != nil {
		return fmt.Errorf("add job %s %s: %w", jobs[0].Kind, jobs[0].Key, err)
	}
	return nil
}

// Remove takes back jobs of a kind in the caller's transaction, whatever their state. A run
// that goes on isn't stopped.
func (q *Queue) Remove(ctx context.Context, tx bun.Tx, kind string, keys ...string) error {
	_, err := tx.NewDelete().Model((*row)(nil)).Where("kind = ?", kind).Where("? IN (?)", bun.Ident("key"), bun.In(keys)).Exec(ctx)
	if err != nil {
		return fmt.Errorf("remove %d jobs %s: %w", len(keys), kind, err)
	}
	return nil
}

// Wake has the workers of this process look for due jobs now. Those of others look
// every second.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default: // one is waiting, and will see this job too
	}
}
