package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/conf"
	"jishi/kit/job"
)

// What was given up is listed, counted in the metrics, and tried again when the operator says so.
func TestJobsThatWereGivenUp(t *testing.T) {
	c := bought(t)
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for _, module := range conf.Modules {
		if _, err := m.open(t.Context(), module, job.Migrate); err != nil {
			t.Fatal(err)
		}
	}
	pay := m.stores[1].db
	q := m.queue("pay", pay, time.Now)
	err = pay.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return q.Add(ctx, tx, job.Job{Kind: "k", Key: "a"}, job.Job{Kind: "k", Key: "b"})
	})
	if err != nil {
		t.Fatal(err)
	}
	fail := func(context.Context, job.Job) error {
		return job.Schedule{}.Failed(errors.New("nobody there\nat line 7"))
	}
	kinds := map[string]job.Handler{"k": fail}
	if n, err := q.Drain(t.Context(), m.log, kinds); n != 2 || err != nil {
		t.Fatalf("%d runs, %v", n, err)
	}

	rec := httptest.NewRecorder()
	m.metrics.Private(nil).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`jishi_jobs{module="pay",state="dead"} 2`, `jishi_job_runs_total{module="pay",outcome="dead"} 2`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	var out bytes.Buffer
	if err := Jobs(t.Context(), c, true, &out); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(strings.Fields(strings.Split(out.String(), "\n")[1])); !strings.HasPrefix(got, "[pay dead k a 1 ") || !strings.HasSuffix(got, "nobody there]") {
		t.Errorf("listed: %s", &out)
	}
	if strings.Contains(out.String(), "are listed") {
		t.Errorf("nothing is cut, but it says: %s", &out)
	}
	if err := RetryJob(t.Context(), c, "k", "c"); err == nil {
		t.Error("a job that isn't there is tried again")
	}
	if err := RetryJob(t.Context(), c, "k", "a"); err != nil {
		t.Error(err)
	}
	if n, err := RetryJobs(t.Context(), c); n != 1 || err != nil {
		t.Errorf("%d others are tried again, %v, want 1", n, err)
	}
	if n, err := q.Drain(t.Context(), m.log, kinds); n != 2 || err != nil {
		t.Errorf("%d runs, %v, want 2", n, err)
	}
}

// A list that is cut says how many there are.
func TestManyJobs(t *testing.T) {
	c := bought(t)
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if err := Migrate(t.Context(), c, conf.Modules, m.log); err != nil {
		t.Fatal(err)
	}
	db, err := m.open(t.Context(), "shop", job.Migrate)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]job.Job, 150)
	for i := range many {
		many[i] = job.Job{Kind: "k", Key: fmt.Sprint(i)}
	}
	q := job.New(db, time.Now)
	if err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { return q.Add(ctx, tx, many...) }); err != nil {
		t.Fatal(err)
	}
	n, err := q.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Jobs(t.Context(), c, false, &out); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("shop: 100 of %d waiting jobs are listed", n.Waiting); !strings.Contains(out.String(), want) {
		t.Errorf("it lacks %q: %s", want, &out)
	}
}
