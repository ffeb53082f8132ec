package outage_test

import (
	"context"
	"database/sql"
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
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
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
	grep := func(pattern string) (lines []string) {
		out, err := exec.Command("git", "-C", "../..", "grep", "-hoE", pattern, "--", "*.go", ":!*_test.go").Output()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Collect(strings.Lines(string(out)))
	}
	var points []string
	for _, line := range grep(`crash\.Point\("[^"]+"\)`) {
		points = append(points, strings.Split(line, `"`)[1])
	}
	if calls := len(grep(`crash\.Point\(`)); len(points) != calls || calls < 30 {
		t.Errorf("%d points have a name, there are %d", len(points), calls)
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
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for function := range strings.SplitSeq(string(b), "\nfunc ") {
			if strings.HasPrefix(function, "(s *Service) closeLost(") { // of an order that is gone with a database
				continue
			}
			for _, at := range call.FindAllStringIndex(function, -1) {
				calls++
				after := function[at[0]:min(at[0]+250, len(function))]
				if !strings.Contains(after, "crash.Point(") {
					t.Errorf("%s: no crash.Point after\n%s", f, after)
				}
			}
		}
	}
	if calls < 5 {
		t.Errorf("found %d calls", calls)
	}
}

// The program dies at every point at which it could leave something half way, while people
// buy, call off, pay for what was called off, let time pass, ship, receive and give back. Started
// again it brings everything to its end: what was acknowledged is there, and nothing twice. In the
// short form each point comes once, on SQLite; in the long form also where pay and the shop die by
// themselves.
func TestTheMarketDiesAtEveryPoint(t *testing.T) {
	t.Parallel()
	binary := harness.CrashBinary(t)
	points := crashPoints(t)
	type shape struct {
		split, mariadb bool
		times          int
	}
	shapes := map[string]shape{"sqlite": {times: 1}}
	if dbtest.Long() {
		shapes = map[string]shape{"sqlite": {times: 25}, "mariadb": {mariadb: true, times: 25}, "split": {split: true, times: 10}}
	}
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			files := t.TempDir()
			config := harness.Config{Binary: binary, Split: s.split, Databases: map[string]string{}, Flags: []string{
				"--order-deadline", "2s", "--open-orders", "0", "--log-level", "warn",
			}}
			for _, module := range []string{"auth", "pay", "shop"} {
				if config.Databases[module] = "sqlite:" + filepath.Join(files, module+".db"); s.mariadb {
					config.Databases[module] = harness.MariaDB(t)
				}
			}
			c := newCrowd(t, harness.Start(t, config))
			pay, err := database.Open(t.Context(), config.Databases["pay"])
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = pay.Close() })
			c.pay = pay
			victims := func(point string) []string { return []string{"shop"} } // which is all of it
			if s.split {
				victims = comesTo
			}
			for round := range s.times {
				c.dieAtEach(t, round, points, victims)
				c.settles(t)
			}
		})
	}
}

// comesTo names the modules that pass a point, where each is a process.
func comesTo(point string) []string {
	module, _, _ := strings.Cut(point, ".")
	if module == "job" {
		return []string{"pay", "shop"}
	}
	return []string{module}
}

// dieAtEach keeps people busy while the program, or each victim of it, dies at one point after
// the other.
func (c *crowd) dieAtEach(t *testing.T, round int, points []string, victims func(point string) []string) {
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
	dead, died := "", 0
	for _, point := range points {
		for _, victim := range victims(point) {
			if victim != dead {
				if dead != "" {
					c.market.StartAgain(t, dead)
				}
				c.market.Kill(t, victim)
				dead = victim
			}
			if !c.market.StartToDie(t, victim, patience, fmt.Sprintf("%s=%s %d", crash.Variable, point, 1+rand.N(3))) {
				t.Errorf("nobody came to %s of %s within %s", point, victim, patience)
				c.market.Kill(t, victim)
			}
			died++
		}
	}
	c.market.StartAgain(t, dead)
	cancel()
	busy.Wait()
	t.Logf("died %d times at %d points; %s", died, len(points), &out)
	out.met(t)
	if len(c.answered) == 0 || len(c.came) == 0 || len(c.own) == 0 || len(c.late) == 0 {
		t.Errorf("%d shipments and refunds, %d top-ups, %d own and %d late payments were answered", len(c.answered), len(c.came), len(c.own), len(c.late))
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

// reconsider calls an order without money off (and every other time pays for it then), pays it
// from another wallet, or lets its time pass.
func (c *crowd) reconsider(t *testing.T, p *harness.Person, order string, i int) {
	switch i % 3 {
	case 0:
		c.insists(t, "cancel "+order, func(ctx context.Context) error {
			_, err := p.Shop.Cancel(ctx, order)
			return err
		})
		if i%2 == 0 {
			c.paysLate(t, p, order)
		}
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

// paysLate pays for an order that was called off, which a market lets nobody do unless pay's
// database was put back to before that.
func (c *crowd) paysLate(t *testing.T, p *harness.Person, order string) {
	var id string
	c.insists(t, "put the payment of "+order+" back", func(ctx context.Context) error {
		return c.pay.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewRaw("UPDATE payments SET state = ?, settled_at = NULL, expires_at = ? WHERE order_id = ? AND state = ? AND amount > 0",
				payclient.Open, database.At(time.Now().Add(time.Hour)), order, payclient.Closed).Exec(ctx)
			if err != nil {
				return err
			}
			err = tx.NewRaw("SELECT id FROM payments WHERE order_id = ? AND state = ?", order, payclient.Open).Scan(ctx, &id)
			if errors.Is(err, sql.ErrNoRows) { // it was paid after all
				return nil
			}
			return err
		})
	})
	if id == "" {
		return
	}
	c.insists(t, "pay late for "+order, func(ctx context.Context) error {
		_, err := p.Pay.Pay(ctx, id, payclient.Source{Wallet: c.savings})
		if errors.Is(err, payclient.ErrClosed) { // again, by the job that compares
			return nil
		}
		if err == nil {
			c.mu.Lock()
			c.late[id] = p
			c.mu.Unlock()
		}
		return err
	})
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
