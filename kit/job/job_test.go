package job_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
)

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMicro(c.at.Load()) }
func (c *clock) forward(d time.Duration) { c.at.Add(d.Microseconds()) }

var quiet = slog.New(slog.DiscardHandler)

func each(t *testing.T, fn func(t *testing.T, db *database.DB, q *job.Queue, c *clock)) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		c := &clock{}
		c.at.Store(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro())
		fn(t, db, job.New(db, c.now), c)
	}, job.Migrate)
}

func add(t *testing.T, db *database.DB, q *job.Queue, jobs ...job.Job) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return q.Add(ctx, tx, jobs...) })
	if err != nil {
		t.Fatal(err)
	}
	q.Wake()
}

// drain runs what is due with one handler for the kind "k".
func drain(t *testing.T, q *job.Queue, h job.Handler) int {
	t.Helper()
	n, err := q.Drain(t.Context(), quiet, map[string]job.Handler{"k": h})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// outcomes is the number of runs by how they ended.
func outcomes(q *job.Queue) string {
	var all []any
	for _, o := range job.Outcomes {
		all = append(all, o, q.Runs(o))
	}
	return fmt.Sprint(all)
}

func TestJobRunsWhenItIsDue(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q,
			job.Job{Kind: "k", Key: "now", Payload: []byte{0, 0xff}},
			job.Job{Kind: "k", Key: "soon", At: c.now().Add(time.Minute)},
			job.Job{Kind: "of a newer release", Key: "x"})
		var got []string
		h := func(_ context.Context, j job.Job) error {
			got = append(got, fmt.Sprintf("%s %x %d", j.Key, j.Payload, j.Attempt))
			return nil
		}
		drain(t, q, h)
		c.forward(time.Minute)
		drain(t, q, h)
		c.forward(time.Hour)
		drain(t, q, h)
		if want := "[now 00ff 1 soon  1]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
		size, err := q.Size(t.Context())
		if want := (job.Size{Waiting: 1, Overdue: 1}); err != nil || size != want {
			t.Errorf("got %+v, %v, want %+v: the one without a handler", size, err, want)
		}
	})
}

// asked is what a database was asked to give back of rows that it wrote.
type asked struct{ statements []string }

func (a *asked) BeforeQuery(ctx context.Context, q *bun.QueryEvent) context.Context {
	if strings.Contains(q.Query, " RETURNING ") {
		a.statements = append(a.statements, q.Query)
	}
	return ctx
}

func (a *asked) AfterQuery(context.Context, *bun.QueryEvent) {}

// Jobs that go back to wait are written, and nothing of them is read.
func TestWhatIsPutBackIsNotReadAgain(t *testing.T) {
	db := dbtest.Open(t, dbtest.MariaDB(t), job.Migrate)
	var a asked
	db.NewSelect().DB().AddQueryHook(&a)
	q := job.New(db, time.Now)
	add(t, db, q, job.Job{Kind: "k", Key: "a"})
	drain(t, q, func(context.Context, job.Job) error { return errors.New("broken") })
	if q.Runs("failed") != 1 || len(a.statements) > 0 {
		t.Errorf("runs %s; asked %q", outcomes(q), a.statements)
	}
}

func TestJobIsAddedWithItsTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, _ *clock) {
		broken := errors.New("broken")
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			return errors.Join(q.Add(ctx, tx, job.Job{Kind: "k", Key: "a"}), broken)
		})
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
		runs := drain(t, q, func(context.Context, job.Job) error { return nil })
		if runs != 0 {
			t.Errorf("%d runs of what was rolled back", runs)
		}

		add(t, db, q, job.Job{Kind: "k", Key: "a", Payload: []byte("first")})
		add(t, db, q, job.Job{Kind: "k", Key: "a", Payload: []byte("second")})
		add(t, db, q, job.Job{Kind: "k", Key: "b"})
		err = db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return q.Remove(ctx, tx, "k", "b") })
		if err != nil {
			t.Fatal(err)
		}
		runs = drain(t, q, func(_ context.Context, j job.Job) error {
			if string(j.Payload) != "first" {
				t.Errorf("ran %q, want the one that was there", j.Payload)
			}
			return nil
		})
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
	})
}

