// Package load drives a running market over HTTP as buyers do, and says how it did: how
// many requests it answered, how long they took, what it refused, and whether what was
// paid is what went out of stock.
//
// Its buyers are its own, load-00001@example.com and so on, as is the seller of what they
// buy; an earlier run's are used again. Each client has a keep-alive connection and waits
// for its answer before it asks again. Either as soon as it has it (a closed loop), or when
// the schedule of a rate says so (an open one): then times are counted from what the
// schedule says, so that a market that stalls is charged for everybody who had to wait.
package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Options are what is done for how long.
type Options struct {
	Targets  []string       // base URLs of the shop, taken in turns by the clients
	Mix      map[string]int // weights of Actions
	Clients  int
	Buyers   int           // 0 is one a client
	Products int           // what is bought, each equally often
	Stock    int64         // of each product, when the run begins
	Rate     float64       // requests a second by schedule; 0 is a closed loop
	Warmup   time.Duration // before anything is counted
	Duration time.Duration
	Count    int64 // requests after which the run ends, whatever Duration is; 0 is no bound
	Once     bool  // each buyer asks once; without Warmup, Duration and Count
}

// Target is the market that is driven.
type Target struct {
	PayURL, ShopURL string // for the setting up

	// Enroll gives a token, for all modules and for longer than the run, of the user of an
	// identifier, who is registered unless there is one. It may be called at once.
	Enroll func(ctx context.Context, identifier string) (string, error)
}

// ErrBroken says that what was paid is not what went out of stock.
var ErrBroken = errors.New("what was paid is not what went out of stock")

func (o *Options) check() error {
	for what, n := range map[string]int64{"clients": int64(o.Clients), "products": int64(o.Products), "stock": o.Stock} {
		if n < 1 {
			return fmt.Errorf("%s %d: want at least 1", what, n)
		}
	}
	if !o.Once && o.Duration <= 0 && o.Count <= 0 {
		return errors.New("duration or count: want one of them")
	}
	if o.Buyers <= 0 {
		o.Buyers = o.Clients
	}
	if o.Once {
		o.Warmup, o.Duration, o.Count = 0, 0, int64(o.Buyers)
	}
	return nil
}

// Run sets up, drives the market and compares its stock with its answers. The result is
// there with ErrBroken too.
func Run(ctx context.Context, to Target, o Options) (Result, error) {
	if err := o.check(); err != nil {
		return Result{}, err
	}
	m, err := newMix(o.Mix)
	if err != nil {
		return Result{}, err
	}
	begin := time.Now()
	w, err := setUp(ctx, to, o)
	if err != nil {
		return Result{}, fmt.Errorf("set up: %w", err)
	}
	d := &driver{world: w, mix: m, tally: newTally(), name: rand.Text()}
	for i := range o.Clients {
		target := o.Targets[i%len(o.Targets)]
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "http" || u.Host == "" {
			return Result{}, fmt.Errorf("target %q: want http://host:port", target)
		}
		d.clients = append(d.clients, &client{driver: d, number: i, host: u.Host, conn: &conn{address: address(u)}})
	}
	setup := time.Since(begin)
	if o.Warmup > 0 {
		d.run(ctx, phase{length: o.Warmup, rate: o.Rate, buyers: o.Buyers})
		d.tally = d.tally.afterWarmup()
	}
	took := d.run(ctx, phase{length: o.Duration, count: o.Count, rate: o.Rate, buyers: o.Buyers})
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	d.settle(ctx)
	r := d.result(o, took)
	r.SetupSeconds = seconds(setup)
	if r.Stock, err = w.stock(ctx); err != nil {
		return r, fmt.Errorf("read the stock: %w", err)
	}
	r.Broken, r.Note = r.compare(w.fresh)
	if r.Broken != "" {
		return r, ErrBroken
	}
	return r, nil
}

// address is where a URL's host listens.
func address(u *url.URL) string {
	if u.Port() == "" {
		return u.Host + ":80"
	}
	return u.Host
}
