// Package authguard is what the market's other modules put before their routes: it
// finds out who a request comes from, logs browsers in and out as a relying party of
// auth, checks bearer tokens, and gets the tokens with which a module calls another.
//
// It knows auth only over HTTP, whether that is a network or this process, and begins
// to ask for it when the first request needs it: auth may start later.
package authguard

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"jishi/kit/fault"
	"jishi/kit/ops"
	"jishi/kit/session"
	"jishi/kit/ui"
	"jishi/kit/web"
)

// What the guard itself refuses.
var (
	ErrUnavailable = fault.New(fault.Busy, "auth.unavailable", "Logging in isn't possible at the moment. Please try again in a little while.")
	ErrCallback    = fault.New(fault.Malformed, "auth.callback", "Logging in didn't work. Please begin again.")
)

// Config is a module as auth's client.
type Config struct {
	Name      string         // client id, and the audience that bearer tokens must name: "shop", "pay"
	Issuer    string         // auth's, "https://market.example/auth"
	Secret    string         // the client's
	BaseURL   string         // public base URL of the module, without a trailing slash
	Prefix    string         // path of the module's pages below that, "" or "/pay"
	Resources []string       // audiences of the tokens with which it acts for its users
	HTTP      *http.Client   // the way to auth
	Sessions  *session.Store // of the module's own pages
	Sealer    *web.Sealer    // of tokens in the database and of cookies
	Home      string         // where a login without a way back leads, a local path
	Now       func() time.Time
}

// Guard is one module's. It is safe for concurrent use.
type Guard struct {
	c        Config
	cookies  web.Cookies
	verifier *verifier
	flight   singleflight.Group // exchanges in progress
	cache    *tokenCache
	down     atomic.Int64 // until when auth is not asked about sessions, since it didn't answer; Unix nanoseconds

	mu         sync.Mutex
	discovered *provider // guarded by mu; nil until auth has answered once
}

// provider is auth as it describes itself.
type provider struct {
	endpoint   oauth2.Endpoint
	idToken    *oidc.IDTokenVerifier
	keys       string
	endSession string
}

// New makes a guard. It asks nothing of auth yet.
func New(c Config) *Guard {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Home == "" {
		c.Home = c.Prefix + "/"
	}
	g := &Guard{c: c, cookies: web.CookiesFor(c.BaseURL), cache: newTokenCache(c.Now)}
	g.verifier = newVerifier(c.Issuer, &keySet{http: c.HTTP, now: c.Now, url: func(ctx context.Context) (string, error) {
		p, err := g.provider(ctx)
		if err != nil {
			return "", err
		}
		return p.keys, nil
	}}, c.Now)
	return g
}

// provider reads the discovery document, once. Refusal: ErrUnavailable.
func (g *Guard) provider(ctx context.Context) (*provider, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.discovered != nil {
		return g.discovered, nil
	}
	if g.isDown() { // whoever waited for a try that failed doesn't begin the next
		return nil, ErrUnavailable
	}
	// The answer is for all callers; that the first one leaves must not be auth's fault.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.client(ctx)), keysTimeout)
	defer cancel()
	p, err := oidc.NewProvider(ctx, g.c.Issuer)
	if err != nil {
		return nil, g.failed(err)
	}
	var more struct {
		Keys       string `json:"jwks_uri"`
		EndSession string `json:"end_session_endpoint"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, ErrUnavailable.Because(err)
	}
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // finding out sends the secret twice
	g.discovered = &provider{
		endpoint: endpoint,
		idToken: oidc.NewVerifier(g.c.Issuer, g.verifier, &oidc.Config{
			ClientID: g.c.Name, SupportedSigningAlgs: []string{oidc.ES256}, Now: g.c.Now,
		}),
		keys:       more.Keys,
		endSession: more.EndSession,
	}
	return g.discovered, nil
}

// client has the libraries use our way to auth.
func (g *Guard) client(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, g.c.HTTP)
}

func (g *Guard) oauth(p *provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: g.c.Name, ClientSecret: g.c.Secret, Endpoint: p.endpoint,
		RedirectURL: g.c.BaseURL + g.path("/session/callback"),
		Scopes:      []string{oidc.ScopeOpenID, "profile"},
	}
}

func (g *Guard) path(p string) string { return g.c.Prefix + p }

// Routes adds the routes that log browsers in and out.
func (g *Guard) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+g.path("/session/login"), web.Page(g.login))
	mux.Handle("GET "+g.path("/session/callback"), web.Page(g.callback))
	mux.Handle("POST "+g.path("/logout"), web.Page(g.logout))
	mux.HandleFunc("POST "+g.path("/session/backchannel"), g.backchannel)
}

// Load finds out who a request comes from: on a page by the browser's session, on the
// API by the bearer token. The API takes no cookies, so no other site can make a
// browser call it; a token that isn't good is refused at once.
func (g *Guard) Load(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := g.find(w, r)
		if err != nil {
			if fault.Of(err).Kind == fault.Unauthenticated {
				w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			}
			web.Refuse(w, r, err)
			return
		}
		v := ui.From(r.Context())
		v.Login, v.Logout = g.path("/session/login"), g.path("/logout")
		if c.User != "" {
			v.LoggedIn, v.Name = true, c.Name
			ops.Note(r.Context(), slog.String("user", string(c.User)))
		}
		next.ServeHTTP(w, r.WithContext(with(r.Context(), c)))
	})
}

func (g *Guard) find(w http.ResponseWriter, r *http.Request) (caller, error) {
	if !web.IsAPI(r.URL.Path) {
		return g.fromSession(w, r)
	}
	raw, ok := bearerOf(r)
	if !ok {
		return caller{}, nil
	}
	claims, err := g.verifier.access(r.Context(), raw, g.c.Name)
	if err != nil {
		return caller{}, err
	}
	return caller{Identity: claims.identity(), bearer: raw}, nil
}

func bearerOf(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, "Bearer")
}

// Login lets only users see a page. Others log in and come back: to the page itself, or
// from a form to the page that it stood on, since what was sent is not kept.
func (g *Guard) Login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if User(r.Context()) != "" {
			next.ServeHTTP(w, r)
			return
		}
		back := r.URL.RequestURI()
		if (r.Method != http.MethodGet && r.Method != http.MethodHead) || web.IsFragment(r) {
			back = g.referer(r)
		}
		_ = web.SeeOther(w, r, g.path("/session/login")+"?return="+url.QueryEscape(back)) // never fails
	})
}

// referer is the path of our own page that a request was sent from, or home.
func (g *Guard) referer(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Scheme+"://"+u.Host != g.c.BaseURL {
		return g.c.Home
	}
	return web.LocalPath(u.RequestURI(), g.c.Home)
}
