package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
)

// finish writes down how runs ended, the first and all that have ended by now, and gives
// them. What can't be written down runs again: that is what at least once means.
func (q *Queue) finish(ctx context.Context, log *slog.Logger, first run, more <-chan run) []run {
	runs := []run{first}
	for range len(more) {
		runs = append(runs, <-more)
	}
	for i := range runs {
		runs[i].outcome, runs[i].next = q.judge(runs[i])
	}
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeFor)
	defer cancel()
	err := q.write(writing, runs)
	crash.Point("job.finished")
	for _, r := range runs {
		q.runs[r.outcome].Add(1)
		r.log(ctx, log, err)
	}
	return runs
}

// judge says how a run ended, and what becomes of its row.
func (q *Queue) judge(r run) (outcome string, next row) {
	if r.err == nil {
		return done, row{}
	}
	now := q.now()
	next = r.row
	if toCome, ok := errors.AsType[later](r.err); ok || r.cut {
		next.Attempts--
		next.LastError = []byte{}
		next.DueAt = database.At(toCome.at)
		if toCome.payload != nil {
			next.Payload = toCome.payload
		}
		if r.cut {
			next.DueAt = database.At(now)
		}
		return postponed, next
	}
	next.LastError = []byte(r.err.Error())
	next.LastError = next.LastError[:min(len(next.LastError), maxError)]
	pause, last := pauseAfter(r.Attempts), r.Attempts >= maxAttempts
	if s, ok := errors.AsType[scheduled](r.err); ok {
		if last = r.Attempts > len(s.schedule); !last {
			pause = s.schedule[r.Attempts-1]
		}
	}
	if last {
		next.State, next.DueAt = Dead, database.At(now)
		return died, next
	}
	next.DueAt = database.At(now.Add(pause))
	return failed, next
}

// maxError is how much of an error's text is kept.
const maxError = 1000

// write removes the rows of jobs that are done and puts back the others, as far as their
// leases are still those of the runs.
func (q *Queue) write(ctx context.Context, runs []run) error {
	var gone, back []row
	for _, r := range runs {
		if r.outcome == done {
			gone = append(gone, r.row)
		} else {
			back = append(back, r.next)
		}
	}
	return q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if len(gone) > 0 {
			if _, err := tx.NewDelete().Model((*row)(nil)).ApplyQueryBuilder(asRead(gone)).Exec(ctx); err != nil {
				return err
			}
		}
		if len(back) == 0 {
			return nil
		}
		return putBack(ctx, tx, back)
	})
}

// putBack writes rows of which the database may have lost some to others, who ran the job
// when its lease was over: those stay as they are.
func putBack(ctx context.Context, tx bun.Tx, rows []row) error {
	var ours []row
	err := database.ForUpdate(tx.NewSelect().Model(&ours).Column("kind", "key", "lease").ApplyQueryBuilder(asRead(rows))).
		Order("kind", "key").Scan(ctx)
	if err != nil {
		return err
	}
	type lease struct{ kind, key, token string }
	held := map[lease]bool{}
	for _, r := range ours {
		held[lease{r.Kind, r.Key, r.Lease}] = true
	}
	var back []row
	for _, r := range rows {
		if held[lease{r.Kind, r.Key, r.Lease}] {
			r.Lease = ""
			back = append(back, r)
		}
	}
	if len(back) == 0 {
		return nil
	}
	_, err = database.Upsert(database.Insert(tx, &back), []string{"kind", "key"}, "payload", "state", "due_at", "lease", "attempts", "last_error").Exec(ctx)
	return err
}

// log writes the run's line; written is why its end could not be written down.
func (r run) log(ctx context.Context, log *slog.Logger, written error) {
	level := slog.LevelInfo
	switch r.outcome {
	case failed:
		level = slog.LevelWarn
	case died:
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("kind", r.Kind), slog.String("key", r.Key), slog.Int("attempt", r.Attempts),
		slog.String("outcome", r.outcome), slog.Duration("took", r.took),
	}
	if written != nil {
		level = slog.LevelError
		written = fmt.Errorf("write down the end of the run: %w", written)
	}
	if err := errors.Join(r.err, written); err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	log.LogAttrs(ctx, level, "job", attrs...)
}

// pauseAfter is the pause after the nth failure: between half and all of what grows by
// doubling, so that what failed together doesn't come back together.
func pauseAfter(n int) time.Duration {
	d := lastPause
	if n < 20 { // beyond that it would overflow some day
		d = min(firstPause<<(n-1), lastPause)
	}
	return d/2 + rand.N(d/2)
}
