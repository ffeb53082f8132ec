package authguard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"jishi/auth/authclient"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/ui"
	"jishi/kit/web"
)

const (
	// loginLife is how long somebody may take to log in.
	loginLife = time.Hour
	// What one browser keeps of logins. Every request carries those of shop and pay in one line with
	// all other cookies, a guest's full cart of 3.9 kB among them, and a proxy may refuse a line of
	// over 8 kB whatever page it is for (nginx, large_client_header_buffers).
	maxAttempts = 5    // of a module
	maxAttempt  = 1200 // bytes of one, before it is sealed
	maxLine     = 1750 // bytes of all of a module, as the browser sends them
)

// attempt is a login that was begun and waits in the browser, sealed, until it comes
// back. Each has its own cookie, so that two tabs can log in side by side.
type attempt struct {
	State     string    `json:"state"`
	Nonce     string    `json:"nonce"`
	Verifier  string    `json:"verifier"`
	Return    string    `json:"return"`
	ExpiresAt time.Time `json:"expires_at"`
}

// stateLength is that of rand.Text, markLength how much of it names the cookie.
const (
	stateLength = 26
	markLength  = 8
)

func (g *Guard) attemptCookie(mark string) string { return "jishi_" + g.c.Name + "_login_" + mark }

func (g *Guard) attemptPurpose() string { return "login of " + g.c.Name }

// login sends the browser to auth.
func (g *Guard) login(w http.ResponseWriter, r *http.Request) error {
	back := web.LocalPath(r.URL.Query().Get("return"), g.c.Home)
	c, err := g.fromSession(w, r)
	if err != nil {
		return err
	}
	if c.User != "" {
		return web.SeeOther(w, r, back)
	}
	p, err := g.provider(r.Context())
	if err != nil {
		return err
	}
	a := attempt{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Return: back, ExpiresAt: g.c.Now().Add(loginLife).UTC().Truncate(time.Second),
	}
	if err := g.keep(w, r, a); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	to := g.oauth(p).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier))
	for _, resource := range g.c.Resources { // RFC 8707
		to += "&resource=" + url.QueryEscape(resource)
	}
	return web.SeeOther(w, r, to)
}

// keep puts an attempt into the browser, in place of the oldest where there are too many.
func (g *Guard) keep(w http.ResponseWriter, r *http.Request, a attempt) error {
	plain, err := json.Marshal(a)
	if err == nil && len(plain) > maxAttempt {
		a.Return = g.c.Home
		plain, err = json.Marshal(a)
	}
	if err != nil {
		return err
	}
	name, sealed := g.attemptCookie(a.State[:markLength]), g.c.Sealer.Seal(g.attemptPurpose(), plain)
	n, line := 1, inLine(g.cookies.Name(name), sealed)
	for _, c := range slices.Backward(r.Cookies()) { // browsers send the oldest first (RFC 6265, 5.4)
		mark, ok := strings.CutPrefix(c.Name, g.cookies.Name(g.attemptCookie("")))
		if !ok {
			continue
		}
		n++
		if line += inLine(c.Name, c.Value); n > maxAttempts || line > maxLine {
			g.cookies.Clear(w, g.attemptCookie(mark))
		}
	}
	g.cookies.Set(w, name, sealed, loginLife)
	return nil
}

// inLine is how many bytes a cookie has in the line that browsers send.
func inLine(name, value string) int { return len(name) + len("=") + len(value) + len("; ") }

// began finds the attempt that a callback belongs to, in the browser that began it.
func (g *Guard) began(w http.ResponseWriter, r *http.Request) (attempt, bool) {
	var a attempt
	state := r.URL.Query().Get("state")
	if len(state) != stateLength {
		return a, false
	}
	name := g.attemptCookie(state[:markLength])
	plain, err := g.c.Sealer.Open(g.attemptPurpose(), g.cookies.Get(r, name))
	if err != nil || json.Unmarshal(plain, &a) != nil {
		return a, false
	}
	g.cookies.Clear(w, name)
	return a, subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) == 1 && g.c.Now().Before(a.ExpiresAt)
}

