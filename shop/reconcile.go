package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// Shop and pay are compared all the time, since each may lose what the other knows: a database
// that was put back from yesterday, a job that was given up. There are two kinds of pass, each a job
// that never ends: it goes on from order to order, many at a time, with a pause after some.
const reconcileJob = "shop.reconcile"

const (
	// differs is for how long the two may differ, since everything takes its time: longer
	// than any job pauses.
	differs = 5 * time.Minute

	comparedAtOnce = 100             // orders, and as many payments
	batchesInARun  = 10              // then the job rests
	restOfRuns     = 2 * time.Second // which bounds what a pass costs, however many orders there are
	keepFor        = 5 * time.Second // how long writing down a batch is tried; fits with a handler's time into the lease
)

// passes are the kinds of pass: how often each begins, and how far back it goes.
var passes = map[string]struct{ every, back time.Duration }{
	"recent": {5 * time.Minute, 3 * 24 * time.Hour},
	"all":    {24 * time.Hour, 100 * 365 * 24 * time.Hour},
}

// beginReconciling sees to it that a job for each kind of pass waits. One that died of a defect
// has another life.
func (s *Service) beginReconciling(ctx context.Context) error {
	var jobs []job.Job
	for name, p := range passes {
		jobs = append(jobs, job.Job{Kind: reconcileJob, Key: name, At: s.now().Add(p.every)})
	}
	slices.SortFunc(jobs, func(a, b job.Job) int { return a.At.Compare(b.At) }) // so that replicas don't wait for each other
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.jobs.Add(ctx, tx, jobs...) })
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := s.jobs.Revive(ctx, j.Kind, j.Key); err != nil {
			return err
		}
	}
	return nil
}

// reconcileLater goes on with a pass. No error gives it up: without it nobody would look.
func (s *Service) reconcileLater(log *slog.Logger) job.Handler {
	return func(ctx context.Context, j job.Job) error {
		again, err := s.reconcile(ctx, log, j.Key)
		if err != nil {
			again = s.now().Add(payPause)
		}
		return errors.Join(err, job.Later(again))
	}
}

// reconcile does a part of a pass, and tells when to go on.
func (s *Service) reconcile(ctx context.Context, log *slog.Logger, name string) (time.Time, error) {
	r := Reconciliation{Name: name}
	err := s.db.NewSelect().Model(&r).WherePK().Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, fmt.Errorf("read how far %s orders are compared: %w", name, err)
	}
	now, every := s.now(), passes[name].every
	if r.StartedAt.IsZero() || !r.underWay() {
		r.StartedAt, r.Orders = database.At(now), 0
		r.AfterID = OrderID(id.Since("ord", now.Add(-passes[name].back)))
	}
	for range batchesInARun {
		ended, err := s.compareBatch(ctx, log, &r)
		if err != nil {
			return time.Time{}, err
		}
		if ended {
			return later(now, r.StartedAt.Add(every)), nil
		}
	}
	return now.Add(restOfRuns), nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// compareBatch compares the orders that come next in a pass, mends what can be mended, and writes
// down what was found and how far the pass is. It tells whether these were all that are old enough.
// Pay is read first: whatever it has done, the shop decided before, so what is read afterwards
// knows of it.
func (s *Service) compareBatch(ctx context.Context, log *slog.Logger, r *Reconciliation) (bool, error) {
	after := r.AfterID
	upTo, ended, err := s.endOfBatch(ctx, after)
	if err != nil {
		return false, err
	}
	list, err := s.payments.Payments(ctx, payclient.OrderRange{After: string(after), UpTo: string(upTo)}, payclient.Page{Limit: comparedAtOnce})
	if err != nil {
		return false, fmt.Errorf("payments of orders after %s: %w", after, err)
	}
	if list.Next != "" { // there are more than orders: the shop has lost some
		upTo, ended = OrderID(list.Items[len(list.Items)-1].Order), false
	}
	within := func(column string, q *bun.SelectQuery) *bun.SelectQuery {
		return database.Range[OrderID]{After: after, UpTo: upTo}.Of(q, column)
	}
	all, err := s.booksOf(ctx, within)
	if err != nil {
		return false, err
	}
	if r.Orders += int64(len(all)); ended {
		r.EndedAt, r.Compared = database.At(s.now()), r.Orders
	} else {
		r.AfterID = upTo
	}
	payments := map[OrderID]payclient.Payment{}
	for _, p := range list.Items {
		order := OrderID(p.Order)
		if payments[order] = p; all[order].ID == "" {
			all[order] = books{} // pay has a payment for no order
		}
	}
	var open []Finding
	err = within("order_id", s.db.NewSelect().Model(&open)).Where("state = ?", OpenFinding).Scan(ctx)
	if err != nil {
		return false, fmt.Errorf("read open findings: %w", err)
	}
	found := s.judge(ctx, all, payments, open)
	for _, f := range found {
		level := slog.LevelError
		if f.State == Mended {
			level = slog.LevelWarn
		}
		log.LogAttrs(ctx, level, "finding", slog.String("order", string(f.OrderID)), slog.String("what", f.What),
			slog.String("state", string(f.State)), slog.String("found", f.Found))
	}
	// Mending may have taken all the time: what was found is kept, and the next run goes on behind it.
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepFor)
	defer cancel()
	err = s.db.InTx(keeping, func(ctx context.Context, tx bun.Tx) error {
		if err := keepFindings(ctx, tx, found); err != nil {
			return err
		}
		_, err := database.Upsert(tx.NewInsert().Model(r), []string{"name"}, "after_id", "orders", "started_at", "ended_at", "compared").Exec(ctx)
		return err
	})
	return ended, err
}

