package outage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"jishi/kit/crash"
	"jishi/kit/fault"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// crashPoints are all that the source names, so that none is forgotten.
func crashPoints(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "-C", "../..", "grep", "-hoE", `crash\.Point\("[^"]+"\)`, "--", "*.go", ":!*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	for line := range strings.Lines(string(out)) {
		points = append(points, strings.Split(line, `"`)[1])
	}
	slices.Sort(points)
	if len(points) != len(slices.Compact(slices.Clone(points))) {
		t.Errorf("two places have one name: %v", points)
	}
	return points
}

// The program dies at every point at which it could leave something half way, while people
// buy, call off, ship and give back. Started again it brings everything to its end: what was
// acknowledged is there, and nothing twice.
func TestTheMarketDiesAtEveryPoint(t *testing.T) {
	t.Parallel()
	binary := harness.CrashBinary(t)
	points := crashPoints(t)
	for name, mariadb := range map[string]bool{"sqlite": false, "mariadb": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := harness.Start(t, harness.Config{Binary: binary, MariaDB: mariadb, Flags: settings})
			c := newCrowd(t, m)
			times := 1
			if harness.Long() {
				times = 25
			}
			for round := range times {
				c.dieAtEach(t, round, points)
				c.settles(t)
			}
		})
	}
}

// dieAtEach keeps people busy while the program dies at one point after the other.
func (c *crowd) dieAtEach(t *testing.T, round int, points []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out outcomes
	var busy sync.WaitGroup
	for w, buyer := range append(c.buyers, c.poor) {
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("crash %d of %d: %d", round, w, i)
				c.purchase(t, buyer, key, w+i, &out)
				if buyer == c.poor {
					c.callOff(t, buyer)
				}
			}
		})
	}
	deaths := 0
	c.market.Kill(t, "shop")
	for _, point := range points {
		c.market.StartAgain(t, "shop", fmt.Sprintf("%s=%s %d", crash.Variable, point, 1+rand.N(3)))
		if !c.market.Process("shop").Dies(t, patience) {
			t.Errorf("nobody came to %s within %s", point, patience)
			c.market.Kill(t, "shop")
			continue
		}
		deaths++
	}
	c.market.StartAgain(t, "shop")
	cancel()
	busy.Wait()
	t.Logf("died at %d points; %s", deaths, &out)
}

// callOff cancels what somebody has not paid, until it is known how that ended; every second
// time, so that deadlines end others.
func (c *crowd) callOff(t *testing.T, p *harness.Person) {
	for _, o := range c.orders(t, p) {
		if o.State != shopclient.Pending || rand.N(2) == 0 {
			continue
		}
		err := harness.Retry(t.Context(), patience, func() error {
			_, err := p.Shop.Cancel(t.Context(), o.ID)
			if f := fault.Of(err); err != nil && f.Kind != fault.Busy && f.Kind != fault.Unknown && !errors.Is(err, shopclient.ErrWrongState) {
				t.Errorf("cancel %s: %v", o.ID, err)
				return nil
			} else if errors.Is(err, shopclient.ErrWrongState) {
				return nil // its deadline was first
			}
			return err
		})
		if err != nil {
			t.Errorf("cancel %s: %v", o.ID, err)
		}
	}
}