func TestFailureIsTriedAgainAndThenGivenUp(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		fail := func(_ context.Context, j job.Job) error {
			if j.Attempt%2 == 0 {
				panic("a defect")
			}
			return errors.New("broken")
		}
		runs := 0
		for range 200 {
			runs += drain(t, q, fail)
			if again := drain(t, q, fail); again != 0 {
				t.Fatal("tried again without a pause")
			}
			c.forward(15 * time.Minute)
		}
		list, err := q.List(t.Context(), job.Dead)
		if err != nil || runs != 100 || len(list) != 1 || list[0].Key != "a" || list[0].LastError == "" {
			t.Fatalf("%d runs, dead %+v, %v, want one dead after 100", runs, list, err)
		}
		if got := outcomes(q); got != "[done 0 postponed 0 failed 99 dead 1]" {
			t.Errorf("runs: %s", got)
		}

		if found, err := q.Revive(t.Context(), "k", "a"); err != nil || !found {
			t.Errorf("revive: %v, %v", found, err)
		}
		if n := drain(t, q, func(context.Context, job.Job) error { return nil }); n != 1 {
			t.Errorf("%d runs after it was revived, want 1", n)
		}
		if found, err := q.Revive(t.Context(), "k", "a"); err != nil || found {
			t.Errorf("revive what is done: %v, %v", found, err)
		}

		never := job.Schedule{}
		add(t, db, q, job.Job{Kind: "k", Key: "b"}, job.Job{Kind: "k", Key: "c"})
		drain(t, q, func(context.Context, job.Job) error { return never.Failed(errors.New("broken")) })
		if n, err := q.ReviveAll(t.Context()); err != nil || n != 2 {
			t.Errorf("revived %d, %v, want 2", n, err)
		}
		if n := drain(t, q, func(context.Context, job.Job) error { return nil }); n != 2 {
			t.Errorf("%d runs after all were revived, want 2", n)
		}
	})
}

func TestFailureIsTriedAgainByItsSchedule(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		pauses := job.Schedule{0, 5 * time.Second, 5 * time.Minute}
		broken := errors.New("broken")
		began := c.now()
		var tries []time.Duration
		fail := func(context.Context, job.Job) error {
			tries = append(tries, c.now().Sub(began))
			return fmt.Errorf("send: %w", pauses.Failed(broken))
		}
		for range 400 {
			drain(t, q, fail)
			c.forward(time.Second)
		}
		if got, want := fmt.Sprint(tries), "[0s 0s 5s 5m5s]"; got != want {
			t.Errorf("tried at %s, want %s", got, want)
		}
		list, err := q.List(t.Context(), job.Dead)
		if err != nil || len(list) != 1 || list[0].LastError != "send: broken" {
			t.Errorf("dead %+v, %v", list, err)
		}
	})
}

func TestLaterIsNoFailure(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		end := c.now().Add(300 * time.Minute)
		runs := 0
		for range 310 {
			runs += drain(t, q, func(_ context.Context, j job.Job) error {
				if j.Attempt != 1 {
					t.Errorf("attempt %d, want 1", j.Attempt)
				}
				if c.now().Before(end) {
					return fmt.Errorf("not yet: %w", job.Later(c.now().Add(time.Minute)))
				}
				return nil
			})
			c.forward(time.Minute)
		}
		if got := outcomes(q); got != "[done 1 postponed 300 failed 0 dead 0]" || runs != 301 {
			t.Errorf("%d runs: %s", runs, got)
		}
	})
}

