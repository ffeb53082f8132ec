package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Orders whose fate is open are asked for again until settleTime is over, with a pause
// after each time that it stayed open.
const (
	settleTime  = time.Minute
	settlePause = 250 * time.Millisecond
)

// dialPause is how long a client waits after it got no connection. One that asked again at
// once would take the machine, and the requests of a run with a count, from the others.
const dialPause = 100 * time.Millisecond

// driver is a run.
type driver struct {
	world   *world
	mix     mix
	tally   *tally
	clients []*client

	name string // of the run; no other has it
	keys atomic.Int64
}

// phase is a part of a run, over when its length or its count is.
type phase struct {
	length time.Duration
	count  int64
	rate   float64
	buyers int

	begin time.Time
	next  *atomic.Int64 // requests that were begun
}

// run has all clients work until the phase is over, and tells how long they took.
func (d *driver) run(ctx context.Context, p phase) time.Duration {
	p.begin, p.next = time.Now(), new(atomic.Int64)
	used := cpuTime()
	var wg sync.WaitGroup
	for _, c := range d.clients {
		wg.Go(func() { c.work(ctx, p) })
	}
	wg.Wait()
	d.tally.cpu = cpuTime() - used
	return time.Since(p.begin)
}

// due waits until request n shall begin, and tells when that is; not ok when the phase is
// over before.
func (p *phase) due(ctx context.Context, n int64) (at time.Time, ok bool) {
	if ctx.Err() != nil || (p.count > 0 && n >= p.count) {
		return at, false
	}
	at = time.Now()
	if p.rate > 0 {
		at = p.begin.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	}
	if p.length > 0 && at.Sub(p.begin) >= p.length {
		return at, false
	}
	if wait := time.Until(at); p.rate > 0 && wait > 0 {
		select {
		case <-ctx.Done():
			return at, false
		case <-time.After(wait):
		}
	}
	return at, true
}

// client is one who asks and waits for the answer.
type client struct {
	driver *driver
	number int
	host   string
	conn   *conn
	out    []byte
	turn   int
}

func (c *client) work(ctx context.Context, p phase) {
	for {
		n := p.next.Add(1) - 1
		at, ok := p.due(ctx, n)
		if !ok {
			return
		}
		if err := c.request(c.buyer(p, n), at); errors.Is(err, errUnsent) {
			pause(ctx, dialPause)
		}
	}
}

// pause ends with ctx too.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// buyer is whose turn it is. The clients share the buyers out; in a phase with a count
// the buyers come in order.
func (c *client) buyer(p phase, n int64) int {
	if p.count > 0 {
		return int(n % int64(p.buyers))
	}
	c.turn++
	return (c.number + (c.turn-1)*len(c.driver.clients)) % p.buyers
}

// request does one action. Its time counts from at. The error says that there was no answer.
func (c *client) request(buyer int, at time.Time) error {
	w, t := c.driver.world, c.driver.tally
	i := c.driver.mix.next()
	a := &actions[i]
	o := order{buyer: buyer, product: w.products[rand.IntN(len(w.products))]}
	if a.once {
		o.key = c.driver.key()
	}
	sent, received := c.conn.sent, c.conn.received
	r, err := c.send(a, o)
	t.sent.Add(c.conn.sent - sent)
	t.received.Add(c.conn.received - received)
	t.count(i, r, err, time.Since(at))
	if a.once {
		t.order(o, outcomeOf(r, err))
	}
	return err
}

// send asks, and counts nothing.
func (c *client) send(a *action, o order) (reply, error) {
	c.out = a.write(c.out[:0], c.host, c.driver.world.tokens[o.buyer], o.product, o.key)
	return c.conn.do(c.out)
}

// key is one that no other request of any run has.
func (d *driver) key() string { return d.name + strconv.FormatInt(d.keys.Add(1), 36) }

// settle asks again, with the same keys, for the orders whose fate is open. That nothing
// happened (429, 503) is then said of the new request, not of the one that got no answer.
func (d *driver) settle(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, settleTime)
	defer stop()
	buy := &actions[slices.IndexFunc(actions, func(a action) bool { return a.once })]
	try := 0
	for _, o := range d.tally.takeOpen() {
		end := unknown
		for end == unknown && ctx.Err() == nil {
			r, err := d.clients[try%len(d.clients)].send(buy, o) // all targets in turns
			try++
			if err == nil && r.status != 429 && r.status != 503 {
				end = outcomeOf(r, nil)
			}
			if end == unknown {
				pause(ctx, settlePause)
			}
		}
		d.tally.order(o, end)
	}
}
