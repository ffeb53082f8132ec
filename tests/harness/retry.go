package harness

import (
	"context"
	"testing"
	"time"
)

// pause is how long Retry waits between two looks.
const pause = 15 * time.Millisecond

// Retry asks again and again until look finds what it looks for, and gives the last
// reason why not when that takes longer than within. It is how the tests wait for something
// to happen.
func Retry(ctx context.Context, within time.Duration, look func() error) error {
	end := time.NewTimer(within)
	defer end.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-end.C:
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// Eventually fails the test when look doesn't find within that time what it looks for.
func Eventually(t testing.TB, within time.Duration, look func() error) {
	t.Helper()
	if err := Retry(context.Background(), within, look); err != nil {
		t.Fatalf("after %s: %v", within, err)
	}
}
