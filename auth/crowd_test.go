package auth

import (
	"errors"
	"testing"

	"jishi/auth/authclient"
)

// One network can't fill the queue, others come in meanwhile, and nothing is remembered
// of who has left.
func TestACrowdFromOneNetwork(t *testing.T) {
	c := newCrowd(3)
	var leave []func()
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"} { // one /64
		l, err := c.enter(address)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := c.enter("2001:db8::4"); !errors.Is(err, authclient.ErrLimited) {
		t.Errorf("the fourth: got %v, want %v", err, authclient.ErrLimited)
	}
	other, err := c.enter("192.0.2.1")
	if err != nil {
		t.Errorf("somebody else: %v", err)
	}
	for _, l := range append(leave, other) {
		l()
	}
	if len(c.under) != 0 {
		t.Errorf("still remembered: %v", c.under)
	}
	if _, err := c.enter("2001:db8::4"); err != nil {
		t.Errorf("after they have left: %v", err)
	}
}
