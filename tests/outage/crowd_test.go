package outage_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

const (
	purchases = 200 // of a round, and more until what strikes it is over
	workers   = 8   // that buy at the same time
	deadline  = 5 * time.Second
	patience  = 3 * time.Minute // until a market that is back has answered, and has ended its orders, on a busy machine
	wealth    = 100000          // of a rich buyer, and of the poor one in savings
	price     = "12.50"
	scarce    = 50 // pieces of the product that runs out
)

// crowd is the people of a market who buy while it suffers.
type crowd struct {
	market   *harness.Market
	buyers   []*harness.Person // each calls from one goroutine at a time
	poor     *harness.Person   // has money for one purchase
	savings  string            // another wallet of the poor buyer's, which has to be named
	wallets  map[string]string // by user id: that into which a buyer puts more
	sellers  map[string]*harness.Person
	products []string     // of two sellers; the last one is scarce
	pay      *database.DB // pay's, where money comes late

	mu   sync.Mutex
	came map[string]bool // guarded by mu; top-ups that were answered as arrived
	paid map[string]bool // guarded by mu; orders that were answered as paid
	keys map[string]int  // guarded by mu; how many somebody has ordered with, by user id

	own      map[string]*harness.Person // guarded by mu; by payment: who has made it by a program
	late     map[string]*harness.Person // guarded by mu; by payment: who has paid for what was called off
	answered map[string][]string        // guarded by mu; by shipment, refund or own payment: the state that was answered last, and those that can follow
}

func newCrowd(t *testing.T, m *harness.Market) *crowd {
	t.Helper()
	c := &crowd{market: m, wallets: map[string]string{}, sellers: map[string]*harness.Person{}, came: map[string]bool{}, paid: map[string]bool{}, keys: map[string]int{}, own: map[string]*harness.Person{}, late: map[string]*harness.Person{}, answered: map[string][]string{}}
	for i, identifier := range []string{"13800138000", "13900139000"} {
		seller := m.Register(t, identifier, fmt.Sprint("seller ", i))
		c.sellers[seller.ID] = seller
		c.products = append(c.products, seller.Offer(t, fmt.Sprint("teapot ", i), price, 100000).ID)
		if i == 1 {
			c.products = append(c.products, seller.Offer(t, "rare teapot", price, scarce).ID)
		}
	}
	c.buyers = m.Crowd(t, workers, fmt.Sprint(wealth))
	c.poor = m.Register(t, "poor@example.com", "poor")
	c.poor.OpenWallet(t, "13")
	c.savings = c.poor.OpenWallet(t, fmt.Sprint(wealth)).ID
	c.wallets[c.poor.ID] = c.savings
	for _, p := range c.buyers {
		list, err := p.Pay.Wallets(t.Context(), payclient.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		c.wallets[p.ID] = list.Items[0].ID
	}
	return c
}

// hears remembers that a shipment or a refund was answered as being in a state.
func (c *crowd) hears(id, state string, following ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered[id] = append(following, state)
}

// outcomes counts how purchases ended, and how often somebody had to ask again.
type outcomes struct {
	paid, unpaid, soldOut, closed, left, again atomic.Int64
	done                                       atomic.Int64
}

func (o *outcomes) String() string {
	return fmt.Sprintf("%d paid, %d unpaid, %d sold out, %d closed in between, %d left; %d answers were outages", o.paid.Load(), o.unpaid.Load(), o.soldOut.Load(), o.closed.Load(), o.left.Load(), o.again.Load())
}

// buy does a round of purchases, has strike called when so many of them are done, and goes on
// until that returns.
func (c *crowd) buy(t *testing.T, round int, strike func()) *outcomes {
	t.Helper()
	var out outcomes
	at := int64(purchases/5 + rand.N(purchases/2))
	over := make(chan struct{})
	struck := sync.OnceFunc(func() {
		defer close(over)
		strike()
	})
	queue := make(chan int)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range queue {
				c.purchase(t, c.buyers[w], fmt.Sprintf("round %d purchase %d", round, i), i, &out)
				if out.done.Add(1) == at {
					wg.Go(struck)
				}
			}
		})
	}
	wg.Go(func() { // beside the others, all the time
		for i := range purchases / workers {
			c.purchase(t, c.poor, fmt.Sprintf("round %d poor %d", round, i), 0, &out)
		}
	})
	for i := 0; i < purchases || !isClosed(over); i++ {
		queue <- i
	}
	close(queue)
	wg.Wait()
	return &out
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// met finds that somebody met the outage, or nothing was tested.
func (o *outcomes) met(t *testing.T) {
	t.Helper()
	if o.again.Load() == 0 {
		t.Errorf("nobody met the outage: %v", o)
	}
}

