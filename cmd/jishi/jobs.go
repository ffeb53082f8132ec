package main

import (
	"context"
	"errors"
	"fmt"

	"jishi/app"
	"jishi/conf"
)

type jobsCmd struct {
	List  jobsListCmd  `cmd:"" default:"withargs" help:"List background work; the same as jobs alone."`
	Retry jobsRetryCmd `cmd:"" help:"Have jobs that were given up tried again."`
}

type jobsListCmd struct {
	Dead bool `help:"Only what was given up."`
}

// Run prints a table.
func (l *jobsListCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	return app.Jobs(ctx, c, l.Dead, term.out)
}

type jobsRetryCmd struct {
	Kind string `arg:"" optional:"" help:"Its kind, as listed."`
	Key  string `arg:"" optional:"" help:"Its key, as listed."`
	All  bool   `help:"All that were given up, of every kind."`
}

// Run has one or all tried again, and says how many.
func (r *jobsRetryCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	if r.All && r.Kind != "" || !r.All && r.Key == "" {
		return errors.New("jobs retry: want a KIND and a KEY, or --all")
	}
	n, err := int64(1), error(nil)
	if r.All {
		n, err = app.RetryJobs(ctx, c)
	} else {
		err = app.RetryJob(ctx, c, r.Kind, r.Key)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(term.out, "tried again: %d\n", n)
	return err
}
