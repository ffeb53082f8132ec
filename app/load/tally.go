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
	case r.status == 201 && r.word() == "paid":
		return paid
	case r.status == 201 || r.status == 402:
		return unpaid
	case r.word() == "shop.sold_out":
		return soldOut
	case r.status >= 500 && r.status != 503:
		return unknown
	}
	return refused // 503 says that nothing happened
}

// word is the code of a problem document, or the state of an order; "" of anything else.
func (r reply) word() string {
	member := []byte(`"state":"`)
	if r.status >= 400 {
		member = []byte(`"code":"`)
	}
	_, rest, _ := bytes.Cut(r.body, member)
	word, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(word)
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

// count adds an answer to the action at i. Who got none has waited all the same; only how
// soon a connection is refused says nothing of the market, and has no time.
func (t *tally) count(i int, r reply, err error, took time.Duration) {
	s := &t.actions[i]
	if !errors.Is(err, errUnsent) {
		s.times.add(took)
		t.times.add(took)
	}
	if err == nil && actions[i].done(r) {
		s.done.Add(1)
		return
	}
	s.failed.Add(1)
	what := strconv.Itoa(r.status)
	if err != nil {
		what = err.Error()
	}
	if word := r.word(); word != "" {
		what += " " + word
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
