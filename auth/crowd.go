package auth

import (
	"sync"

	"jishi/auth/authclient"
)

// crowd bounds how many attempts of one network are under way at once. It stands before the
// counters, which are rows, and before the queue for a hash: a flood from one
// address is turned away at the cost of a map entry, and leaves the queue to others.
type crowd struct {
	most int // 0 is no bound

	mu    sync.Mutex
	under map[string]int // guarded by mu; no more entries than attempts
}

func newCrowd(most int) *crowd { return &crowd{most: most, under: map[string]int{}} }

// enter counts one more attempt from a network address until leave is called. Refusal:
// authclient.ErrLimited.
func (c *crowd) enter(address string) (leave func(), err error) {
	if c.most <= 0 {
		return func() {}, nil
	}
	who := network(address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.under[who] >= c.most {
		return nil, authclient.ErrLimited
	}
	c.under[who]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.under[who]--; c.under[who] == 0 {
			delete(c.under, who)
		}
	}, nil
}
