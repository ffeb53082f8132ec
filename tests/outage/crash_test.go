package outage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"jishi/kit/crash"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
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

// After each call of pay that changes something there is a point.
func TestEveryCallOfPayHasItsPoint(t *testing.T) {
	files, err := filepath.Glob("../../shop/*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`s\.(payments|payer)\.(Create|Close|Refund|Release)\(`)
	calls := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || filepath.Base(f) == "late.go" { // to which nobody comes in a sound market
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range call.FindAllIndex(b, -1) {
			calls++
			after := b[at[0]:min(at[0]+250, len(b))]
			if !bytes.Contains(after, []byte("crash.Point(")) {
				t.Errorf("%s: no crash.Point after\n%s", f, after)
			}
		}
	}
	if calls < 4 {
		t.Errorf("found %d calls", calls)
	}
}

// The program dies at every point at which it could leave something half way, while people
// buy, call off, let time pass, ship, receive and give back. Started again it brings everything
// to its end: what was acknowledged is there, and nothing twice. In the short form each point
// comes once, on SQLite.
func TestTheMarketDiesAtEveryPoint(t *testing.T) {
	t.Parallel()
	binary := harness.CrashBinary(t)
	points := crashPoints(t)
	shapes, times := map[string]bool{"sqlite": false}, 1
	if dbtest.Long() {
		shapes["mariadb"], times = true, 25
	}
	for name, mariadb := range shapes {
		t.Run(name, func(t *testing.T) {
			m := harness.Start(t, harness.Config{Binary: binary, MariaDB: mariadb, Flags: []string{
				"--order-deadline", "2s", "--open-orders", "0", "--log-level", "warn",
			}})
			c := newCrowd(t, m)
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
	for w, buyer := range append(c.buyers[:4:4], c.poor) {
		busy.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("crash %d of %d: %d", round, w, i)
				if paid, unpaid := c.purchase(t, buyer, key, w+i, &out); paid != "" {
					c.trade(t, buyer, paid, i)
				} else if unpaid != "" {
					c.reconsider(t, buyer, unpaid, i)
				}
				c.topsUp(t, buyer, key, i)
				c.reserves(t, buyer, fmt.Sprintf("own-%d-%d-%d", round, w, i), i)
			}
		})
	}
	c.market.Kill(t, "shop")
	for _, point := range points {
		if !c.market.StartToDie(t, "shop", patience, fmt.Sprintf("%s=%s %d", crash.Variable, point, 1+rand.N(3))) {
			t.Errorf("nobody came to %s within %s", point, patience)
			c.market.Kill(t, "shop")
		}
	}
	c.market.StartAgain(t, "shop")
	cancel()
	busy.Wait()
	t.Logf("died at %d points; %s", len(points), &out)
	out.met(t)
	if len(c.answered) == 0 || len(c.came) == 0 || len(c.own) == 0 {
		t.Errorf("%d shipments and refunds, %d top-ups and %d own payments were answered", len(c.answered), len(c.came), len(c.own))
	}
}

// trade does what a buyer and the sellers do with a paid order, of four ways the ith.
func (c *crowd) trade(t *testing.T, buyer *harness.Person, order string, i int) {
	var o shopclient.Order
	c.insists(t, "read "+order, func(ctx context.Context) (err error) {
		o, err = buyer.Shop.Order(ctx, order)
		return err
	})
	for _, s := range o.Shipments {
		seller := c.sellers[s.Seller.ID]
		switch i % 4 {
		case 0:
			c.sends(t, buyer, seller, s.ID)
		case 1:
			c.goesBack(t, buyer, seller, s.ID, nil)
		case 2:
			c.insists(t, "give back "+s.ID, func(ctx context.Context) error {
				_, err := seller.Shop.GiveBack(ctx, s.ID, "broken")
				if err == nil {
					c.hears(s.ID, shopclient.Refunded)
				}
				return err
			})
		case 3: // out of what the seller has had by then
			c.sends(t, buyer, seller, s.ID)
			c.goesBack(t, buyer, seller, s.ID, &money.Input{Amount: "1"})
		}
	}
}

// topsUp puts a little into a wallet. Every other time nobody asks again after an outage: what
// was begun arrives by itself.
func (c *crowd) topsUp(t *testing.T, p *harness.Person, key string, i int) {
	c.insists(t, "top up "+p.Name, func(ctx context.Context) error {
		top, err := p.Pay.CreateTopUp(ctx, payclient.NewTopUp{Wallet: c.wallets[p.ID], Amount: "0.01"}, key)
		if err == nil {
			c.mu.Lock()
			c.came[top.ID] = true
			c.mu.Unlock()
		}
		if f := fault.Of(err); err != nil && i%2 == 0 && (f.Kind == fault.Busy || f.Kind == fault.Unknown) {
			return nil
		}
		return err
	})
}

// reserves has a little held for somebody by a program of the buyer's own. Of three ways the
// ith: it is captured in part and given on, or let go of, or called off before it was asked for.
func (c *crowd) reserves(t *testing.T, buyer *harness.Person, order string, i int) {
	seller := slices.Sorted(maps.Keys(c.sellers))[0]
	cents := func(n int64) money.Amount { return money.Amount{Minor: n, Currency: money.CNY} }
	var p payclient.Payment
	if i%3 != 2 {
		c.insists(t, "hold for "+order, func(ctx context.Context) (err error) {
			p, err = buyer.Pay.Create(ctx, payclient.NewPayment{
				Order: order, Parties: []payclient.Party{{Payee: seller, Amount: cents(3)}}, Wallet: c.wallets[buyer.ID], Hold: true,
			})
			return err
		})
	}
	if i%3 != 0 {
		c.insists(t, "call off "+order, func(ctx context.Context) (err error) {
			p, err = buyer.Pay.Close(ctx, order)
			return err
		})
		c.reserved(buyer, p, payclient.Closed)
		return
	}
	c.insists(t, "capture "+order, func(ctx context.Context) error {
		_, err := buyer.Pay.Capture(ctx, p.ID, payclient.NewCapture{Parties: []payclient.NewShare{{Payee: seller, Amount: *money.InputOf(cents(2))}}})
		return err
	})
	c.insists(t, "release "+order, func(ctx context.Context) error {
		_, err := buyer.Pay.Release(ctx, p.ID, payclient.NewRelease{ID: order, Payee: seller})
		return err
	})
	c.reserved(buyer, p, payclient.Captured)
}

// reserved remembers what became of a payment of the buyer's own.
func (c *crowd) reserved(buyer *harness.Person, p payclient.Payment, state string) {
	c.hears(p.ID, state)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own[p.ID] = buyer
}

// sends has a shipment sent and received.
func (c *crowd) sends(t *testing.T, buyer, seller *harness.Person, shipment string) {
	c.insists(t, "ship "+shipment, func(ctx context.Context) error {
		_, err := seller.Shop.Ship(ctx, shipment, shopclient.Shipping{Carrier: "SF Express", Tracking: "SF1"})
		if err == nil {
			c.hears(shipment, shopclient.Shipped, shopclient.Received, shopclient.Refunded)
		}
		return err
	})
	c.insists(t, "receive "+shipment, func(ctx context.Context) error {
		_, err := buyer.Shop.Receive(ctx, shipment)
		if err == nil {
			c.hears(shipment, shopclient.Received, shopclient.Refunded)
		}
		return err
	})
}

// goesBack has a refund asked for and granted.
func (c *crowd) goesBack(t *testing.T, buyer, seller *harness.Person, shipment string, amount *money.Input) {
	var r shopclient.Refund
	c.insists(t, "ask for the money of "+shipment, func(ctx context.Context) (err error) {
		r, err = buyer.Shop.AskRefund(ctx, shipment, shopclient.NewRefund{Amount: amount, Reason: "broken"}, "refund of "+shipment)
		if err == nil {
			c.hears(r.ID, shopclient.Asked, shopclient.Granted) // nobody does anything else
		}
		return err
	})
	c.insists(t, "grant "+r.ID, func(ctx context.Context) error {
		_, err := seller.Shop.Grant(ctx, r.ID)
		if err == nil {
			c.hears(r.ID, shopclient.Granted)
		}
		return err
	})
}

// reconsider calls an order without money off, pays it from another wallet, or lets its time
// pass.
func (c *crowd) reconsider(t *testing.T, p *harness.Person, order string, i int) {
	switch i % 3 {
	case 0:
		c.insists(t, "cancel "+order, func(ctx context.Context) error {
			_, err := p.Shop.Cancel(ctx, order)
			return err
		})
	case 1:
		c.insists(t, "pay "+order, func(ctx context.Context) error {
			o, err := p.Shop.Pay(ctx, order, c.savings)
			if err == nil && o.State == shopclient.Pending {
				err = errLeft
			}
			return err
		})
	}
}

// insists asks until there is an answer. That time was over meanwhile is one.
func (c *crowd) insists(t *testing.T, what string, ask func(context.Context) error) {
	err := harness.Retry(t.Context(), patience, func() error {
		err := ask(t.Context())
		if f := fault.Of(err); err != nil && f.Kind != fault.Busy && f.Kind != fault.Unknown {
			if !errors.Is(err, shopclient.ErrWrongState) {
				t.Errorf("%s: %v", what, err)
			}
			return nil
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: no answer within %s: %v", what, patience, err)
	}
}