// What a job has to remember is there in its next runs, until it is something else.
func TestAJobRemembers(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "1", Payload: []byte("a"), At: c.now()})
		for _, run := range []struct {
			remembers string
			end       func(again time.Time) error
		}{
			{"a", job.Later},
			{"a", func(again time.Time) error { return errors.Join(errors.New("away"), job.LaterWith(again, []byte("b"))) }},
			{"b", func(time.Time) error { return errors.New("failed") }},
			{"b", job.Later},
			{"b", func(time.Time) error { return nil }},
		} {
			c.forward(time.Minute)
			ran := false
			drain(t, q, func(_ context.Context, j job.Job) error {
				if ran = true; string(j.Payload) != run.remembers {
					t.Errorf("it remembers %q, want %q", j.Payload, run.remembers)
				}
				return run.end(c.now().Add(time.Minute))
			})
			if !ran {
				t.Fatal("it did not run")
			}
		}
	})
}

// Several replicas, each with its own pool of workers, run each job once.
func TestReplicasShareTheWork(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, _ *job.Queue, c *clock) {
		const jobs = 100
		var mu sync.Mutex
		runs := map[string]int{}
		all := make(chan struct{})
		h := func(_ context.Context, j job.Job) error {
			mu.Lock()
			defer mu.Unlock()
			runs[j.Key]++
			if len(runs) == jobs {
				close(all)
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var replicas sync.WaitGroup
		var first *job.Queue
		for range 3 {
			q := job.New(db, c.now)
			first = q
			replicas.Go(func() {
				if err := q.Run(ctx, quiet, map[string]job.Handler{"k": h}); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range jobs {
			add(t, db, first, job.Job{Kind: "k", Key: fmt.Sprint(i)})
		}
		<-all
		cancel()
		replicas.Wait()
		for key, n := range runs {
			if n != 1 {
				t.Errorf("job %s ran %d times, want once", key, n)
			}
		}
		if n, err := db.NewSelect().Table("jobs").Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d jobs left, %v", n, err)
		}
	})
}

// A handler's time ends a good while before the lease, however long claiming took.
func TestAHandlerEndsBeforeItsLease(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		var leased time.Time // by the clock of the handler's context
		q := job.New(db, func() time.Time {
			leased = time.Now()
			return leased
		})
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		runs := drain(t, q, func(ctx context.Context, _ job.Job) error {
			end, _ := ctx.Deadline()
			if most := leased.Add(45 * time.Second); end.After(most) {
				t.Errorf("the handler's time ends %v too late", end.Sub(most))
			}
			return nil
		})
		if runs != 1 {
			t.Errorf("%d runs, want 1", runs)
		}
	}, job.Migrate)
}

// However many jobs of one kind wait for somebody slow, those of other kinds run.
func TestASlowKindLeavesRoomForOthers(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		for i := range 40 {
			add(t, db, q, job.Job{Kind: "slow", Key: fmt.Sprint(i), At: c.now().Add(-time.Minute)})
		}
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		done, release := false, make(chan struct{})
		err := q.Run(ctx, quiet, map[string]job.Handler{
			"slow": func(ctx context.Context, _ job.Job) error {
				select {
				case <-release:
				case <-ctx.Done():
				}
				return nil
			},
			"k": func(context.Context, job.Job) error {
				done = true
				cancel() // Run takes no more
				close(release)
				return nil
			},
		})
		if err != nil || !done {
			t.Errorf("done %v, %v", done, err)
		}
		if n := q.Runs("done"); n != 9 {
			t.Errorf("%d runs, want half of the workers on what is slow, and one", n)
		}
	})
}

// A process that dies leaves its job to others, when the lease is over.
func TestJobOfADeadProcessIsRunByAnother(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		other := job.New(db, c.now)
		drain(t, q, func(context.Context, job.Job) error {
			if n := drain(t, other, func(context.Context, job.Job) error { return nil }); n != 0 {
				t.Error("run twice at once")
			}
			c.forward(time.Minute) // the lease is over: we count as dead
			if n := drain(t, other, func(context.Context, job.Job) error { return job.Later(c.now().Add(time.Hour)) }); n != 1 {
				t.Errorf("%d runs by the other, want 1", n)
			}
			return nil // too late to say so: the job is the other's now
		})
		c.forward(time.Hour)
		if n := drain(t, other, func(context.Context, job.Job) error { return nil }); n != 1 {
			t.Error("the late one ended a job that wasn't its own any more")
		}
	})
}

