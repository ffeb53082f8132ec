package authguard

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/url"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"jishi/kit/rest"
)

const (
	// refreshEarly is how long before its end a session's token is renewed, so that the
	// requests beside the one that renews it still have one.
	refreshEarly = time.Minute
	// usable is how long a token must be good for to be sent anywhere.
	usable = 10 * time.Second
	// maxCached bounds the tokens that are remembered.
	maxCached = 10_000
)

// tokenCache remembers tokens until shortly before they expire, by the hash of what
// they were got for.
type tokenCache struct {
	now   func() time.Time
	cache *otter.Cache[[sha256.Size]byte, *oauth2.Token]
}

func newTokenCache(now func() time.Time) *tokenCache {
	return &tokenCache{now, otter.Must(&otter.Options[[sha256.Size]byte, *oauth2.Token]{MaximumSize: maxCached})}
}

// get finds a token that is still good, or gets one.
func (c *tokenCache) get(what string, get func() (*oauth2.Token, error)) (string, error) {
	key := sha256.Sum256([]byte(what))
	if t, ok := c.cache.GetIfPresent(key); ok && c.now().Add(usable).Before(t.Expiry) {
		return t.AccessToken, nil
	}
	t, err := get()
	if err != nil {
		return "", err
	}
	c.cache.Set(key, t)
	return t.AccessToken, nil
}

// Token is an access token for what Config.Resources names, on behalf of the user whom
// ctx's request comes from: the session's, renewed when it must be, or one that a
// program's token is exchanged for. Refusals: ErrToken when there is no user any more,
// ErrUnavailable.
func (g *Guard) Token(ctx context.Context) (string, error) {
	c := callerOf(ctx)
	switch {
	case c.session != nil:
		return g.sessionToken(ctx, c.session)
	case c.bearer != "" && c.User != "":
		return g.cache.get("exchange "+c.bearer, func() (*oauth2.Token, error) {
			v, err, _ := g.flight.Do("exchange "+c.bearer, func() (any, error) { return g.exchange(ctx, c.bearer) })
			t, _ := v.(*oauth2.Token)
			return t, err
		})
	}
	return "", ErrToken
}

// exchange trades a program's token (RFC 8693).
func (g *Guard) exchange(ctx context.Context, subject string) (*oauth2.Token, error) {
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {subject},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience":           g.c.Resources,
	}
	return g.grant(ctx, form)
}

// ServiceToken is a source of tokens with which the module calls the audience on its
// own behalf, from jobs.
func (g *Guard) ServiceToken(audience string) rest.TokenSource {
	return func(ctx context.Context) (string, error) {
		return g.cache.get("service "+audience, func() (*oauth2.Token, error) {
			return g.grant(ctx, url.Values{"grant_type": {"client_credentials"}, "resource": {audience}})
		})
	}
}

// grant asks the token endpoint. What many callers wait for must not end with the first
// one's request, so it has a time limit of its own.
func (g *Guard) grant(ctx context.Context, form url.Values) (*oauth2.Token, error) {
	p, err := g.provider(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.client(ctx)), keysTimeout)
	defer cancel()
	cc := clientcredentials.Config{
		ClientID: g.c.Name, ClientSecret: g.c.Secret, TokenURL: p.endpoint.TokenURL,
		AuthStyle: oauth2.AuthStyleInHeader, EndpointParams: form, // its grant_type wins over the library's
	}
	t, err := cc.Token(ctx)
	if err != nil {
		if answerOf(err).ErrorCode == "invalid_grant" {
			return nil, ErrToken.Because(err)
		}
		return nil, g.failed(err)
	}
	t.Expiry = g.expiry(t)
	return t, nil
}

// answerOf is what the token endpoint answered, with neither a code nor a response when it
// was no answer. Only a code is auth's word: a status may be that of a proxy before it, and
// is no reason to end a session.
func answerOf(err error) *oauth2.RetrieveError {
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return answer
	}
	return &oauth2.RetrieveError{}
}

// failed is the refusal where auth couldn't be asked, and notes that.
func (g *Guard) failed(err error) error {
	g.wentDown()
	return ErrUnavailable.Because(err)
}

func (g *Guard) wentDown() { g.down.Store(g.c.Now().Add(keysAgain).UnixNano()) }

// expiry is when a token of an answer ends, by our clock.
func (g *Guard) expiry(t *oauth2.Token) time.Time {
	seconds, _ := t.Extra("expires_in").(float64)
	return g.c.Now().Add(time.Duration(seconds) * time.Second)
}

// isDown tells that auth didn't answer a moment ago. Pages don't wait for it then.
func (g *Guard) isDown() bool { return g.c.Now().UnixNano() < g.down.Load() }
