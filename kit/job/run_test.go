package job

import (
	"context"
	"testing"
	"time"
)

// A job that was claimed so slowly that no time is left is put back without a run.
func TestNoTimeIsLeftToRun(t *testing.T) {
	q := New(nil, nil)
	r := q.run(t.Context(), func(context.Context, Job) error {
		t.Error("it ran")
		return nil
	}, row{Attempts: 3, claimed: time.Now().Add(-runFor)})
	if outcome, next := q.judge(r); outcome != postponed || next.Attempts != 2 {
		t.Errorf("%s, and %d attempts count; want %s and 2", outcome, next.Attempts, postponed)
	}
}
