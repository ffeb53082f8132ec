package auth

import (
	"errors"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/fault"
)

// Who waits as long as is said gets in, and who waits a second less does not.
func TestTheWaitThatIsSaidIsEnough(t *testing.T) {
	for name, before := range map[string]time.Duration{
		"all in this window":             10 * time.Minute,
		"the last window still counts":   10*time.Minute - time.Second,
		"most of the last one has faded": 2 * time.Minute,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			c.at = c.at.Truncate(10 * time.Minute).Add(10*time.Minute - before)
			each(t, func(t *testing.T, s *Service) {
				start := c.at
				defer func() { c.at = start }()
				try := func() error { return s.spend(t.Context(), s.newUsers("192.0.2.1")) }
				for range 6 {
					if err := try(); err != nil {
						t.Fatal(err)
					}
				}
				c.pass(before / 2)
				var err error
				for err == nil {
					err = try()
				}
				after, ok := fault.Of(err).Extra[fault.RetryAfter].(int)
				if !errors.Is(err, authclient.ErrLimited) || !ok || after < 1 {
					t.Fatalf("got %v %v", err, fault.Of(err).Extra)
				}
				refused := c.at
				c.at = refused.Add(time.Duration(after-2) * time.Second)
				if after > 2 {
					if err := try(); !errors.Is(err, authclient.ErrLimited) {
						t.Errorf("two seconds early: got %v", err)
					}
				}
				c.at = refused.Add(time.Duration(after) * time.Second)
				if err := try(); err != nil {
					t.Errorf("after %d seconds: %v", after, err)
				}
			}, c.set, func(c *Config) { c.Limits = Limits{Window: 10 * time.Minute, NewUsersPerAddress: 8} })
		})
	}
}
