package job

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
)

const (
	workers   = 16              // jobs at once, in one process
	ofOneKind = workers / 2     // of those: when whom they ask is slow, other kinds go on
	pollEvery = time.Second     // how late a job may be that nobody woke us for
	drainFor  = 5 * time.Second // how long handlers may go on when the process ends

	// A job that fails is tried again after firstPause, then after twice that, and so on
	// up to lastPause: maxAttempts of them take most of a day.
	firstPause  = time.Second
	lastPause   = 15 * time.Minute
	maxAttempts = 100
)

// Run does due jobs of the kinds that have a handler until ctx ends. It then takes no
// more, gives those that run a few seconds, and returns when all have ended; what was cut
// short is run again. Each run is one line in the log.
//
// While one transaction takes jobs or writes down how some ended, others end; so the more
// there is to do, the more of them share a transaction.
func (q *Queue) Run(ctx context.Context, log *slog.Logger, handlers map[string]Handler) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	running, ofKind := 0, map[string]int{}
	ended := make(chan run, workers) // has room for all: nobody waits there
	finish := func(first run) {
		for _, r := range q.finish(ctx, log, first, ended) {
			running--
			ofKind[r.Kind]--
		}
	}
	for ctx.Err() == nil {
		if running < workers {
			jobs, err := q.claim(ctx, handlers, workers-running, ofKind)
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "jobs can't be claimed", slog.Any("err", err))
			}
			for _, j := range jobs {
				running++
				ofKind[j.Kind]++
				go func() { ended <- q.run(ctx, handlers[j.Kind], j) }()
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-q.wake:
		case first := <-ended:
			finish(first)
		}
	}
	for running > 0 {
		finish(<-ended)
	}
	return nil
}

// Drain runs due jobs, one after the other, until none is due, and tells how many runs
// that were. It is for tests, which move the clock, and for commands.
func (q *Queue) Drain(ctx context.Context, log *slog.Logger, handlers map[string]Handler) (int, error) {
	runs := 0
	for {
		jobs, err := q.claim(ctx, handlers, 1, nil)
		if err != nil || len(jobs) == 0 {
			return runs, err
		}
		q.finish(ctx, log, q.run(ctx, handlers[jobs[0].Kind], jobs[0]), nil)
		runs++
	}
}

// claim leases up to n due jobs, the longest due first, of kinds that don't have their share
// of the workers already.
func (q *Queue) claim(ctx context.Context, handlers map[string]Handler, n int, running map[string]int) ([]row, error) {
	var kinds []string // others belong to a newer release
	for kind := range handlers {
		if running[kind] < ofOneKind {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	now := q.now()
	var due []row
	err := q.db.NewSelect().Model(&due).
		Where("state = ?", Waiting).
		Where("due_at <= ?", database.At(now)).
		Where("kind IN (?)", bun.List(kinds)).
		Order("due_at").Limit(int64(n)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("find due jobs: %w", err)
	}
	if len(due) == 0 {
		return nil, nil
	}
	found := len(due)
	due = shares(due, running)
	mine, err := q.take(ctx, due, now)
	if err != nil {
		return nil, fmt.Errorf("claim %d jobs: %w", len(due), err)
	}
	crash.Point("job.claimed")
	if len(mine) < found {
		q.Wake() // others were faster, or a kind has its share; there may be more
	}
	return mine, nil
}

// shares leaves out of due jobs those that are more than what their kind may have running.
func shares(due []row, running map[string]int) []row {
	taken := map[string]int{}
	return slices.DeleteFunc(due, func(r row) bool {
		taken[r.Kind]++
		return running[r.Kind]+taken[r.Kind] > ofOneKind
	})
}

// take leases those of the due jobs that nobody else takes first: of workers that saw one
// due, one finds the row as it was.
func (q *Queue) take(ctx context.Context, due []row, now time.Time) (mine []row, err error) {
	token := rand.Text()
	var claimed time.Time
	err = q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		claimed = time.Now() // before what may wait for locks, and for each try anew
		until := database.At(q.now().Add(lease))
		_, err := tx.NewUpdate().Model((*row)(nil)).
			Set("lease = ?", token).Set("due_at = ?", until).Set("attempts = attempts + 1").
			Where("state = ?", Waiting).Where("due_at <= ?", database.At(now)).
			ApplyQueryBuilder(asRead(due)).Exec(ctx)
		if err != nil {
			return err
		}
		mine = nil
		return tx.NewSelect().Model(&mine).
			Where("state = ?", Waiting).Where("due_at = ?", until).Where("lease = ?", token).Scan(ctx)
	})
	for i := range mine {
		mine[i].claimed = claimed
	}
	return mine, err
}

// asRead restricts a statement to rows that still have the lease, or none, with which they
// were read.
func asRead(rows []row) func(bun.QueryBuilder) bun.QueryBuilder {
	return func(q bun.QueryBuilder) bun.QueryBuilder {
		return q.WhereGroup(" AND ", func(q bun.QueryBuilder) bun.QueryBuilder {
			for _, r := range rows {
				q = q.WhereOr("kind = ? AND ? = ? AND COALESCE(lease, '') = ?", r.Kind, bun.Ident("key"), r.Key, r.Lease)
			}
			return q
		})
	}
}

// run is how one ended.
type run struct {
	row
	err  error
	cut  bool // by the end of the process, or of its time before it began
	took time.Duration

	outcome string
	next    row // what becomes of its row, unless it is done
}

// run does one job.
func (q *Queue) run(ctx context.Context, h Handler, r row) run {
	began := time.Now()
	handling, cancel := context.WithDeadline(context.WithoutCancel(ctx), r.claimed.Add(runFor))
	defer cancel()
	if err := handling.Err(); err != nil { // claiming it took all its time
		return run{row: r, err: err, cut: true}
	}
	// The end of the process reaches the handler after a while.
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(drainFor):
			cancel()
		case <-handling.Done():
		}
	})
	defer stop()

	err := call(handling, h, r.job())
	crash.Point("job.ran")
	return run{row: r, err: err, cut: ctx.Err() != nil && errors.Is(err, context.Canceled), took: time.Since(began)}
}

// call turns a panic into an error, so that it costs one run and not the process.
func call(ctx context.Context, h Handler, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(ctx, j)
}
