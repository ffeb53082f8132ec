package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"jishi/conf"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/ops"
)

// queue is the background work of a module, which the metrics show.
func (m *Market) queue(module string, db *database.DB, now func() time.Time) *job.Queue {
	q := job.New(db, now)
	m.metrics.Add(module, ops.Reading{
		Name: "jishi_jobs", Label: "state",
		Help: "Jobs in the module's database; those that are overdue wait as well.",
		Read: func(ctx context.Context) (map[string]float64, error) {
			n, err := q.Size(ctx)
			return map[string]float64{"waiting": float64(n.Waiting), "overdue": float64(n.Overdue), "dead": float64(n.Dead)}, err
		},
	})
	m.metrics.Add(module, ops.Reading{
		Name: "jishi_job_runs_total", Label: "outcome", Counter: true,
		Help: "Runs of jobs in this process, by how they ended.",
		Read: func(context.Context) (map[string]float64, error) {
			runs := map[string]float64{}
			for _, outcome := range job.Outcomes {
				runs[outcome] = float64(q.Runs(outcome))
			}
			return runs, nil
		},
	})
	return q
}

// Jobs prints the jobs in the databases of all modules: those that were given up and, unless
// only the dead are asked for, those that wait. Where a list is cut it says how many there are.
func Jobs(ctx context.Context, c *conf.Config, onlyDead bool, out io.Writer) error {
	states := []string{job.Dead, job.Waiting}
	if onlyDead {
		states = states[:1]
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "MODULE\tSTATE\tKIND\tKEY\tRUNS\tDUE\tLAST ERROR")
	var cut []string
	err := eachQueue(ctx, c, func(module string, q *job.Queue) error {
		size, err := q.Size(ctx)
		if err != nil {
			return err
		}
		all := map[string]int64{job.Dead: size.Dead, job.Waiting: size.Waiting}
		for _, state := range states {
			list, err := q.List(ctx, state)
			if err != nil {
				return err
			}
			if all[state] > int64(len(list)) {
				cut = append(cut, fmt.Sprintf("%s: %d of %d %s jobs are listed, the longest due", module, len(list), all[state], state))
			}
			for _, j := range list {
				because, _, _ := strings.Cut(j.LastError, "\n")
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n",
					module, state, j.Kind, j.Key, j.Attempt, j.At.UTC().Format(time.RFC3339), because)
			}
		}
		return nil
	})
	err = errors.Join(err, table.Flush())
	for _, line := range cut {
		_, _ = fmt.Fprintln(out, line)
	}
	return err
}

// RetryJob has a job that was given up tried again, in whatever module's database it is.
func RetryJob(ctx context.Context, c *conf.Config, kind, key string) error {
	revived := false
	err := eachQueue(ctx, c, func(_ string, q *job.Queue) error {
		found, err := q.Revive(ctx, kind, key)
		revived = revived || found
		return err
	})
	if err == nil && !revived {
		return fmt.Errorf("no job %s %s was given up", kind, key)
	}
	return err
}

// RetryJobs has every job that was given up tried again, and tells how many there were.
func RetryJobs(ctx context.Context, c *conf.Config) (int64, error) {
	total := int64(0)
	err := eachQueue(ctx, c, func(_ string, q *job.Queue) error {
		n, err := q.ReviveAll(ctx)
		total += n
		return err
	})
	return total, err
}

// eachQueue shows the jobs of each module to fn.
func eachQueue(ctx context.Context, c *conf.Config, fn func(module string, q *job.Queue) error) (err error) {
	m, err := existing(c, conf.Modules...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	for _, module := range conf.Modules {
		db, err := m.open(ctx, module, job.Migrate)
		if err != nil {
			return fmt.Errorf("%s: %w", module, err)
		}
		if err := fn(module, job.New(db, m.now)); err != nil {
			return fmt.Errorf("%s: %w", module, err)
		}
	}
	return nil
}
