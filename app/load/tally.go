package load

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// order is a purchase that is asked for.
type order struct {
	buyer        int
	product, key string
}

// outcome is what came of an order.
type outcome int

const (
	unknown outcome = iota // it may have been placed
	paid
	soldOut
	unpaid
	refused
	outcomes
)

// outcomeOf reads an answer to a purchase.
func outcomeOf(r reply, err error) outcome {
	switch {
	case errors.Is(err, errUnsent):
		return refused
	case err != nil:
		return unknown
	case r.status == 201 && bytes.Contains(r.body, []byte(`"state":"paid"`)):
		return paid
	case r.status == 201 || r.status == 402:
		return unpaid
	case r.code() == "shop.sold_out":
		return soldOut
	case r.status >= 500 && r.status != 503:
		return unknown
	}
	return refused // 503 says that nothing happened
}

// code is that of a problem document, "" of anything else.
func (r reply) code() string {
	_, rest, found := bytes.Cut(r.body, []byte(`"code":"`))
	if !found || r.status < 400 {
		return ""
	}
	code, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(code)
}

// series counts one action.
type series struct {
	done, failed atomic.Int64
	times        histogram
}

// tally counts what the clients see; all of them add to it at once.
type tally struct {
	actions        []series // as in actions
	times          histogram
	sent, received atomic.Int64  // bytes
	cpu            time.Duration // that the last phase took; written between phases
	orders         *orderTally

	mu     sync.Mutex
	errors map[string]int64 // guarded by mu
}

// orderTally counts purchases, those of the warm-up too.
type orderTally struct {
	ends [outcomes]atomic.Int64 // but for unknown

	mu   sync.Mutex
	open []order // guarded by mu; their fate is unknown
}

func newTally() *tally {
	return &tally{actions: make([]series, len(actions)), errors: map[string]int64{}, orders: &orderTally{}}
}

// afterWarmup is an empty tally that goes on counting orders.
func (t *tally) afterWarmup() *tally {
	fresh := newTally()
	fresh.orders = t.orders
	return fresh
}

// count adds an answer to the action at i. Where there was none it has no time: how soon a
// connection is refused says nothing of the market.
func (t *tally) count(i int, r reply, err error, took time.Duration) {
	s := &t.actions[i]
	if err == nil {
		s.times.add(took)
		t.times.add(took)
	}
	if err == nil && r.status == actions[i].want {
		s.done.Add(1)
		return
	}
	s.failed.Add(1)
	what := strconv.Itoa(r.status)
	if err != nil {
		what = err.Error()
	}
	if code := r.code(); code != "" {
		what += " " + code
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[what]++
}

func (t *tally) order(o order, end outcome) {
	if end != unknown {
		t.orders.ends[end].Add(1)
		return
	}
	t.orders.mu.Lock()
	defer t.orders.mu.Unlock()
	t.orders.open = append(t.orders.open, o)
}

// takeOpen is the orders whose fate is unknown, which are not counted any more then.
func (t *tally) takeOpen() []order {
	t.orders.mu.Lock()
	defer t.orders.mu.Unlock()
	open := t.orders.open
	t.orders.open = nil
	return open
}