// Of jobs that end together, those that another process has taken meanwhile stay as that one
// left them, however they ended here.
func TestLateEndsAmongOthers(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began, release := make(chan struct{}, 2), make(chan struct{})
		slow := func(_ context.Context, j job.Job) error {
			began <- struct{}{}
			<-release
			if strings.HasSuffix(j.Key, "fails") {
				return errors.New("broken")
			}
			return nil
		}
		var running sync.WaitGroup
		running.Go(func() {
			if err := q.Run(ctx, quiet, map[string]job.Handler{"k": slow}); err != nil {
				t.Error(err)
			}
		})
		add(t, db, q, job.Job{Kind: "k", Key: "late, done"}, job.Job{Kind: "k", Key: "late, fails"})
		<-began
		<-began
		c.forward(30 * time.Second)
		add(t, db, q, job.Job{Kind: "k", Key: "done"}, job.Job{Kind: "k", Key: "fails"})
		<-began
		<-began
		cancel() // it takes no more
		c.forward(30 * time.Second)
		n := drain(t, job.New(db, c.now), func(context.Context, job.Job) error { return job.Later(c.now().Add(time.Hour)) })
		if n != 2 {
			t.Errorf("%d leases were over, want 2", n)
		}
		close(release)
		running.Wait()

		list, err := q.List(t.Context(), job.Waiting)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range list {
			got = append(got, fmt.Sprintf("%s after %d %s", e.Key, e.Attempt, e.LastError))
		}
		if want := "[fails after 1 broken late, done after 1  late, fails after 1 ]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// Run returns when the running jobs have ended, and what it was told to stop is kept.
func TestRunEndsCleanly(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, _ *clock) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		add(t, db, q, job.Job{Kind: "k", Key: "a"})
		ended := false
		err := q.Run(ctx, quiet, map[string]job.Handler{"k": func(hctx context.Context, _ job.Job) error {
			cancel()
			if hctx.Err() != nil {
				t.Error("cut short at once")
			}
			ended = true
			return nil
		}})
		if err != nil || !ended {
			t.Errorf("ended %v, %v", ended, err)
		}
		if got := outcomes(q); got != "[done 1 postponed 0 failed 0 dead 0]" {
			t.Errorf("runs: %s", got)
		}
	})
}

func TestSchemasAreTheSame(t *testing.T) { dbtest.Parity(t, job.Migrate) }

// What is awaited will be run before long: it is overdue, runs now, or was put off for a while.
func TestAwaited(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB, q *job.Queue, c *clock) {
		add(t, db, q, job.Job{Kind: "k", Key: "dead"})
		drain(t, q, func(context.Context, job.Job) error { return job.Schedule{}.Failed(errors.New("x")) })
		now := c.now()
		add(t, db, q,
			job.Job{Kind: "k", Key: "running", At: now.Add(-2 * time.Hour)},
			job.Job{Kind: "k", Key: "overdue", At: now.Add(-time.Hour)},
			job.Job{Kind: "k", Key: "later", At: now.Add(time.Hour)},
			job.Job{Kind: "k", Key: "next year", At: now.AddDate(1, 0, 0)},
			job.Job{Kind: "other", Key: "of another kind"})
		drain(t, q, func(ctx context.Context, j job.Job) error {
			if j.Key != "running" {
				return nil
			}
			return db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
				got, err := q.Awaited(ctx, tx, "k", []string{"dead", "running", "overdue", "later", "next year", "of another kind", "none"})
				if want := map[string]bool{"running": true, "overdue": true, "later": true}; !maps.Equal(got, want) {
					t.Errorf("awaited are %v, want %v", got, want)
				}
				return err
			})
		})
	})
}
