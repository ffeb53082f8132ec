// Package bench_test measures what an operator waits for and pays for: the start on an
// empty data directory until the first page, and the memory of a market with nothing to do.
//
//	go test ./tests/bench -run - -bench . -benchtime 10x
package bench_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// BenchmarkStart starts a market of one process, loads its first page, and reads its
// resident memory then and once that has stopped changing.
func BenchmarkStart(b *testing.B) {
	var first, idle float64
	for b.Loop() {
		m := harness.Start(b, harness.Config{})
		load(b, m.Shop+"/")
		b.StopTimer()
		first += resident(b, m.Process("shop").PID())
		idle += settled(b, m.Process("shop").PID())
		m.Stop(b, "shop")
		b.StartTimer()
	}
	b.ReportMetric(first/float64(b.N), "MB-first-page")
	b.ReportMetric(idle/float64(b.N), "MB-idle")
}

func load(b *testing.B, address string) {
	res, err := http.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b.Fatalf("%s answered %s", address, res.Status)
	}
}

// settled is the resident memory once it has been the same for a while, give or take
// half a megabyte.
func settled(b *testing.B, pid int) float64 {
	last, since := 0.0, time.Now()
	harness.Eventually(b, time.Minute, func() error {
		if now := resident(b, pid); math.Abs(now-last) > 0.5 {
			last, since = now, time.Now()
		}
		if time.Since(since) < 3*time.Second {
			return fmt.Errorf("the memory is still changing, now %.1f MB", last)
		}
		return nil
	})
	return last
}

// resident is a process's resident memory in MB.
func resident(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("the memory of a process is not known here: %v", err)
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	var kB float64
	if _, err := fmt.Sscan(line, &kB); err != nil {
		b.Fatalf("read the memory of process %d: %v", pid, err)
	}
	return kB / 1024
}
