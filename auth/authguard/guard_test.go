package authguard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth"
	"jishi/auth/authguard"
	"jishi/auth/authtest"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/session"
	"jishi/kit/web"
)

const base = "http://market.example"

// market is auth with the modules shop and pay beside it.
type market struct {
	*authtest.Market
	shop, pay *authguard.Guard
}

// hello shows who reads the page.
func hello(w http.ResponseWriter, r *http.Request) {
	id := authguard.From(r.Context())
	fmt.Fprintf(w, "hello %s (%s) by %s", id.User, id.Name, id.Client)
}

// program lets only those in who have brought a token, as the doors for programs do.
func program(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := authguard.From(r.Context()); id.User == "" && !id.Service {
			web.WriteProblem(w, r, fault.ErrUnauthenticated)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func setUp(t *testing.T, base string, way func(*authtest.Market) *http.Client) *market {
	t.Helper()
	open := func() *database.DB { return dbtest.Open(t, dbtest.SQLite(t), auth.Migrate) }
	m := &market{Market: authtest.New(t, open(), base)}
	m.shop = m.Guard(open(), "shop", "", []string{"pay"}, way(m.Market))
	m.pay = m.Guard(open(), "pay", "/pay", nil, way(m.Market))
	page := http.HandlerFunc(hello)
	m.Mux.Handle("GET /{$}", m.shop.Load(page))
	m.Mux.Handle("/home", m.shop.Load(m.shop.Login(page)))
	m.Mux.Handle("/pay/{$}", m.pay.Load(m.pay.Login(page)))
	m.Mux.Handle("/api/me", m.shop.Load(program(page)))
	m.Mux.Handle("/pay/api/me", m.pay.Load(program(page)))
	token := func(w http.ResponseWriter, r *http.Request) {
		token, err := m.shop.Token(r.Context())
		if err != nil {
			web.WriteProblem(w, r, err)
			return
		}
		fmt.Fprint(w, token)
	}
	m.Mux.Handle("/token", m.shop.Load(http.HandlerFunc(token)))
	m.Mux.Handle("/api/token", m.shop.Load(program(http.HandlerFunc(token))))
	return m
}

func inMemory(t *testing.T) *market {
	return setUp(t, base, func(m *authtest.Market) *http.Client { return m.HTTP() })
}

// each runs a test in memory and over sockets: it is one protocol.
func each(t *testing.T, fn func(t *testing.T, m *market, open func() *authtest.Browser)) {
	t.Run("memory", func(t *testing.T) {
		m := inMemory(t)
		fn(t, m, func() *authtest.Browser { return m.Open(t) })
	})
	t.Run("socket", func(t *testing.T) {
		var handler http.Handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		m := setUp(t, server.URL, func(*authtest.Market) *http.Client { return &http.Client{Timeout: 5 * time.Second} })
		handler = m.Handler
		fn(t, m, func() *authtest.Browser { return authtest.NewBrowser(t, server.URL, nil) })
	})
}

func want(t *testing.T, p authtest.Page, status int, path, text string) {
	t.Helper()
	if p.Status != status || p.URL.Path != path || !strings.Contains(p.Body, text) {
		t.Fatalf("got %d at %s, want %d at %s with %q:\n%s", p.Status, p.URL, status, path, text, p.Body)
	}
}

// Somebody logs in at the shop, is known at pay without a question, and is logged out of
// both by logging out of one.
func TestLogInAndOut(t *testing.T) {
	each(t, func(t *testing.T, m *market, open func() *authtest.Browser) {
		alice := m.Register(t, "13800138000")
		b, other := open(), open()

		want(t, b.Get("/"), 200, "/", "hello  () by")
		login := b.Get("/home?x=1&y=2")
		want(t, login, 200, "/auth/login", "请登录")
		home := b.LogIn(login, "138 0013 8000")
		want(t, home, 200, "/home", "hello "+alice.ID+" (138****8000) by shop")
		if home.URL.RawQuery != "x=1&y=2" {
			t.Errorf("came back to %s", home.URL)
		}
		want(t, b.Get("/pay/"), 200, "/pay/", "hello "+alice.ID)
		want(t, b.Get("/auth/login"), 200, "/home", "by shop") // goes on to the shop's home by itself

		m.Register(t, "bob@example.com")
		want(t, other.LogIn(other.Get("/home"), "bob@example.com"), 200, "/home", "by shop")

		want(t, b.Post("/logout", url.Values{}), 200, "/", "hello  ()")
		want(t, b.Get("/home"), 200, "/auth/login", "请登录")
		want(t, b.Get("/pay/"), 200, "/auth/login", "请登录")
		want(t, other.Get("/home"), 200, "/home", "by shop")
	})
}

// Registering logs in and goes on to where one was.
func TestRegisterOnTheWay(t *testing.T) {
	each(t, func(t *testing.T, m *market, open func() *authtest.Browser) {
		b := open()
		login := b.Get("/pay/")
		_, link, _ := strings.Cut(login.Body, `href="/auth/register?`)
		query, _, _ := strings.Cut(link, `"`)
		p := b.Get("/auth/register?" + query)
		want(t, p, 200, "/auth/register", "新用户注册")
		p = b.Post("/auth/register", p.Form("register", "identifier", "carol@example.com", "password", authtest.Password, "password_repeat", "another", "name", "Carol <3"))
		want(t, p, 422, "/auth/register", "两次输入的密码不一致")
		if !strings.Contains(p.Body, `value="carol@example.com"`) || !strings.Contains(p.Body, "Carol &lt;3") || strings.Contains(p.Body, authtest.Password) {
			t.Errorf("what was typed doesn't stay, or the password does:\n%s", p.Body)
		}
		p = b.Post("/auth/register", p.Form("register", "identifier", "carol@example.com", "password", authtest.Password, "password_repeat", authtest.Password, "name", "Carol"))
		want(t, p, 200, "/pay/", "(Carol) by pay")
	})
}

// S1: a new session at each login; what was planted before is worth nothing, and what
// was logged out opens nothing.
func TestSessionsAreNew(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	b := m.Open(t)
	planted := strings.Repeat("A", 43)
	for _, name := range []string{"jishi_shop", "jishi_auth"} {
		b.Plant(name, planted)
	}
	b.LogIn(b.Get("/home"), "13800138000")
	first := b.Cookie("jishi_shop")
	if first == planted || b.Cookie("jishi_auth") == planted || first == "" {
		t.Error("a planted session was taken over")
	}
	b.Post("/logout", url.Values{})
	b.LogIn(b.Get("/home"), "13800138000")
	if b.Cookie("jishi_shop") == first {
		t.Error("two logins have one session")
	}
	thief := m.Open(t)
	thief.Plant("jishi_shop", first)
	want(t, thief.Get("/home"), 200, "/auth/login", "请登录")
}

// A way back that leads elsewhere is not taken.
func TestNoOpenRedirect(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example/`, "/\t/evil.example", "javascript:alert(1)"} {
		b := m.Open(t)
		p := b.LogIn(b.Get("/session/login?return="+url.QueryEscape(back)), "13800138000")
		want(t, p, 200, "/", "by shop")
		p = b.Still().Get("/session/login?return=" + url.QueryEscape(back))
		if to := p.Header.Get("Location"); to != "/" {
			t.Errorf("%q leads to %s", back, to)
		}
		p = b.Still().Get("/auth/login?return=" + url.QueryEscape(back))
		if to := p.Header.Get("Location"); to != "/home" {
			t.Errorf("%q leads to %s after login", back, to)
		}
	}
}

// A9: an answer that doesn't say whose it is, or is another's, is not taken.
func TestCallbackChecksWhoseAnswerItIs(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	for what, change := range map[string]func(url.Values){
		"no iss":      func(q url.Values) { q.Del("iss") },
		"wrong iss":   func(q url.Values) { q.Set("iss", "https://evil.example") },
		"wrong state": func(q url.Values) { q.Set("state", strings.Repeat("A", 26)) },
		"no state":    func(q url.Values) { q.Del("state") },
		"wrong code":  func(q url.Values) { q.Set("code", "x") },
		"an error":    func(q url.Values) { q.Set("error", "access_denied") },
	} {
		b := m.Open(t)
		b.Still().LogIn(b.Get("/auth/login"), "13800138000")
		p := b.Still().Get(b.Still().Get("/session/login").Header.Get("Location"))
		p = b.Still().Get(p.Header.Get("Location"))
		callback, err := url.Parse(p.Header.Get("Location"))
		if err != nil || callback.Path != "/session/callback" {
			t.Fatalf("%s: %s, %v", what, callback, err)
		}
		q := callback.Query()
		change(q)
		p = b.Get("/session/callback?" + q.Encode())
		if p.Status != 400 || b.Cookie("jishi_shop") != "" {
			t.Errorf("%s: got %d", what, p.Status)
		}
		if _, main, _ := strings.Cut(p.Body, "<main"); !strings.Contains(main, `href="/session/login"`) {
			t.Errorf("%s: the page doesn't lead to the login", what)
		}
	}
	// Another browser's answer, as a link.
	a, victim := m.Open(t), m.Open(t)
	a.Still().LogIn(a.Get("/auth/login"), "13800138000")
	p := a.Still().Get(a.Still().Get("/session/login").Header.Get("Location"))
	p = a.Still().Get(p.Header.Get("Location"))
	if p := victim.Get(p.Header.Get("Location")); p.Status != 400 || victim.Cookie("jishi_shop") != "" {
		t.Errorf("login CSRF: got %d", p.Status)
	}
}

// A form that needs a user leads to the login and back to the page that it stood on.
func TestFormsComeBackToTheirPage(t *testing.T) {
	m := inMemory(t)
	r := httptest.NewRequest(http.MethodPost, base+"/home", nil)
	for referer, back := range map[string]string{
		base + "/products/1?x=2": "/products/1?x=2", "https://evil.example/x": "/", "": "/", base + "//evil.example": "/",
	} {
		r.Header.Set("Referer", referer)
		w := httptest.NewRecorder()
		m.Handler.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != 303 || got != "/session/login?return="+url.QueryEscape(back) {
			t.Errorf("%s: got %d %s, want %s", referer, w.Code, got, back)
		}
	}
}

// The session's token is for pay, in the shop's name; a program's is exchanged for such
// a one; a job has its own.
func TestTokensForAnotherModule(t *testing.T) {
	m := inMemory(t)
	alice := m.Register(t, "13800138000")
	b := m.Open(t)
	b.LogIn(b.Get("/home"), "13800138000")
	mine, err := m.Auth.IssueToken(t.Context(), "13800138000", []string{"shop", "auth"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	session, exchanged := b.Get("/token").Body, call(m, "/api/token", mine).Body.String()
	for what, token := range map[string]string{"session": session, "exchange": exchanged} {
		c, err := m.Auth.Access(t.Context(), token, "pay")
		if err != nil || c.Subject != alice.ID || c.Client != "shop" {
			t.Errorf("%s: got %+v, %v", what, c, err)
		}
		if w := call(m, "/pay/api/me", token); w.Code != 200 || !strings.Contains(w.Body.String(), alice.ID) {
			t.Errorf("%s: pay answers %d %s", what, w.Code, w.Body)
		}
		if w := call(m, "/api/me", token); w.Code != 401 {
			t.Errorf("%s: the shop answers %d to a token for pay", what, w.Code)
		}
	}
	if again := call(m, "/api/token", mine).Body.String(); again != exchanged {
		t.Error("the exchange isn't remembered")
	}
	own, err := m.shop.ServiceToken("pay")(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if w := call(m, "/pay/api/me", own); w.Code != 200 || !strings.Contains(w.Body.String(), "hello  () by shop") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if _, err := m.shop.ServiceToken("bank")(t.Context()); err == nil {
		t.Error("a token for an unknown audience")
	}
	if w := call(m, "/pay/api/me", ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("nobody: got %d %v", w.Code, w.Header())
	}
}

func call(m *market, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, base+path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	m.Handler.ServeHTTP(w, r)
	return w
}

// The API takes no cookie: no other site can make a browser call it.
func TestTheAPITakesNoSession(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	b := m.Open(t)
	b.LogIn(b.Get("/home"), "13800138000")
	if p := b.Get("/api/me"); p.Status != 401 {
		t.Errorf("got %d", p.Status)
	}
}

// Whoever is logged in can look around while nothing can be written, at a module and at auth.
func TestLookingAroundWithoutWrites(t *testing.T) {
	open := func() *database.DB { return dbtest.Open(t, dbtest.SQLite(t), auth.Migrate) }
	db, m := open(), authtest.New(t, open(), base)
	shop := m.Guard(db, "shop", "", []string{"pay"}, m.HTTP())
	m.Mux.Handle("/home", shop.Load(shop.Login(http.HandlerFunc(hello))))
	m.Register(t, "13800138000")
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")
	for _, db := range []*database.DB{db, m.DB} {
		exec := func(statement string, args ...any) error {
			return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error { // on the connection that writes
				_, err := tx.NewRaw(statement, args...).Exec(ctx)
				return err
			})
		}
		err := errors.Join(
			exec("UPDATE sessions SET seen_at = seen_at - ?", (2*time.Minute).Microseconds()),
			exec("PRAGMA query_only = 1"))
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, b.Get("/home"), 200, "/home", "by shop")
	want(t, b.Get("/auth/account"), 200, "/auth/account", "138")
}

// Many requests of a session whose token is over renew it once, on two replicas.
func TestRenewalIsDoneOnce(t *testing.T) {
	open := func() *database.DB { return dbtest.Open(t, dbtest.SQLite(t), auth.Migrate) }
	var mu sync.Mutex
	ahead := time.Duration(0)
	now := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(ahead)
	}
	m := authtest.New(t, open(), base, func(c *auth.Config) { c.Now = now })
	var refreshes atomic.Int64
	counting := &http.Client{Transport: counter{m.HTTP().Transport, &refreshes}}
	db, page := open(), http.HandlerFunc(hello)
	replica := func() *authguard.Guard {
		return authguard.New(authguard.Config{
			Name: "shop", Issuer: base + "/auth", Secret: m.Secret("shop"), BaseURL: base, Resources: []string{"pay"}, HTTP: counting,
			Sessions: session.New(db, session.Config{Now: now}), Sealer: web.NewSealer(m.Secrets.Key("sessions")), Now: now,
		})
	}
	one, two := replica(), replica()
	one.Routes(m.Mux)
	m.Mux.Handle("/home", one.Load(one.Login(page)))
	m.Mux.Handle("/two", two.Load(two.Login(page)))
	m.Register(t, "13800138000")
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")

	for round := range 3 {
		mu.Lock()
		ahead += 6 * time.Minute
		mu.Unlock()
		refreshes.Store(0)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				path := []string{"/home", "/two"}[i%2]
				if p := b.Get(path); p.Status != 200 || p.URL.Path != path {
					t.Errorf("round %d: %s ended at %s", round, path, p.URL)
				}
			})
		}
		wg.Wait()
		if n := refreshes.Load(); n != 1 {
			t.Errorf("round %d: %d refreshes, want 1", round, n)
		}
	}
}

// counter counts calls of the token endpoint.
type counter struct {
	http.RoundTripper
	n *atomic.Int64
}

func (c counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/token") {
		c.n.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

// way is the way to auth of a test that decides what comes of a call; nil lets it through.
type way struct {
	http.RoundTripper
	answer func(r *http.Request) *http.Response
}

func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.answer != nil {
		if res := w.answer(r); res != nil {
			return res, nil
		}
	}
	return w.RoundTripper.RoundTrip(r)
}

// through is a market whose shop goes to auth on a way, and at a time, of the test's.
func through(t *testing.T) (*authtest.Market, *way, *atomic.Int64) {
	t.Helper()
	open := func() *database.DB { return dbtest.Open(t, dbtest.SQLite(t), auth.Migrate) }
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	m := authtest.New(t, open(), base, func(c *auth.Config) { c.Now = now })
	w := &way{RoundTripper: m.HTTP().Transport}
	shop := authguard.New(authguard.Config{
		Name: "shop", Issuer: base + "/auth", Secret: m.Secret("shop"), BaseURL: base, Resources: []string{"pay"}, HTTP: &http.Client{Transport: w},
		Sessions: session.New(open(), session.Config{Now: now}), Sealer: web.NewSealer(m.Secrets.Key("sessions")), Now: now,
	})
	shop.Routes(m.Mux)
	m.Mux.Handle("/home", shop.Load(shop.Login(http.HandlerFunc(hello))))
	m.Register(t, "13800138000")
	return m, w, &ahead
}

func answering(status int, body string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.WriteString(body)
	return w.Result()
}

// A session ends when auth says that its grant is over, and not when something else answers
// in its place.
func TestOnlyAuthEndsASession(t *testing.T) {
	m, w, ahead := through(t)
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")
	b = b.Still() // doesn't log in anew
	ahead.Add(int64(6 * time.Minute))
	asked := 0
	for _, res := range []struct {
		status int
		body   string
	}{{400, ""}, {401, "{}"}, {403, "<h1>no"}, {404, `{"error": "not here"}`}, {429, ""}, {400, `{"error": "invalid_request"}`}, {401, `{"error": "invalid_client"}`}} {
		w.answer = func(*http.Request) *http.Response { asked++; return answering(res.status, res.body) }
		ahead.Add(int64(time.Minute))
		want(t, b.Get("/home"), 200, "/home", "by shop")
	}
	if asked != 7 {
		t.Errorf("the way was asked %d times, want 7", asked)
	}
	w.answer = nil
	ahead.Add(int64(time.Minute))
	want(t, b.Get("/home"), 200, "/home", "by shop")
	ahead.Add(int64(6 * time.Minute))
	w.answer = func(*http.Request) *http.Response { return answering(400, `{"error": "invalid_grant"}`) }
	want(t, b.Get("/home"), 303, "/home", "")
}

// An answer that got lost after auth had committed is asked for again.
func TestALostRenewalIsAskedForAgain(t *testing.T) {
	m, w, ahead := through(t)
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")
	b = b.Still() // doesn't log in anew
	ahead.Add(int64(6 * time.Minute))
	w.answer = func(r *http.Request) *http.Response {
		res, err := w.RoundTripper.RoundTrip(r)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("auth answers %+v, %v", res, err)
		}
		return answering(http.StatusGatewayTimeout, "")
	}
	want(t, b.Get("/home"), 200, "/home", "by shop")
	w.answer = nil
	for range 3 {
		ahead.Add(int64(30 * time.Second))
		want(t, b.Get("/home"), 200, "/home", "by shop")
	}
	ahead.Add(int64(6 * time.Minute))
	want(t, b.Get("/home"), 200, "/home", "by shop")
}

// As long as nobody knows where auth's endpoints are, one asks and the others don't each wait
// for the same; that the one leaves is not auth's fault.
func TestOneAsksForAuth(t *testing.T) {
	m, w, ahead := through(t)
	b := m.Open(t).Still()
	var asked atomic.Int64
	w.answer = func(*http.Request) *http.Response {
		asked.Add(1)
		return answering(http.StatusBadGateway, "")
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if p := b.Get("/session/login"); p.Status != 503 {
				t.Errorf("got %d, want 503", p.Status)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("auth was asked %d times, want once", n)
	}
	w.answer = nil
	ahead.Add(int64(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, base+"/session/login", nil))
	if p := b.Get("/session/login"); p.Status != 303 {
		t.Errorf("after somebody left: got %d, want 303", p.Status)
	}
}

// A name that somebody gives themselves is the one that the modules know as soon as the token
// with the old one is over.
func TestANewName(t *testing.T) {
	m, _, ahead := through(t)
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "(138****8000)")
	account := b.Get("/auth/account")
	want(t, b.Post("/auth/account", account.Form("account", "name", "Alice")), 200, "/auth/account", "Alice")
	ahead.Add(int64(5 * time.Minute))
	want(t, b.Still().Get("/home"), 200, "/home", "(Alice) by shop")
}

// What a session is renewed with is its own user's, or isn't taken and asked for again.
func TestARenewalIsTheUsersOwn(t *testing.T) {
	m, w, ahead := through(t)
	m.Register(t, "bob@example.com")
	alice, bob := m.Open(t), m.Open(t)
	want(t, bob.LogIn(bob.Get("/home"), "bob@example.com"), 200, "/home", "(b***@example.com)")
	want(t, alice.LogIn(alice.Get("/home"), "13800138000"), 200, "/home", "(138****8000)")
	account := alice.Get("/auth/account")
	want(t, alice.Post("/auth/account", account.Form("account", "name", "Alice")), 200, "/auth/account", "Alice")
	alice, bob = alice.Still(), bob.Still() // don't log in anew
	ahead.Add(int64(6 * time.Minute))
	var bobs []byte
	w.answer = func(r *http.Request) *http.Response {
		if bobs == nil {
			res, err := w.RoundTripper.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return nil
			}
			if bobs, err = io.ReadAll(res.Body); err != nil {
				t.Error(err)
			}
		}
		return answering(http.StatusOK, string(bobs))
	}
	want(t, bob.Get("/home"), 200, "/home", "(b***@example.com)")
	want(t, alice.Get("/home"), 200, "/home", "(138****8000)")
	w.answer = nil
	ahead.Add(int64(30 * time.Second))
	want(t, alice.Get("/home"), 200, "/home", "(Alice)")
}

// Nobody is half logged out by a replica of the shop that doesn't know where auth is: as long as
// auth is away they stay logged in, and then they are logged out of all of the market.
func TestLogOutWhileAuthIsAway(t *testing.T) {
	open := func() *database.DB { return dbtest.Open(t, dbtest.SQLite(t), auth.Migrate) }
	db, m := open(), authtest.New(t, open(), base)
	w, page := &way{RoundTripper: m.HTTP().Transport}, http.HandlerFunc(hello)
	replica := func() http.Handler {
		own := *m
		own.Mux = http.NewServeMux()
		g := own.Guard(db, "shop", "", []string{"pay"}, &http.Client{Transport: w})
		own.Mux.Handle("/{$}", g.Load(page))
		own.Mux.Handle("/home", g.Load(g.Login(page)))
		return own.Mux
	}
	shop := replica()
	m.Mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { shop.ServeHTTP(w, r) })
	pay := m.Guard(open(), "pay", "/pay", nil, m.HTTP())
	m.Mux.Handle("/pay/{$}", pay.Load(pay.Login(page)))
	m.Register(t, "13800138000")
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")
	want(t, b.Get("/pay/"), 200, "/pay/", "by pay")

	w.answer = func(*http.Request) *http.Response { return answering(http.StatusBadGateway, "") }
	shop = replica()
	want(t, b.Post("/logout", url.Values{}), 503, "/logout", "退出")
	want(t, b.Still().Get("/home"), 200, "/home", "by shop")

	w.answer = nil
	shop = replica()
	want(t, b.Post("/logout", url.Values{}), 200, "/", "hello  ()")
	want(t, b.Get("/home"), 200, "/auth/login", "请登录")
	want(t, b.Get("/pay/"), 200, "/auth/login", "请登录")
}

// Where only the shop's own session is over, auth is asked all the same to log out, and asks
// the user, since nothing proves that they have pressed the button.
func TestLogOutWithoutASession(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	b := m.Open(t)
	want(t, b.LogIn(b.Get("/home"), "13800138000"), 200, "/home", "by shop")
	want(t, b.Get("/pay/"), 200, "/pay/", "by pay")

	b.Plant("jishi_shop", "")
	question := b.Post("/logout", url.Values{})
	want(t, question, 200, "/auth/logout", "要在此浏览器中退出集市的所有部分吗")
	want(t, b.Get("/pay/"), 200, "/pay/", "by pay")
	want(t, b.Post("/auth/logout", question.Form("logout")), 200, "/", "hello  ()")
	want(t, b.Get("/pay/"), 200, "/auth/login", "请登录")
	want(t, b.Get("/home"), 200, "/auth/login", "请登录")

	want(t, b.Post("/logout", url.Values{}), 200, "/", "hello  ()") // nobody is asked nothing
}

// A browser keeps a few logins that were begun, so that tabs can log in side by side; of more
// the oldest are given up.
func TestLoginsSideBySide(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	b := m.Open(t)
	var tabs []authtest.Page
	for i := range 7 {
		tabs = append(tabs, b.Get(fmt.Sprintf("/home?tab=%d", i)))
	}
	want(t, b.LogIn(tabs[1], "13800138000"), 400, "/session/callback", "登录没有成功")
	for i, tab := range tabs[2:] {
		p := b.LogIn(tab, "13800138000")
		want(t, p, 200, "/home", "by shop")
		if p.URL.RawQuery != fmt.Sprintf("tab=%d", i+2) {
			t.Errorf("tab %d came back to %s", i+2, p.URL)
		}
	}
}

// Where a login was begun on a page with a very long address it leads home.
func TestALongWayBack(t *testing.T) {
	m := inMemory(t)
	m.Register(t, "13800138000")
	for back, path := range map[string]string{
		"/home?q=" + strings.Repeat("%E8%8C%B6", 100): "/home", // a search may be that long
		"/home?" + strings.Repeat("&", 1900):          "/",
		"/home?q=" + strings.Repeat("x", 1900):        "/",
	} {
		b := m.Open(t)
		want(t, b.LogIn(b.Get("/session/login?return="+url.QueryEscape(back)), "13800138000"), 200, path, "by shop")
	}
}