// errLeft is the answer that an order stands, but that pay could not be asked.
var errLeft = fault.New(fault.Busy, "pending", "")

// purchase asks with one key until there is an answer, as a careful program does; every
// third one is by somebody who leaves at the first outage. It gives the order if it is paid,
// and its id if money is missing.
func (c *crowd) purchase(t *testing.T, p *harness.Person, key string, i int, out *outcomes) (paid, unpaid string) {
	c.mu.Lock()
	c.keys[p.ID]++
	c.mu.Unlock()
	in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: c.products[i%len(c.products)], Quantity: 1}}}
	if i%4 == 0 { // from both sellers
		in.Items = []shopclient.NewItem{{Product: c.products[0], Quantity: 1}, {Product: c.products[1], Quantity: 2}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for first := true; ; first = false {
		o, err := p.Shop.PlaceOrder(ctx, in, key)
		if err == nil && o.State == shopclient.Pending {
			err = errLeft
		}
		switch f := fault.Of(err); {
		case err == nil && o.State == shopclient.Paid:
			out.paid.Add(1)
			c.mu.Lock()
			c.paid[o.ID] = true
			c.mu.Unlock()
			return o.ID, ""
		case err == nil && o.State == shopclient.Canceled && !first:
			out.closed.Add(1) // it was placed, and not paid until its deadline
		case err == nil:
			t.Errorf("%s: order %s is %s", key, o.ID, o.State)
		case errors.Is(err, shopclient.ErrUnpaid):
			out.unpaid.Add(1)
			unpaid, _ = fault.Of(err).Extra["order"].(string)
			return "", unpaid
		case errors.Is(err, shopclient.ErrSoldOut):
			out.soldOut.Add(1)
		case f.Kind == fault.Busy || f.Kind == fault.Unknown:
			out.again.Add(1)
			if f.Field != "" {
				t.Errorf("%s: an outage names the field %s: %v", key, f.Field, err)
			}
			if i%3 == 1 {
				out.left.Add(1)
				return "", ""
			}
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-ctx.Done():
				t.Errorf("%s: no answer within %s: %v", key, patience, err)
			}
		default:
			t.Errorf("%s: %v", key, err)
		}
		return "", ""
	}
}

// settles waits until every order is where it stays, and compares them and everybody's money
// with what was answered.
func (c *crowd) settles(t *testing.T) {
	t.Helper()
	money, toppedUp := money.Amount{Currency: money.CNY}, c.toppedUp(t)
	states, stands, found := map[string]int{}, map[string]bool{}, map[string]string{}
	for _, p := range append(c.buyers, c.poor) {
		orders := c.orders(t, p)
		if len(orders) > c.keys[p.ID] {
			t.Errorf("%s has %d orders, and asked for %d", p.Name, len(orders), c.keys[p.ID])
		}
		for _, o := range orders {
			if !rests(o) {
				o = c.ends(t, p, o)
			}
			states[o.State]++
			stands[o.ID] = o.State == shopclient.Paid || o.State == shopclient.Completed
			for _, s := range o.Shipments {
				found[s.ID] = s.State
				for _, r := range s.Refunds {
					found[r.ID] = r.State
				}
				if s.ReleasedAt == nil { // what didn't go back is in escrow
					money = sum(t, money, s.Amount)
					money.Minor -= s.Refunded.Minor
				}
			}
		}
	}
	if len(c.paid) == 0 {
		t.Error("no order was answered as paid")
	}
	for id := range c.paid {
		if !stands[id] {
			t.Errorf("order %s was answered as paid and isn't any more", id)
		}
	}
	for id, p := range c.own {
		harness.Eventually(t, patience, func() error {
			x, err := p.Pay.Payment(t.Context(), id)
			found[id] = x.State
			return err
		})
	}
	for id, p := range c.late {
		harness.Eventually(t, patience, func() error {
			x, err := p.Pay.Payment(t.Context(), id)
			if err == nil && x.Refunded != x.Captured {
				err = fmt.Errorf("payment %s came late, and %s of %s is back", id, x.Refunded, x.Captured)
			}
			return err
		})
	}
	for id, can := range c.answered {
		if !slices.Contains(can, found[id]) {
			t.Errorf("%s is %q, it was answered as one of %q", id, found[id], can)
		}
	}
	for _, p := range slices.Concat(c.buyers, []*harness.Person{c.poor}, slices.Collect(maps.Values(c.sellers))) {
		money = sum(t, money, p.Money(t))
	}
	if money != toppedUp {
		t.Errorf("wallets and escrow have %s, topped up were %s", money, toppedUp)
	}
	out, err := c.market.Command("verify", "--chain").CombinedOutput()
	if err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	t.Logf("orders %v, %d of them were answered as paid; %d shipments, refunds and own payments were answered; wallets and escrow %s = topped up", states, len(c.paid), len(c.answered), money)
}

