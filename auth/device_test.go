package auth

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/web"
)

// Strangers who guess can't keep a user out of a browser that has their device cookie; guessing
// in there has the same limit.
func TestAKnownBrowserIsNotKeptOut(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ann, bob := register(t, s, alice), register(t, s, "bob@example.com")
		phone, laptop := s.DeviceCookie(ann), s.DeviceCookie(ann)
		forger := service(t, s.db, func(c *Config) { c.Sealer = web.NewSealer([][]byte{bytes.Repeat([]byte{8}, 32)}) })
		try := func(what, cookie, password string, want error) {
			t.Helper()
			_, err := s.Check(t.Context(), Credentials{Identifier: alice, Password: password, Address: "192.0.2.1", DeviceCookie: cookie})
			if !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
		for range 5 {
			try("a stranger", "", "a wrong guess", ErrLogin)
		}
		for what, cookie := range map[string]string{
			"an unknown browser": "", "one of bob's": s.DeviceCookie(bob), "a forged one": forger.DeviceCookie(ann), "a cut one": phone[:20],
		} {
			try(what, cookie, password, authclient.ErrLimited)
		}
		for range 5 {
			try("a known browser", phone, password, nil) // successes count nothing
			try("a known browser", phone, "a wrong guess", ErrLogin)
		}
		try("a known browser that guesses", phone, password, authclient.ErrLimited)
		try("another known browser", laptop, password, nil)
	}, func(c *Config) {
		c.Limits = Limits{Window: 10 * time.Minute, FailuresPerUser: 5}
		c.Now = newClock().now
	})
}
