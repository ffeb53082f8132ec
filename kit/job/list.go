package job

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Entry is a job as an operator sees it.
type Entry struct {
	Job              // with the number of its runs so far
	LastError string // of the last run that failed
}

// listMost is how many jobs a list has at most.
const listMost = 100

// List gives the jobs in a state, the longest due first; at most a hundred.
func (q *Queue) List(ctx context.Context, state string) ([]Entry, error) {
	var rows []row
	err := q.db.NewSelect().Model(&rows).Where("state = ?", state).Order("due_at", "kind", "key").Limit(listMost).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list %s jobs: %w", state, err)
	}
	list := make([]Entry, len(rows))
	for i, r := range rows {
		list[i] = Entry{Job: r.job(), LastError: string(r.LastError)}
	}
	return list, nil
}

func (r row) job() Job {
	return Job{Kind: r.Kind, Key: r.Key, Payload: r.Payload, At: r.DueAt.Time, Attempt: r.Attempts}
}

// Revive has a dead job tried again from the beginning. It is false when there is none.
func (q *Queue) Revive(ctx context.Context, kind, key string) (bool, error) {
	n, err := q.revive(ctx, func(u *bun.UpdateQuery) *bun.UpdateQuery {
		return u.Where("kind = ?", kind).Where("? = ?", bun.Ident("key"), key)
	})
	if err != nil {
		return false, fmt.Errorf("revive job %s %s: %w", kind, key, err)
	}
	return n > 0, nil
}

// ReviveAll has every dead job tried again from the beginning, and tells how many there
// were.
func (q *Queue) ReviveAll(ctx context.Context) (int64, error) {
	n, err := q.revive(ctx, func(u *bun.UpdateQuery) *bun.UpdateQuery { return u })
	if err != nil {
		return 0, fmt.Errorf("revive dead jobs: %w", err)
	}
	return n, nil
}

func (q *Queue) revive(ctx context.Context, which func(*bun.UpdateQuery) *bun.UpdateQuery) (n int64, err error) {
	err = q.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		res, err := which(tx.NewUpdate().Model((*row)(nil)).
			Set("state = ?", Waiting).Set("attempts = 0").Set("due_at = ?", database.At(q.now())).
			Where("state = ?", Dead)).Exec(ctx)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	q.Wake()
	return n, err
}

// Size is how many jobs there are.
type Size struct {
	Waiting int64
	Overdue int64 // of those: due for a minute and not running; no worker runs, or they can't keep up
	Dead    int64
}

// overdueAfter is how late a job is that counts as overdue.
const overdueAfter = time.Minute

// Size counts the jobs of all replicas.
func (q *Queue) Size(ctx context.Context) (Size, error) {
	var s Size
	late := database.At(q.now().Add(-overdueAfter))
	err := q.db.NewSelect().Model((*row)(nil)).
		ColumnExpr("COALESCE(SUM(CASE WHEN state = ? THEN 1 ELSE 0 END), 0) AS waiting", Waiting).
		ColumnExpr("COALESCE(SUM(CASE WHEN state = ? AND due_at <= ? THEN 1 ELSE 0 END), 0) AS overdue", Waiting, late).
		ColumnExpr("COALESCE(SUM(CASE WHEN state = ? THEN 1 ELSE 0 END), 0) AS dead", Dead).
		Scan(ctx, &s)
	if err != nil {
		return Size{}, fmt.Errorf("count jobs: %w", err)
	}
	return s, nil
}

// awaitedFor is how far ahead a job is due that was put off or is leased: less than this.
const awaitedFor = 2 * time.Hour

// Awaited tells which of these jobs of a kind are due, run, or were put off for a while, as tx sees
// them: they will be done some time, also where nobody works. One that is due much later isn't among
// them, since it doesn't do what waits for it now.
func (q *Queue) Awaited(ctx context.Context, tx bun.Tx, kind string, keys []string) (map[string]bool, error) {
	waiting := map[string]bool{}
	if kind == "" || len(keys) == 0 {
		return waiting, nil
	}
	var found []string
	err := tx.NewSelect().Model((*row)(nil)).Column("key").
		Where("kind = ?", kind).Where("? IN (?)", bun.Ident("key"), bun.In(keys)).
		Where("state = ?", Waiting).Where("due_at < ?", database.At(q.now().Add(awaitedFor))).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("find waiting jobs %s: %w", kind, err)
	}
	for _, key := range found {
		waiting[key] = true
	}
	return waiting, nil
}

// Outcomes are the ways a run can end.
var Outcomes = []string{done, postponed, failed, died}

const (
	done      = "done"
	postponed = "postponed"
	failed    = "failed" // and is tried again
	died      = "dead"
)

// Runs counts those of this process since it began that ended so, one of [Outcomes].
func (q *Queue) Runs(outcome string) int64 { return q.runs[outcome].Load() }
