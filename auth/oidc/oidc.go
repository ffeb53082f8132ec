// Package oidc is auth's OpenID Connect endpoints, and the only package that sees the
// provider library. The library routes, parses and writes; every decision is ours: its
// own server accepts PKCE downgrades, lets anybody collect anybody's code, advertises
// what it doesn't do and shows storage errors. What it does by default and how that is
// closed stands beside each cure.
package oidc

import (
	"context"
	"net/http"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/op"

	"jishi/auth"
	"jishi/kit/ops"
	"jishi/kit/web"
)

// Prefix is the path of the issuer.
const Prefix = "/auth"

// Paths of the endpoints, below Prefix.
const (
	discoveryPath  = "/.well-known/openid-configuration"
	authorizePath  = "/authorize"
	callbackPath   = "/authorize/callback"
	tokenPath      = "/token"
	userinfoPath   = "/userinfo"
	revokePath     = "/revoke"
	keysPath       = "/keys"
	endSessionPath = "/end_session"
)

// Bypass are the patterns that programs of other origins post to. They read no cookie,
// so protection against forged forms has nothing to protect there.
var Bypass = []string{"POST " + Prefix + tokenPath, "POST " + Prefix + revokePath, "POST " + Prefix + userinfoPath}

// Provider is the endpoints.
type Provider struct {
	auth    *auth.Service
	browser *Browser
	library http.Handler
}

// New makes the endpoints of a service.
func New(s *auth.Service, b *Browser) *Provider {
	p := &Provider{auth: s, browser: b}
	p.library = http.StripPrefix(Prefix, op.RegisterServer(&server{auth: s, browser: b}, op.Endpoints{
		Authorization: op.NewEndpoint(authorizePath),
		Token:         op.NewEndpoint(tokenPath),
		Userinfo:      op.NewEndpoint(userinfoPath),
		Revocation:    op.NewEndpoint(revokePath),
		EndSession:    op.NewEndpoint(endSessionPath),
		JwksURI:       op.NewEndpoint(keysPath),
	},
		op.WithServerCORSOptions(nil), // the default sends every origin credentials
		op.WithEncoder(newEncoder(s.Issuer())),
	))
	return p
}

// Routes adds the endpoints to mux. Methods are checked here and not by the mux: with
// "/" on the same mux a wrong method would be answered with a page.
func (p *Provider) Routes(mux *http.ServeMux) {
	mux.Handle(Prefix+discoveryPath, only(p.library, http.MethodGet, http.MethodHead))
	mux.Handle(Prefix+keysPath, only(p.library, http.MethodGet, http.MethodHead))
	mux.Handle(Prefix+authorizePath, only(p.visit(p.library), http.MethodGet, http.MethodPost))
	mux.Handle(Prefix+callbackPath, only(web.Page(p.callback), http.MethodGet))
	mux.Handle(Prefix+tokenPath, only(secretly(`Basic realm="jishi"`, bodyOnly(p.library)), http.MethodPost))
	mux.Handle(Prefix+revokePath, only(secretly(`Basic realm="jishi"`, bodyOnly(p.library)), http.MethodPost))
	mux.Handle(Prefix+userinfoPath, only(secretly(`Bearer error="invalid_token"`, headerOnly(p.library)), http.MethodGet, http.MethodPost))
	mux.Handle(Prefix+endSessionPath, only(p.visit(p.library), http.MethodGet, http.MethodPost))
}

// only refuses other methods.
func only(next http.Handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ops.Route(r.Context(), r.Pattern)
		for _, m := range methods {
			if r.Method == m {
				next.ServeHTTP(w, r)
				return
			}
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	})
}

// bodyOnly refuses parameters in the address, where they would be logged. The library
// reads both.
func bodyOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			op.WriteError(w, r, errQuery(), nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// headerOnly takes an access token from the header only. The library reads the query too.
func headerOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || !strings.HasPrefix(strings.ToLower(r.Header.Get("Authorization")), "bearer ") {
			op.WriteError(w, r, errBearer(), nil)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secretly keeps tokens out of caches, and says with a 401 how to authenticate (RFC
// 6749, 5.1 and 5.2). The library does neither.
func secretly(challenge string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Pragma", "no-cache")
		next.ServeHTTP(&statusWriter{ResponseWriter: w, change: func(status int) int {
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			return status
		}}, r)
	})
}

// visit makes known which browser it is. After a POST the browser goes on by GET: 303,
// where the library says 302 (RFC 9700, 4.12).
func (p *Provider) visit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		login, err := p.browser.Login(r)
		if err != nil {
			op.WriteError(w, r, refusal(r.Context(), err), nil)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		ctx := context.WithValue(r.Context(), visitKey{}, visit{w, r, login})
		next.ServeHTTP(&statusWriter{ResponseWriter: w, change: func(status int) int {
			if status == http.StatusFound {
				return http.StatusSeeOther
			}
			return status
		}}, r.WithContext(ctx))
	})
}

// visit is the browser of a request.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	login auth.Login // zero when nobody has logged in
}

type visitKey struct{}

func visitOf(ctx context.Context) visit {
	v, _ := ctx.Value(visitKey{}).(visit)
	return v
}

// statusWriter changes the status that the library answers with.
type statusWriter struct {
	http.ResponseWriter
	change func(int) int
}

func (w *statusWriter) WriteHeader(status int) { w.ResponseWriter.WriteHeader(w.change(status)) }
