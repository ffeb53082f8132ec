package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/session"
)

// Login is that somebody has logged in, in one browser. Clients know it by SessionID,
// which is in their tokens; it opens nothing.
type Login struct {
	User      authclient.UserID
	SessionID string
	At        time.Time // when the password was given
	Seen      time.Time // to the minute
	Device    string    // what the browser says it is
}

func loginOf(x session.Session) Login {
	return Login{authclient.UserID(x.User), x.SID, x.CreatedAt, x.SeenAt, x.Agent}
}

// LogIn begins a session of somebody who has just proved who they are, and gives the
// value of its cookie. It is always a new one: what an attacker planted in the browser is
// worth nothing. Somebody else who was logged in there is logged out; the same user goes
// on under the name that clients know the session by.
func (s *Service) LogIn(ctx context.Context, user authclient.UserID, device, before string) (cookie string, err error) {
	old, err := s.Login(ctx, before)
	if err != nil {
		return "", err
	}
	sid := old.SessionID
	if old.User != user {
		sid, err = id.New("sid"), s.LogOut(ctx, old)
	}
	if err != nil {
		return "", err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.sessions.DeleteBySIDIn(ctx, tx, sid); err != nil {
			return err
		}
		cookie, err = s.sessions.CreateIn(ctx, tx, session.Session{User: string(user), SID: sid, Agent: device})
		return err
	})
	if sid != old.SessionID && old.SessionID != "" { // which has ended
		err = database.Afterwards(err)
	}
	if err != nil {
		return "", fmt.Errorf("log in %s: %w", user, err)
	}
	return cookie, nil
}

// Login is who has logged in with a cookie; the zero Login is nobody.
func (s *Service) Login(ctx context.Context, cookie string) (Login, error) {
	x, err := s.sessions.Find(ctx, cookie)
	if errors.Is(err, session.ErrNone) {
		return Login{}, nil
	}
	if err != nil {
		return Login{}, err
	}
	return loginOf(x), s.sessions.Touch(ctx, x)
}

// Logins are the sessions of a user, the last used first.
func (s *Service) Logins(ctx context.Context, user authclient.UserID) ([]Login, error) {
	list, err := s.sessions.ByUser(ctx, string(user))
	if err != nil {
		return nil, err
	}
	logins := make([]Login, len(list))
	for i, x := range list {
		logins[i] = loginOf(x)
	}
	return logins, nil
}

// Now is the service's clock.
func (s *Service) Now() time.Time { return s.now() }