// toppedUp waits until every top-up has arrived, and adds them up.
func (c *crowd) toppedUp(t *testing.T) money.Amount {
	t.Helper()
	total := money.Amount{Currency: money.CNY}
	arrived := map[string]bool{}
	for _, p := range append(c.buyers, c.poor) {
		for _, top := range c.topUps(t, p) {
			if top.State != payclient.Succeeded {
				harness.Eventually(t, patience, func() (err error) {
					if top, err = p.Pay.TopUp(t.Context(), top.ID); err == nil && top.State != payclient.Succeeded {
						err = fmt.Errorf("top-up %s is still %s, %s after it was asked for", top.ID, top.State, time.Since(top.CreatedAt))
					}
					return err
				})
			}
			arrived[top.ID] = true
			total = sum(t, total, top.Amount)
		}
	}
	for id := range c.came {
		if !arrived[id] {
			t.Errorf("top-up %s was answered as arrived and isn't there any more", id)
		}
	}
	return total
}

// topUps are all of somebody's.
func (c *crowd) topUps(t *testing.T, p *harness.Person) []payclient.TopUp {
	t.Helper()
	var wallets payclient.Wallets
	harness.Eventually(t, patience, func() (err error) {
		wallets, err = p.Pay.Wallets(t.Context(), payclient.Page{Limit: 100})
		return err
	})
	var all []payclient.TopUp
	for _, w := range wallets.Items {
		for page := (payclient.Page{Limit: 100}); ; {
			var list payclient.TopUps
			harness.Eventually(t, patience, func() (err error) {
				list, err = p.Pay.TopUps(t.Context(), w.ID, page)
				return err
			})
			all = append(all, list.Items...)
			if page.Cursor = list.Next; page.Cursor == "" {
				break
			}
		}
	}
	return all
}

// rests tells whether nothing becomes of an order by itself any more: it is not pending, and
// what was received or granted is paid out.
func rests(o shopclient.Order) bool {
	if o.State == shopclient.Pending {
		return false
	}
	for _, s := range o.Shipments {
		if s.State == shopclient.Received && s.Refunded != s.Amount && s.ReleasedAt == nil {
			return false
		}
		for _, r := range s.Refunds {
			if r.State == shopclient.Granted && r.PaidAt == nil {
				return false
			}
		}
	}
	return true
}

// ends waits until an order rests.
func (c *crowd) ends(t *testing.T, p *harness.Person, o shopclient.Order) shopclient.Order {
	t.Helper()
	harness.Eventually(t, patience, func() (err error) {
		if o, err = p.Shop.Order(t.Context(), o.ID); err == nil && !rests(o) {
			err = fmt.Errorf("order %s is still %s with shipments %+v, %s after its deadline", o.ID, o.State, o.Shipments, time.Since(o.PayBefore))
		}
		return err
	})
	return o
}

// orders are all that somebody has placed.
func (c *crowd) orders(t *testing.T, p *harness.Person) []shopclient.Order {
	t.Helper()
	var all []shopclient.Order
	for page := (shopclient.Page{Limit: 100}); ; {
		var list shopclient.Orders
		harness.Eventually(t, patience, func() (err error) {
			list, err = p.Shop.Orders(t.Context(), page)
			return err
		})
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all
		}
	}
}

func sum(t *testing.T, a, b money.Amount) money.Amount {
	t.Helper()
	s, err := a.Add(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answers waits until pay too can be asked through the market.
func (c *crowd) answers(t *testing.T) {
	t.Helper()
	harness.Eventually(t, patience, func() error {
		_, err := c.poor.Pay.Wallets(t.Context(), payclient.Page{Limit: 1})
		return err
	})
}
