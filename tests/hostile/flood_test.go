package hostile_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// flood sends 2,000 logins from one address, as fast as it can, for many names. It is
// turned away with 429 and told when to come again; somebody else logs in meanwhile,
// and the process doesn't grow.
func (h *house) flood(t *testing.T) {
	const requests, atOnce = 2000, 200
	f := newBrowser(t, h.Shop).get(t, "/auth/login").form(t, "/auth/login")
	bodies := make([]string, requests)
	for i := range bodies {
		bodies[i] = f.with("identifier", fmt.Sprintf("user%d@example.com", i), "password", "not the password").fields.Encode()
	}
	before := resident(t, h.Process("auth").PID())
	var limited, wrong, busy, odd atomic.Int64
	var next atomic.Int64
	var wait sync.WaitGroup
	defer wait.Wait() // also where the test ends in between
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}}
	for range atOnce {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < requests; i = next.Add(1) - 1 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Shop+"/auth/login", strings.NewReader(bodies[i]))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("Sec-Fetch-Site", "same-origin")
				req.Header.Set("X-Forwarded-For", "203.0.113.66")
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				later := res.Header.Get("Retry-After") != ""
				switch {
				case res.StatusCode == http.StatusTooManyRequests && later:
					limited.Add(1)
				case res.StatusCode == http.StatusUnauthorized:
					wrong.Add(1)
				case res.StatusCode == http.StatusServiceUnavailable && later: // on a slow machine, after waiting for a hash
					busy.Add(1)
				default:
					odd.Add(1)
				}
			}
		})
	}
	other := h.loggedInFrom(t, buyerName, "198.51.100.7") // while it goes on
	wait.Wait()
	if p := other.get(t, "/home"); p.status != http.StatusOK {
		t.Errorf("somebody else: got %d", p.status)
	}
	grown := resident(t, h.Process("auth").PID()) - before
	t.Logf("%d of %d turned away, %d looked at, %d had to wait for too long; %d MiB more", limited.Load(), requests, wrong.Load(), busy.Load(), grown>>20)
	if odd.Load() > 0 {
		t.Errorf("%d had another answer than 401, or 429 or 503 with Retry-After", odd.Load())
	}
	if limited.Load() < requests/2 {
		t.Errorf("%d of %d were turned away", limited.Load(), requests)
	}
	if grown > 512<<20 { // 2,000 hashes at once would be 38 GB
		t.Errorf("the process grew by %d MiB", grown>>20)
	}
}

// resident is the memory that a process holds, in bytes.
func resident(t testing.TB, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