// callback takes the code that auth sent the browser back with.
func (g *Guard) callback(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	w.Header().Set("Cache-Control", "no-store")
	ui.From(ctx).WayOut = ui.Link{URL: g.path("/session/login"), Text: locale.T(ctx, "ui.login")}
	a, ok := g.began(w, r)
	if !ok {
		// Most often the back button after a login: that is done already.
		if c, err := g.fromSession(w, r); err != nil || c.User != "" {
			if err != nil {
				return err
			}
			return web.SeeOther(w, r, g.c.Home)
		}
		return ErrCallback
	}
	if q.Get("iss") != g.c.Issuer { // an answer of another provider (RFC 9207)
		return ErrCallback
	}
	if e := q.Get("error"); e != "" {
		ops.Note(ctx, slog.String("oauth_error", e))
		return ErrCallback
	}
	p, err := g.provider(ctx)
	if err != nil {
		return err
	}
	t, err := g.oauth(p).Exchange(g.client(ctx), q.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		if a := answerOf(err); a.Response != nil && a.Response.StatusCode < http.StatusInternalServerError && a.ErrorCode != "invalid_client" {
			return ErrCallback.Because(err) // what the browser brought along may be anything
		}
		return g.failed(err)
	}
	id, err := p.identify(ctx, t)
	if err != nil {
		return ErrCallback.Because(err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return ErrCallback
	}
	err = g.begin(w, r, authclient.UserID(id.Subject), id.SessionID, tokens{
		Name: id.Name, Access: t.AccessToken, Refresh: t.RefreshToken, ID: id.raw, ExpiresAt: g.expiry(t),
	})
	if err != nil {
		return err
	}
	return web.SeeOther(w, r, web.LocalPath(a.Return, g.c.Home))
}

// idToken is an id_token that was checked.
type idToken struct {
	*oidc.IDToken
	raw       string
	SessionID string
	Name      string
}

// identify checks the id_token of an answer, and that the access token belongs to it.
func (p *provider) identify(ctx context.Context, answer *oauth2.Token) (idToken, error) {
	raw, _ := answer.Extra("id_token").(string)
	t, err := p.idToken.Verify(ctx, raw)
	if err != nil {
		return idToken{}, err
	}
	var more struct {
		SessionID string `json:"sid"`
		Name      string `json:"name"`
	}
	if err := t.Claims(&more); err != nil {
		return idToken{}, err
	}
	return idToken{t, raw, more.SessionID, more.Name}, t.VerifyAccessToken(answer.AccessToken)
}

// logout ends the module's session and then, at auth, that of the whole market, also where
// only that one is left. Where auth is must be known before anything ends: half a logout
// looks like a whole one.
func (g *Guard) logout(w http.ResponseWriter, r *http.Request) error {
	c, err := g.fromSession(w, r)
	if err != nil {
		return err
	}
	p, err := g.provider(r.Context())
	if err != nil {
		return err
	}
	q := url.Values{
		"client_id":                {g.c.Name},
		"post_logout_redirect_uri": {g.c.BaseURL + g.path("/")},
	}
	if c.session != nil {
		if err := g.end(w, r, c.session.row); err != nil {
			return err
		}
		q.Set("id_token_hint", c.session.tokens.ID) // without it auth asks the user
	}
	return web.SeeOther(w, r, p.endSession+"?"+q.Encode())
}

// backchannel is told by auth that a session of the market is over (OpenID Connect
// Back-Channel Logout 1.0).
func (g *Guard) backchannel(w http.ResponseWriter, r *http.Request) {
	ops.Route(r.Context(), r.Pattern)
	w.Header().Set("Cache-Control", "no-store")
	form, err := web.Form(r)
	if err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	sid, err := g.verifier.logout(r.Context(), form.Get("logout_token"), g.c.Name)
	if err != nil {
		ops.Failed(r.Context(), err)
		http.Error(w, "invalid logout token", http.StatusBadRequest)
		return
	}
	if err := g.c.Sessions.DeleteBySID(r.Context(), sid); err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}
