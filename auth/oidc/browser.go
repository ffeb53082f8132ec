package oidc

import (
	"crypto/rand"
	"net/http"
	"time"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/kit/web"
)

// Names of the cookies of auth's own pages.
const (
	sessionCookie = "jishi_auth"
	flowCookie    = "jishi_auth_flow"
	deviceCookie  = "jishi_auth_device"
)

// deviceLife is how long a browser stays known after a login.
const deviceLife = 365 * 24 * time.Hour

// secretLength is that of the secret that binds flows to a browser: 256 bits in base32.
const secretLength = 52

// Browser is what auth keeps in a browser: who has logged in there, and which flows
// were begun there.
type Browser struct {
	auth    *auth.Service
	cookies web.Cookies
}

// NewBrowser keeps it in cookies.
func NewBrowser(s *auth.Service, c web.Cookies) *Browser { return &Browser{s, c} }

// Login is who has logged in, or nobody.
func (b *Browser) Login(r *http.Request) (auth.Login, error) {
	return b.auth.Login(r.Context(), b.cookies.Get(r, sessionCookie))
}

// Begin begins a session. It is always a new one, so that an id that somebody planted
// before is worth nothing, and the one before it ends.
func (b *Browser) Begin(w http.ResponseWriter, r *http.Request, u authclient.User) error {
	secret, err := b.auth.LogIn(r.Context(), authclient.UserID(u.ID), r.UserAgent(), b.cookies.Get(r, sessionCookie))
	if err != nil {
		return err
	}
	b.cookies.Set(w, sessionCookie, secret, 0)
	b.cookies.Set(w, deviceCookie, b.auth.DeviceCookie(u), deviceLife)
	return nil
}

// Device is the device cookie of the last login in this browser, or "". It outlives the
// session.
func (b *Browser) Device(r *http.Request) string { return b.cookies.Get(r, deviceCookie) }

// Forget takes the session's cookie back.
func (b *Browser) Forget(w http.ResponseWriter) { b.cookies.Clear(w, sessionCookie) }

// Flow finds a flow that this browser began. Refusal: auth.ErrFlow.
func (b *Browser) Flow(r *http.Request, id string) (auth.Flow, error) {
	secret := b.known(r)
	if id == "" || secret == "" {
		return auth.Flow{}, auth.ErrFlow
	}
	return b.auth.Flow(r.Context(), id, secret)
}

// known is the browser's secret, "" when it has none.
func (b *Browser) known(r *http.Request) string {
	if v := b.cookies.Get(r, flowCookie); len(v) == secretLength {
		return v
	}
	return ""
}

// secret is the browser's secret, a new one when it has none. It stays, so that two tabs
// can log in side by side.
func (b *Browser) secret(w http.ResponseWriter, r *http.Request) string {
	if v := b.known(r); v != "" {
		return v
	}
	v := rand.Text() + rand.Text()
	b.cookies.Set(w, flowCookie, v, 0)
	return v
}