// endOfBatch is up to which order a batch goes, and whether none that is old enough follows. It is cut by
// orders, and by open findings too: of what they are about there may be neither an order nor a payment.
func (s *Service) endOfBatch(ctx context.Context, after OrderID) (OrderID, bool, error) {
	upTo, ended := OrderID(id.Since("ord", s.now().Add(-differs))), true
	for column, q := range map[string]*bun.SelectQuery{
		"id":       s.db.NewSelect().Model((*Order)(nil)),
		"order_id": s.db.NewSelect().Model((*Finding)(nil)).Where("state = ?", OpenFinding).Distinct(),
	} {
		var ids []OrderID
		q = database.Range[OrderID]{After: after, UpTo: upTo}.Of(q.Column(column), column)
		if err := q.Order(column).Limit(comparedAtOnce).Scan(ctx, &ids); err != nil {
			return "", false, fmt.Errorf("read orders after %s: %w", after, err)
		}
		if len(ids) == comparedAtOnce {
			upTo, ended = ids[len(ids)-1], false
		}
	}
	return upTo, ended, nil
}

// judge is what is to be written down: the differences, mended or not, and what was open and
// is not so any more. An order of which something happened a moment ago is looked at later.
func (s *Service) judge(ctx context.Context, all map[OrderID]books, payments map[OrderID]payclient.Payment, open []Finding) []Finding {
	now := s.now()
	young := func(t time.Time) bool { return now.Sub(t) < differs }
	var found []Finding
	gone := map[OrderID]map[string]Finding{} // of what was open
	for _, f := range open {
		if gone[f.OrderID] == nil {
			gone[f.OrderID] = map[string]Finding{}
		}
		gone[f.OrderID][f.What] = f
	}
	for order, b := range all {
		p := payments[order]
		if young(b.changed) || p.SettledAt != nil && young(*p.SettledAt) {
			delete(gone, order)
			continue
		}
		for _, d := range b.differences(p, now) {
			delete(gone[order], d.what)
			found = append(found, s.tryToMend(ctx, order, b, d))
		}
	}
	for _, of := range gone {
		for _, f := range of {
			f.State, f.MendedAt = Mended, database.At(now)
			found = append(found, f)
		}
	}
	return found
}

// tryToMend mends a difference where it is clear what is right, and looks whether it is gone.
func (s *Service) tryToMend(ctx context.Context, order OrderID, b books, d difference) Finding {
	now := database.At(s.now())
	f := Finding{ID: FindingID(id.New("fnd")), OrderID: order, What: d.what, Found: d.found, State: OpenFinding, Since: now, SeenAt: now}
	still, err := true, s.mend(ctx, order, b, d.what)
	if err == nil {
		still, err = s.stillSo(ctx, order, d.what)
	}
	if err != nil {
		f.Found = f.Found + ": " + err.Error()
	}
	if !still {
		f.State, f.MendedAt = Mended, now
	}
	f.Found = strings.ToValidUTF8(f.Found[:min(len(f.Found), maxFound)], "")
	return f
}

// maxFound is how many bytes of what was found are kept.
const maxFound = 1000

// mend does again what one of the two has not done or does not know of. Everything has its id,
// so what was done is done once. What pay did that the shop never decided, and money that was
// never taken, are nothing to be mended by a program.
func (s *Service) mend(ctx context.Context, order OrderID, b books, what string) error {
	switch what {
	case shopclient.FoundNotPaid:
		_, err := s.Settle(ctx, order)
		return err
	case shopclient.FoundNotCanceled:
		o, err := s.order(ctx, order) // with its lines, whose stock becomes free
		if err == nil && o.State == Pending {
			_, err = s.close(ctx, o)
		}
		return err
	case shopclient.FoundNotClosed:
		if b.ID == "" {
			return s.closeLost(ctx, order)
		}
		_, err := s.close(ctx, b.Order)
		return err
	case shopclient.FoundNotRepaid:
		if err := s.arrivedLate(ctx, order); err != nil {
			return err
		}
		return s.repayLater(ctx, job.Job{Key: string(order)})
	case shopclient.FoundRelease, shopclient.FoundRefund:
		refunds := b.refunds
		if what == shopclient.FoundRelease {
			refunds = nil
		}
		var errs []error
		for _, sh := range b.shares { // one is not in the way of another
			errs = append(errs, s.mendShare(ctx, sh, refunds))
		}
		return errors.Join(errs...)
	}
	return nil
}

// mendShare does again what was decided of one seller's share, and stops where pay doesn't: a
// refund that was granted after the release would take out of escrow what that needs.
func (s *Service) mendShare(ctx context.Context, sh Shipment, refunds []Refund) error {
	if sh.Released > 0 {
		if err := s.release(ctx, sh); err != nil {
			return err
		}
	}
	for _, r := range refunds {
		if r.ShipmentID != sh.ID {
			continue
		}
		if err := s.giveRefund(ctx, r, sh); err != nil {
			return err
		}
	}
	return nil
}

// stillSo compares one order again.
func (s *Service) stillSo(ctx context.Context, order OrderID, what string) (bool, error) {
	p, err := s.payments.PaymentOf(ctx, string(order))
	if err != nil && !errors.Is(err, payclient.ErrNoPayment) {
		return true, err
	}
	all, err := s.booksOf(ctx, func(column string, q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("? = ?", bun.Ident(column), order)
	})
	if err != nil {
		return true, err
	}
	return slices.ContainsFunc(all[order].differences(p, s.now()), func(d difference) bool { return d.what == what }), nil
}
