package shop

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"jishi/kit/fault"
	"jishi/kit/job"
)

// Every order has a job from the moment it is written, so that it comes to its end whoever
// is still listening: it looks soon and then ever less often whether the money was taken,
// ends the order if pay was never asked for it, and at the deadline if it is not paid. What
// ends an order takes its job away.
const (
	settleJob = "shop.settle"

	settleFirst = 2 * time.Second  // after an order is placed, and the shortest pause
	settleMost  = 2 * time.Minute  // the longest pause
	unaskedLife = 15 * time.Second // of an order that pay knows nothing of: longer than a call to pay can take
	beginPause  = time.Second      // until a database is asked again that was away at the start
	awayPause   = 20 * time.Second // until pay is asked again when it was away at the deadline

	payWasAway = "pay was away" // in the job's payload
)

// settling is the job of a new order.
func settling(o Order) job.Job {
	return job.Job{Kind: settleJob, Key: string(o.ID), At: o.CreatedAt.Add(settleFirst)}
}

// Run does the shop's background work until ctx ends.
func (s *Service) Run(ctx context.Context, log *slog.Logger) error {
	for err := s.beginReconciling(ctx); err != nil; err = s.beginReconciling(ctx) {
		if ctx.Err() == nil {
			log.ErrorContext(ctx, "reconciliation can't begin", slog.Any("err", err))
		}
		select { // no job can be claimed either as long as nothing can be written
		case <-ctx.Done():
			return nil
		case <-time.After(beginPause):
		}
	}
	return s.jobs.Run(ctx, log, s.handlers(log))
}

// CatchUp does the background work that is due now.
func (s *Service) CatchUp(ctx context.Context, log *slog.Logger) error {
	_, err := s.jobs.Drain(ctx, log, s.handlers(log))
	return err
}

func (s *Service) handlers(log *slog.Logger) map[string]job.Handler {
	return map[string]job.Handler{
		settleJob: s.settleLater, unusedUpload: s.deleteUnused,
		confirmJob: s.confirmLater, releaseJob: s.releaseLater, answerJob: s.answerLater, refundJob: s.refundLater, lateJob: s.repayLater,
		reconcileJob: s.reconcileLater(log),
	}
}

// settleLater asks pay again after as long as the order has waited already. An order that
// pay was not asked for is that of a buyer who left, or of a process that died: it is closed
// like one that is too late, so that its goods are free within seconds. If pay was away, its
// buyer was told that the order stands, and may pay it until its deadline: the job remembers
// that. How often it ran says nothing, since the process or the database may have failed it.
func (s *Service) settleLater(ctx context.Context, j job.Job) error {
	o, asked, err := s.settle(ctx, OrderID(j.Key))
	if o.State != Pending {
		return err
	}
	now := s.now()
	if !now.Before(o.DeadlineAt.Time) {
		return s.closeLate(ctx, o)
	}
	if !asked && string(j.Payload) != payWasAway && now.Sub(o.CreatedAt.Time) >= unaskedLife {
		_, err := s.close(ctx, o)
		return err
	}
	again := now.Add(min(max(now.Sub(o.CreatedAt.Time), settleFirst), settleMost, o.DeadlineAt.Sub(now)))
	if err != nil {
		return errors.Join(err, job.LaterWith(again, []byte(payWasAway)))
	}
	return job.Later(again)
}

// closeLate closes the payment of an order whose time is over. Where pay is away nothing is
// guessed: the stock stays held, and pay is asked again for as long as it takes.
func (s *Service) closeLate(ctx context.Context, o Order) error {
	_, err := s.close(ctx, o)
	if f := fault.Of(err); f != nil && (f.Kind == fault.Busy || f.Kind == fault.Unknown) {
		return errors.Join(err, job.Later(s.now().Add(awayPause)))
	}
	return err
}
