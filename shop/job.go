package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/job"
)

const (
	settleFirst = 2 * time.Second // after an order is placed
)

func (s *Service) schedule(ctx context.Context, tx bun.Tx, o Order) error {
	if err := s.jobs.Add(ctx, tx, job.Job{Kind: "x", Key: string(o.ID), At: o.DeadlineAt.Time}); err != nil {
		return fmt.Errorf("schedule order %s: %w", o.ID, err)
	}
	return nil
}
