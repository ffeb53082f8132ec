package job

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	mathrand "math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

const (
	workers   = 8                // jobs at once, in one process
	pollEvery = time.Second      // how late a job may be that nobody woke us for
	lease     = 60 * time.Second // how long a job of a process that died is left alone
	runFor    = 45 * time.Second // a handler's time; ends before the lease, so that no two runs overlap
	drainFor  = 5 * time.Second  // how long handlers may go on when the process ends
	writeFor  = 10 * time.Second // how long writing down a result is tried; run and this fit into the lease

	// A job that fails is tried again after firstPause, then after twice that, and so on
	// up to lastPause: maxAttempts of them take most of a day.
	firstPause  = time.Second
	lastPause   = 15 * time.Minute
	maxAttempts = 100
)

// Run does due jobs of the kinds that have a handler until ctx ends. It then takes no
// more, gives those that run a few seconds, and returns when all have ended; what was cut
// short is run again. Each run is one line in the log.
func (q *Queue) Run(ctx context.Context, log *slog.Logger, handlers map[string]Handler) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	slots := make(chan struct{}, workers)
	var running sync.WaitGroup
	defer running.Wait()
	for {
		free := cap(slots) - len(slots) // only this goroutine fills them
		if free > 0 {
			jobs, err := q.claim(ctx, handlers, free)
			if err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "jobs can't be claimed", slog.Any("err", err))
			}
			for _, r := range jobs {
				slots <- struct{}{}
				running.Go(func() {
					q.run(ctx, log, handlers[r.Kind], r)
					<-slots
					q.Wake() // there is room, and maybe more to do
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-q.wake:
		}
	}
}

// Drain runs due jobs, one after the other, until none is due, and tells how many runs
// that were. It is for tests, which move the clock, and for commands.
func (q *Queue) Drain(ctx context.Context, log *slog.Logger, handlers map[string]Handler) (int, error) {
	runs := 0
	for {
		jobs, err := q.claim(ctx, handlers, 1)
		if err != nil || len(jobs) == 0 {
			return runs, err
		}
		q.run(ctx, log, handlers[jobs[0].Kind], jobs[0])
		runs++
	}
}

// claim leases up to n due jobs, the longest due first.
func (q *Queue) claim(ctx context.Context, handlers map[string]Handler, n int) ([]row, error) {
	if len(handlers) == 0 {
		return nil, nil
	}
	now := q.now()
	var due []row
	err := q.db.NewSelect().Model(&due).
		Where("state = ?", waiting).
		Where("due_at <= ?", database.At(now)).
		Where("kind IN (?)", bun.List(slices.Collect(maps.Keys(handlers)))). // others belong to a newer release
		Order("due_at").Limit(int64(n)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("find due jobs: %w", err)
	}
	var mine []row
	for _, r := range due {
		won, err := q.take(ctx, &r, now)
		if err != nil {
			return mine, err
		}
		if won {
			mine = append(mine, r)
		}
	}
	return mine, nil
}

// take leases one job. Of workers that saw it due, one finds the row as it was.
func (q *Queue) take(ctx context.Context, r *row, now time.Time) (won bool, err error) {
	token := rand.Text()
	until := database.At(now.Add(lease))
	err = q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		won, err = database.Changed(tx.NewUpdate().Model((*row)(nil)).
			Set("lease = ?", token).Set("due_at = ?", until).Set("attempts = attempts + 1").
			Where("kind = ?", r.Kind).Where("? = ?", bun.Ident("key"), r.Key).
			Where("state = ?", waiting).Where("due_at = ?", r.DueAt).Where("attempts = ?", r.Attempts).Exec(ctx))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim job %s %s: %w", r.Kind, r.Key, err)
	}
	r.Lease = token
	r.Attempts++
	return won, nil
}

// run does one job and writes down how it ended.
func (q *Queue) run(ctx context.Context, log *slog.Logger, h Handler, r row) {
	began := time.Now()
	handling, cancel := context.WithTimeout(context.WithoutCancel(ctx), runFor)
	defer cancel()
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
	cut := ctx.Err() != nil && errors.Is(err, context.Canceled)
	writing, cancelWrite := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
	defer cancelWrite()
	outcome, level, werr := q.finish(writing, r, err, cut)

	attrs := []slog.Attr{
		slog.String("kind", r.Kind), slog.String("key", r.Key), slog.Int("attempt", r.Attempts),
		slog.String("outcome", outcome), slog.Duration("took", time.Since(began)),
	}
	if err := errors.Join(err, werr); err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	log.LogAttrs(ctx, level, "job", attrs...)
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

// finish writes down the end of a run, if the lease is still ours. If it can't be
// written the job runs again: that is what at least once means.
func (q *Queue) finish(ctx context.Context, r row, err error, cut bool) (outcome string, level slog.Level, werr error) {
	postponed, isLater := errors.AsType[later](err)
	pause, last := pauseAfter(r.Attempts), r.Attempts >= maxAttempts
	if f, ok := errors.AsType[failed](err); ok {
		if last = r.Attempts > len(f.schedule); !last {
			pause = f.schedule[r.Attempts-1]
		}
	}
	switch {
	case err == nil:
		q.done.Add(1)
		werr = q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model((*row)(nil)).
				Where("kind = ?", r.Kind).Where("? = ?", bun.Ident("key"), r.Key).Where("lease = ?", r.Lease).Exec(ctx)
			return err
		})
		outcome, level = "done", slog.LevelInfo
	case isLater, cut:
		q.postponed.Add(1)
		at := postponed.at
		if cut {
			at = q.now()
		}
		werr = q.put(ctx, r, waiting, at, r.Attempts-1, "")
		outcome, level = "postponed", slog.LevelInfo
	case last:
		q.died.Add(1)
		werr = q.put(ctx, r, dead, q.now(), r.Attempts, err.Error())
		outcome, level = "dead", slog.LevelError
	default:
		q.failed.Add(1)
		werr = q.put(ctx, r, waiting, q.now().Add(pause), r.Attempts, err.Error())
		outcome, level = "failed", slog.LevelWarn
	}
	if werr != nil {
		level = slog.LevelError
		werr = fmt.Errorf("write down the end of the run: %w", werr)
	}
	return outcome, level, werr
}

// maxError is how much of an error's text is kept.
const maxError = 1000

func (q *Queue) put(ctx context.Context, r row, state string, due time.Time, attempts int, text string) error {
	if len(text) > maxError {
		text = text[:maxError]
	}
	return q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*row)(nil)).
			Set("state = ?", state).Set("due_at = ?", database.At(due)).Set("attempts = ?", attempts).
			Set("last_error = ?", []byte(text)).Set("lease = NULL").
			Where("kind = ?", r.Kind).Where("? = ?", bun.Ident("key"), r.Key).Where("lease = ?", r.Lease).Exec(ctx)
		return err
	})
}

// pauseAfter is the pause after the nth failure: between half and all of what grows by
// doubling, so that what failed together doesn't come back together.
func pauseAfter(n int) time.Duration {
	d := lastPause
	if n < 20 { // beyond that it would overflow some day
		d = min(firstPause<<(n-1), lastPause)
	}
	return d/2 + mathrand.N(d/2)
}
