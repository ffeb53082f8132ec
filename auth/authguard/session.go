package authguard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/session"
)

// tokens is what a session holds, sealed in its row. They never reach the browser.
type tokens struct {
	Name      string    `json:"name"`
	Access    string    `json:"access"`
	Refresh   string    `json:"refresh"`
	ID        string    `json:"id"` // for logging out
	ExpiresAt time.Time `json:"expires_at"`
}

// browserSession is the session of a request.
type browserSession struct {
	row    session.Session
	tokens tokens
}

func (g *Guard) sessionCookie() string { return "jishi_" + g.c.Name }

func (g *Guard) sessionPurpose() string { return "session of " + g.c.Name }

func (g *Guard) seal(t tokens) ([]byte, error) {
	plain, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return []byte(g.c.Sealer.Seal(g.sessionPurpose(), plain)), nil
}

func (g *Guard) open(row session.Session) (*browserSession, error) {
	plain, err := g.c.Sealer.Open(g.sessionPurpose(), string(row.Data))
	if err != nil {
		return nil, fmt.Errorf("open a session of %s: %w", row.User, err)
	}
	s := &browserSession{row: row}
	if err := json.Unmarshal(plain, &s.tokens); err != nil {
		return nil, fmt.Errorf("decode a session of %s: %w", row.User, err)
	}
	return s, nil
}

// begin begins a session, always a new one, and ends the browser's one before.
func (g *Guard) begin(w http.ResponseWriter, r *http.Request, user authclient.UserID, sid string, t tokens) error {
	ctx := r.Context()
	old, err := g.c.Sessions.Find(ctx, g.cookies.Get(r, g.sessionCookie()))
	if err == nil {
		err = g.end(w, r, old)
	}
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	data, err := g.seal(t)
	if err != nil {
		return err
	}
	secret, err := g.c.Sessions.Create(ctx, session.Session{User: string(user), SID: sid, Agent: r.UserAgent(), Data: data})
	if err != nil {
		return err
	}
	g.cookies.Set(w, g.sessionCookie(), secret, 0)
	return nil
}

// end ends a session; that it has ended is fine.
func (g *Guard) end(w http.ResponseWriter, r *http.Request, s session.Session) error {
	g.cookies.Clear(w, g.sessionCookie())
	err := g.c.Sessions.Delete(r.Context(), s.User, s.ID)
	if errors.Is(err, session.ErrNone) {
		return nil
	}
	return err
}

// fromSession finds out who a page's request comes from. A session's tokens are renewed
// when they are nearly over, and so auth is asked every few minutes whether the session
// still is one; while auth can't be reached it goes on.
func (g *Guard) fromSession(w http.ResponseWriter, r *http.Request) (caller, error) {
	ctx := r.Context()
	secret := g.cookies.Get(r, g.sessionCookie())
	if secret == "" {
		return caller{}, nil
	}
	row, err := g.c.Sessions.Find(ctx, secret)
	if errors.Is(err, session.ErrNone) {
		g.cookies.Clear(w, g.sessionCookie())
		return caller{}, nil
	}
	if err != nil {
		return caller{}, err
	}
	if err := g.c.Sessions.Touch(ctx, row); err != nil {
		return caller{}, err
	}
	s, err := g.open(row)
	if err != nil { // sealed with a key that is gone
		return caller{}, g.end(w, r, row)
	}
	if g.c.Now().Add(refreshEarly).After(s.tokens.ExpiresAt) && !g.isDown() {
		renewed, err := g.renew(ctx, s)
		switch {
		case err == nil:
			s = renewed
		case errors.Is(err, ErrToken):
			g.cookies.Clear(w, g.sessionCookie())
			return caller{}, nil
		case fault.Of(err).Kind != fault.Busy:
			return caller{}, err
		}
	}
	return caller{
		Identity: Identity{User: authclient.UserID(row.User), Name: s.tokens.Name, Client: g.c.Name},
		session:  s,
	}, nil
}

// sessionToken is the access token of a session.
func (g *Guard) sessionToken(ctx context.Context, s *browserSession) (string, error) {
	if g.usable(s) {
		return s.tokens.Access, nil
	}
	renewed, err := g.renew(ctx, s)
	if err != nil {
		return "", err
	}
	if !g.usable(renewed) {
		return "", ErrUnavailable
	}
	return renewed.tokens.Access, nil
}

func (g *Guard) usable(s *browserSession) bool {
	return g.c.Now().Add(usable).Before(s.tokens.ExpiresAt)
}

// renew gets a session new tokens. A refresh token works once, so of all requests on
// all replicas one does it and the others wait for what it got. Refusals: ErrToken when
// the session is over; ErrUnavailable.
func (g *Guard) renew(ctx context.Context, s *browserSession) (*browserSession, error) {
	row, err := g.c.Sessions.Refresh(ctx, s.row, func(ctx context.Context, old session.Session) ([]byte, error) {
		have, err := g.open(old)
		if err != nil {
			return nil, err
		}
		t, err := g.grant(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {have.tokens.Refresh}})
		if err != nil {
			return nil, err
		}
		fresh, err := g.renewed(ctx, have, t)
		if err != nil { // what can't be believed is as good as no answer, and asked for again
			return nil, g.failed(err)
		}
		return g.seal(fresh)
	})
	switch {
	case errors.Is(err, session.ErrNone):
		return nil, ErrToken
	case errors.Is(err, ErrToken):
		if err := g.c.Sessions.Delete(ctx, s.row.User, s.row.ID); err != nil && !errors.Is(err, session.ErrNone) {
			return nil, err
		}
		return nil, ErrToken
	case err != nil:
		return nil, err
	}
	return g.open(row)
}

// renewed is the tokens of a session with those of an answer in their place, and with the
// name that its user has by now.
func (g *Guard) renewed(ctx context.Context, s *browserSession, answer *oauth2.Token) (tokens, error) {
	t := s.tokens
	t.Access, t.Refresh, t.ExpiresAt = answer.AccessToken, answer.RefreshToken, answer.Expiry
	if answer.Extra("id_token") == nil { // which may stay away (OpenID Connect Core, 12.2)
		return t, nil
	}
	p, err := g.provider(ctx)
	if err != nil {
		return tokens{}, err
	}
	id, err := p.identify(ctx, answer)
	if err != nil {
		return tokens{}, err
	}
	if id.Subject != s.row.User {
		return tokens{}, fmt.Errorf("a session of %s is renewed with tokens of %s", s.row.User, id.Subject)
	}
	t.ID, t.Name = id.raw, id.Name
	return t, nil
}
