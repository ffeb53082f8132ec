package oidc

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"jishi/auth"
	"jishi/kit/fault"
	"jishi/kit/web"
)

// once are parameters of which a request has at most one (RFC 6749, 3.1).
var once = []string{"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age", "response_mode"}

// VerifyAuthRequest finds the client. What is wrong here is shown to the browser and
// never redirected, since there is nowhere trustworthy to redirect to.
func (s *server) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	for _, name := range once {
		if len(r.Form[name]) > 1 {
			return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("%s is given twice", name)
		}
	}
	c, err := s.auth.Client(r.Data.ClientID)
	if err != nil {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("unknown client")
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: client{c}}, nil
}

// Authorize stores what the client asks for and sends the browser to log in, or, where
// somebody has, on to the callback.
func (s *server) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	in := r.Data
	switch {
	case in.RequestParam != "":
		return nil, oidc.ErrRequestNotSupported()
	case in.ResponseMode != "" && in.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode must be query")
	// The library asks confidential clients for no PKCE at all, and takes "plain".
	case in.CodeChallenge == "":
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge is needed")
	case in.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	}
	v := visitOf(ctx)
	after := s.after(in)
	loggedIn := v.login.User != "" && !v.login.At.Before(after)
	if slices.Contains(in.Prompt, oidc.PromptNone) && !loggedIn {
		return nil, oidc.ErrLoginRequired()
	}
	flow, err := s.auth.Begin(ctx, auth.Flow{
		Client: in.ClientID, Redirect: in.RedirectURI, State: in.State, Nonce: in.Nonce, Challenge: in.CodeChallenge,
		Scopes: in.Scopes, Resources: r.Form["resource"], After: after, Address: v.r.RemoteAddr,
	}, s.browser.secret(v.w, v.r))
	if err != nil {
		if errors.Is(err, auth.ErrGrant) {
			return nil, oidc.ErrInvalidRequest().WithDescription("a parameter is malformed or too long")
		}
		maps.Copy(v.w.Header(), web.RefusalHeaders(fault.Of(err)))
		return nil, refusal(ctx, err)
	}
	switch {
	case loggedIn:
		return op.NewRedirect(Prefix + callbackPath + "?id=" + url.QueryEscape(flow)), nil
	case slices.Contains(in.Prompt, "create"): // Initiating User Registration via OpenID Connect 1.0
		return op.NewRedirect(RegisterPath + "?flow=" + url.QueryEscape(flow)), nil
	}
	return op.NewRedirect(LoginPath + "?flow=" + url.QueryEscape(flow)), nil
}

// after is the time since when somebody must have logged in. The library has turned
// prompt=login into a max_age of 0.
func (s *server) after(in *oidc.AuthRequest) time.Time {
	if in.MaxAge == nil {
		return time.Time{}
	}
	return s.auth.Now().Add(-time.Duration(*in.MaxAge) * time.Second) // #nosec G115 -- a wrapped max_age asks for a login
}

// Paths of the pages that people log in on.
const (
	LoginPath    = Prefix + "/login"
	RegisterPath = Prefix + "/register"
	LogoutPath   = Prefix + "/logout"
)

// Continue is where a flow goes on after its login.
func Continue(flow string) string { return Prefix + callbackPath + "?id=" + url.QueryEscape(flow) }

// callback hands out the code. The library's own gives it to whoever knows the id of
// the flow, so that a login link sent to a victim ends with a code for the sender; ours
// only to the browser that began it (RFC 9700, 4.7).
func (p *Provider) callback(w http.ResponseWriter, r *http.Request) error {
	ctx, flow := r.Context(), r.URL.Query().Get("id")
	login, err := p.browser.Login(r)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if login.User == "" {
		return web.SeeOther(w, r, LoginPath+"?flow="+url.QueryEscape(flow))
	}
	code, f, err := p.auth.Approve(ctx, flow, p.browser.known(r), login)
	if errors.Is(err, auth.ErrFresh) {
		return web.SeeOther(w, r, LoginPath+"?flow="+url.QueryEscape(flow))
	}
	if err != nil {
		return err
	}
	to, err := url.Parse(f.Redirect)
	if err != nil {
		return err
	}
	q := to.Query()
	q.Set("code", code)
	q.Set("iss", p.auth.Issuer()) // RFC 9207
	if f.State != "" {
		q.Set("state", f.State)
	}
	to.RawQuery = q.Encode()
	return web.SeeOther(w, r, to.String())
}

// encoder adds iss to error responses (RFC 9207), which the library doesn't know.
type encoder struct {
	library *oidcEncoder
	issuer  string
}

func newEncoder(issuer string) encoder { return encoder{oidc.NewEncoder(), issuer} }

func (e encoder) Encode(src any, dst map[string][]string) error {
	if err := e.library.Encode(src, dst); err != nil {
		return err
	}
	dst["iss"] = []string{e.issuer}
	return nil
}
