package oidc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth"
	"jishi/auth/authtest"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

const (
	base      = "http://market.example"
	issuer    = base + "/auth"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636, appendix B
	alice     = "13800138000"
)

func market(t *testing.T, change ...func(*auth.Config)) *authtest.Market {
	t.Helper()
	m := authtest.New(t, dbtest.Open(t, dbtest.SQLite(t), auth.Migrate), base, change...)
	m.Register(t, alice)
	return m
}

// authorize is a good authorization request of the shop's, with changes; "" takes a
// parameter away.
func authorize(pairs ...string) string {
	q := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {base + "/session/callback"}, "scope": {"openid profile"},
		"state": {"st"}, "nonce": {"no"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}, "resource": {"pay"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return "/auth/authorize?" + q.Encode()
}

// location is where a page leads.
func location(t *testing.T, p authtest.Page) *url.URL {
	t.Helper()
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || p.Header.Get("Location") == "" {
		t.Fatalf("leads nowhere: %d, %v: %s", p.Status, err, p.Body)
	}
	return u
}

// code logs somebody in and gives the code of a flow.
func code(t *testing.T, m *authtest.Market, pairs ...string) string {
	t.Helper()
	b := m.Open(t).Still()
	login := b.Get(location(t, b.Get(authorize(pairs...))).String())
	back := location(t, b.Get(location(t, b.LogIn(login, alice)).String()))
	if back.Query().Get("code") == "" {
		t.Fatalf("no code in %s", back)
	}
	return back.Query().Get("code")
}

// answer is what the token endpoint says.
type answer struct {
	Status  int
	Header  http.Header
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Error   string `json:"error"`
	Body    string `json:"-"`
}

func post(m *authtest.Market, client, path string, form url.Values) answer {
	r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if client != "" {
		r.SetBasicAuth(client, m.Secret(client))
	}
	return send(m, r)
}

func send(m *authtest.Market, r *http.Request) answer {
	w := httptest.NewRecorder()
	m.Handler.ServeHTTP(w, r)
	a := answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a) // not every answer is JSON
	return a
}

func exchange(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {base + "/session/callback"}, "code_verifier": {verifier}}
}

func refresh(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

func refused(t *testing.T, what string, a answer, status int, word string) {
	t.Helper()
	if a.Status != status || a.Error != word || a.Access != "" {
		t.Errorf("%s: got %d %s, want %d %s", what, a.Status, a.Body, status, word)
	}
}

// Pitfall 1, A8: a flow that was begun in one browser can neither be logged in to nor
// collected from another.
func TestPitfall1FlowHijack(t *testing.T) {
	m := market(t)
	attacker, victim := m.Open(t).Still(), m.Open(t).Still()
	victim.Get(authorize())                                 // the victim's browser has a secret of its own
	link := location(t, attacker.Get(authorize())).String() // the attacker sends the victim this
	page := victim.Get(link)
	if strings.Contains(page.Body, `name="flow"`) {
		t.Error("the victim's login form goes on with the attacker's flow")
	}
	after := location(t, victim.LogIn(page, alice))
	if strings.Contains(after.Path, "callback") {
		t.Errorf("the victim goes on to %s", after)
	}
	flow, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	callback := "/auth/authorize/callback?id=" + flow.Query().Get("flow")
	for who, b := range map[string]*authtest.Browser{"attacker": attacker, "victim": victim} {
		if p := b.Get(callback); strings.Contains(p.Header.Get("Location"), "code=") {
			t.Errorf("the %s gets a code: %s", who, p.Header.Get("Location"))
		}
	}
	// The form sent with the flow by hand, in the victim's browser.
	p := m.Open(t).Still()
	form := p.Get("/auth/login").Form("login", "identifier", alice, "password", authtest.Password, "flow", flow.Query().Get("flow"))
	if to := location(t, p.Post("/auth/login", form)); strings.Contains(to.Path, "callback") {
		t.Errorf("a planted flow goes on to %s", to)
	}
}

// One flow gives one code.
func TestOneCodePerFlow(t *testing.T) {
	m := market(t)
	b := m.Open(t).Still()
	login := b.Get(location(t, b.Get(authorize())).String())
	callback := location(t, b.LogIn(login, alice)).String()
	if q := location(t, b.Get(callback)).Query(); q.Get("code") == "" {
		t.Fatal("no code")
	}
	if p := b.Get(callback); p.Status != 404 {
		t.Errorf("second time: got %d %s", p.Status, p.Header.Get("Location"))
	}
}

// Pitfalls 2 and 3, A4, A5: PKCE with S256 is needed by every client, and the verifier
// is checked whether it is sent or not.
func TestPitfalls2And3PKCE(t *testing.T) {
	m := market(t)
	for what, pairs := range map[string][]string{
		"no challenge": {"code_challenge", ""}, "plain": {"code_challenge_method", "plain"}, "no method": {"code_challenge_method", ""},
		"short challenge": {"code_challenge", "abc"},
	} {
		to := location(t, m.Open(t).Still().Get(authorize(pairs...)))
		if q := to.Query(); q.Get("error") != "invalid_request" || q.Get("code") != "" || q.Get("state") != "st" || to.Path != "/session/callback" {
			t.Errorf("%s: leads to %s", what, to)
		}
	}
	for what, v := range map[string]string{"no verifier": "", "wrong verifier": strings.Repeat("x", 43), "the challenge itself": challenge} {
		form := exchange(code(t, m))
		form.Set("code_verifier", v)
		if v == "" {
			form.Del("code_verifier")
		}
		refused(t, what, post(m, "shop", "/auth/token", form), 400, "invalid_grant")
	}
}

// Pitfall 4, A9, A10: what is advertised is what there is.
func TestPitfall4Discovery(t *testing.T) {
	m := market(t)
	w := send(m, httptest.NewRequest(http.MethodGet, base+"/auth/.well-known/openid-configuration", nil))
	var doc map[string]any
	if err := json.Unmarshal([]byte(w.Body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc["issuer"] != issuer || doc["authorization_response_iss_parameter_supported"] != true || doc["backchannel_logout_session_supported"] != true {
		t.Errorf("got %s", w.Body)
	}
	for _, word := range []string{"implicit", "id_token token", "jwt-bearer", "plain", "device", "introspection", "RS256", "none"} {
		if strings.Contains(w.Body, word) {
			t.Errorf("it advertises %s: %s", word, w.Body)
		}
	}
	for name, v := range doc {
		if address, ok := v.(string); ok && strings.HasPrefix(address, base) && name != "issuer" {
			if a := send(m, httptest.NewRequest(http.MethodGet, address, nil)); a.Status == 404 {
				t.Errorf("%s: %s isn't there", name, address)
			}
		}
	}
	for _, grant := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code"} {
		a := post(m, "shop", "/auth/token", url.Values{"grant_type": {grant}, "username": {alice}, "password": {authtest.Password}, "assertion": {"x"}, "device_code": {"x"}})
		if a.Status != 400 || a.Access != "" {
			t.Errorf("grant %s: got %d %s", grant, a.Status, a.Body)
		}
	}
	for _, kind := range []string{"token", "id_token", "id_token token", "code id_token", "code token"} {
		// On http the library takes no address at all for these; on https it says so there.
		p := m.Open(t).Still().Get(authorize("response_type", kind))
		if to := p.Header.Get("Location"); p.Status != 400 && !strings.Contains(to, "error=") || strings.Contains(to, "code=") || strings.Contains(to, "/login") {
			t.Errorf("response_type %s: %d leads to %s", kind, p.Status, to)
		}
	}
}

// Pitfall 4: resource (RFC 8707) becomes the audience, for those that the client may ask for.
func TestPitfall4Resource(t *testing.T) {
	m := market(t)
	got := post(m, "shop", "/auth/token", exchange(code(t, m)))
	if c, err := m.Auth.Access(t.Context(), got.Access, "pay"); err != nil || len(c.Audience) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	to := location(t, m.Open(t).Still().Get(authorize("resource", "bank")))
	if to.Query().Get("error") != "invalid_target" {
		t.Errorf("an unknown resource leads to %s", to)
	}
	a := post(m, "shop", "/auth/token", url.Values{"grant_type": {"client_credentials"}, "resource": {"bank"}})
	refused(t, "client credentials", a, 400, "invalid_target")
}

// Pitfall 5: access tokens say what they are, and nothing else is taken for one.
func TestPitfall5TokenTypes(t *testing.T) {
	m := market(t)
	got := post(m, "shop", "/auth/token", exchange(code(t, m)))
	if typ := typeOf(t, got.Access); typ != "at+jwt" {
		t.Errorf("access token has typ %s", typ)
	}
	if _, err := m.Auth.Access(t.Context(), got.ID, ""); err == nil {
		t.Error("an id_token is taken for an access token")
	}
	if _, err := m.Auth.Hint(t.Context(), got.Access); err == nil {
		t.Error("an access token is taken for an id_token")
	}
	r := httptest.NewRequest(http.MethodGet, base+"/auth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+got.ID)
	if a := send(m, r); a.Status != 401 {
		t.Errorf("userinfo answers %d to an id_token", a.Status)
	}
}

func typeOf(t *testing.T, token string) string {
	t.Helper()
	var h struct {
		Type string `json:"typ"`
	}
	head, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h.Type
}

// Pitfalls 6 and 7, A11: no-store, 401 with WWW-Authenticate, parameters in the body of a
// POST only.
func TestPitfalls6And7TokenEndpoint(t *testing.T) {
	m := market(t)
	good := post(m, "shop", "/auth/token", exchange(code(t, m)))
	if good.Status != 200 || good.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d %v", good.Status, good.Header)
	}
	for what, client := range map[string][2]string{"wrong secret": {"shop", "x"}, "unknown client": {"nobody", "x"}, "no secret": {"shop", ""}} {
		for _, path := range []string{"/auth/token", "/auth/revoke"} {
			r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader("grant_type=client_credentials&token=x"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(client[0], client[1])
			a := send(m, r)
			refused(t, what, a, 401, "invalid_client")
			if !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic") || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", what, a.Header)
			}
		}
	}
	c := code(t, m)
	for _, path := range []string{"/auth/token", "/auth/revoke"} {
		query := base + path + "?" + exchange(c).Encode() + "&client_id=shop&token=x&client_secret=" + m.Secret("shop")
		if a := send(m, httptest.NewRequest(http.MethodGet, query, nil)); a.Status != 405 {
			t.Errorf("GET %s: got %d %s", path, a.Status, a.Body)
		}
		if a := send(m, httptest.NewRequest(http.MethodPost, query, nil)); a.Status != 400 || a.Access != "" {
			t.Errorf("POST %s with a query: got %d %s", path, a.Status, a.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, base+"/auth/userinfo?access_token="+good.Access, nil)
	if a := send(m, r); a.Status != 401 || a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("userinfo with the token in the query: got %d", a.Status)
	}
}

// Pitfall 8, A17: no other origin may read anything with a reader's cookies.
func TestPitfall8CORS(t *testing.T) {
	m := market(t)
	for _, path := range []string{"/auth/token", "/auth/userinfo", "/auth/keys", "/auth/.well-known/openid-configuration", authorize()} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			r := httptest.NewRequest(method, base+path, nil)
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			if a := send(m, r); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s: %v", method, path, a.Header)
			}
		}
	}
}

// Pitfall 9, A16: what broke is for the log.
func TestPitfall9StorageErrorsStayInside(t *testing.T) {
	m := market(t)
	c, first := code(t, m), post(m, "shop", "/auth/token", exchange(code(t, m)))
	b := m.Open(t).Still()
	login := b.Get(location(t, b.Get(authorize())).String())
	if err := m.DB.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, base+"/auth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+first.Access)
	for what, a := range map[string]answer{
		"code": post(m, "shop", "/auth/token", exchange(c)), "refresh": post(m, "shop", "/auth/token", refresh(first.Refresh)),
		"revoke":   post(m, "shop", "/auth/revoke", url.Values{"token": {first.Refresh}}),
		"userinfo": send(m, r), "authorize": send(m, httptest.NewRequest(http.MethodGet, base+authorize(), nil)),
	} {
		if a.Status < 500 || a.Error != "server_error" || strings.Contains(a.Body, "sql") || strings.Contains(a.Body, "closed") {
			t.Errorf("%s: got %d %s", what, a.Status, a.Body)
		}
	}
	if p := b.LogIn(login, alice); p.Status < 500 || strings.Contains(p.Body, "sql:") {
		t.Errorf("login: got %d %s", p.Status, p.Body)
	}
}

// Pitfall 10, A1, A2: of ten exchanges at once exactly one gets tokens, on two replicas
// and on every database; a replay revokes them.
func TestPitfall10CodeReuse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := authtest.New(t, db, base)
		m.Register(t, alice)
		c := code(t, m)
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				switch a := post(m, "shop", "/auth/token", exchange(c)); {
				case a.Status == 200:
					won.Add(1)
				case a.Error != "invalid_grant":
					t.Errorf("got %d %s", a.Status, a.Body)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d exchanges got tokens, want 1", won.Load())
		}

		c = code(t, m)
		got := post(m, "shop", "/auth/token", exchange(c))
		if userinfo(m, got.Access).Status != 200 {
			t.Fatal("the access token doesn't work")
		}
		refused(t, "replay", post(m, "shop", "/auth/token", exchange(c)), 400, "invalid_grant")
		if a := userinfo(m, got.Access); a.Status != 401 {
			t.Errorf("the access token still works: %d", a.Status)
		}
		refused(t, "refresh after the replay", post(m, "shop", "/auth/token", refresh(got.Refresh)), 400, "invalid_grant")
	}, auth.Migrate)
}

// A12: a refresh token works once; its reuse, when its successor was used, revokes the newest.
func TestPitfall10RefreshReuse(t *testing.T) {
	m := market(t)
	first := post(m, "shop", "/auth/token", exchange(code(t, m)))
	second := post(m, "shop", "/auth/token", refresh(first.Refresh))
	if second.Status != 200 || second.Refresh == "" || second.Refresh == first.Refresh {
		t.Fatalf("got %d %s", second.Status, second.Body)
	}
	third := post(m, "shop", "/auth/token", refresh(second.Refresh))
	if third.Status != 200 {
		t.Fatalf("got %d %s", third.Status, third.Body)
	}
	refused(t, "reuse", post(m, "shop", "/auth/token", refresh(first.Refresh)), 400, "invalid_grant")
	refused(t, "the newest after the reuse", post(m, "shop", "/auth/token", refresh(third.Refresh)), 400, "invalid_grant")
}

func userinfo(m *authtest.Market, token string) answer {
	r := httptest.NewRequest(http.MethodGet, base+"/auth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return send(m, r)
}

// A3: a code is good for a minute.
func TestOldCodes(t *testing.T) {
	m := market(t)
	c := code(t, m)
	err := m.DB.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Table("flows").Set("code_expires_at = ?", time.Now().UnixMicro()).Where("code IS NOT NULL").Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "an old code", post(m, "shop", "/auth/token", exchange(c)), 400, "invalid_grant")
}

// A6: the address of a client is compared as text; what isn't it is no place to redirect to.
func TestRedirectAddresses(t *testing.T) {
	m := market(t)
	for _, uri := range []string{
		base + "/session/callback/", base + "/session/callback?x=1", base + "/Session/callback", base + "/x/../session/callback",
		"http://evil.example/session/callback", "http://market.example@evil.example/session/callback", base + ":80/session/callback",
		base + "/session/callback#x", "//market.example/session/callback", "javascript:alert(1)", "",
		base + "/pay/session/callback",
	} {
		p := m.Open(t).Still().Get(authorize("redirect_uri", uri))
		if p.Status != 400 || p.Header.Get("Location") != "" {
			t.Errorf("%s: got %d to %s", uri, p.Status, p.Header.Get("Location"))
		}
	}
	p := m.Open(t).Still().Get(authorize() + "&redirect_uri=" + url.QueryEscape("http://evil.example/"))
	if p.Status != 400 {
		t.Errorf("two addresses: got %d to %s", p.Status, p.Header.Get("Location"))
	}
	if p := m.Open(t).Still().Get(authorize("client_id", "nobody")); p.Status != 400 || p.Header.Get("Location") != "" {
		t.Errorf("unknown client: got %d to %s", p.Status, p.Header.Get("Location"))
	}
}

// A7: a client can't redeem another's code.
func TestAnotherClientsCode(t *testing.T) {
	m := market(t)
	c := code(t, m)
	form := exchange(c)
	refused(t, "pay", post(m, "pay", "/auth/token", form), 400, "invalid_grant")
	form.Set("redirect_uri", base+"/pay/session/callback")
	refused(t, "pay with its own address", post(m, "pay", "/auth/token", form), 400, "invalid_grant")
	if a := post(m, "shop", "/auth/token", exchange(c)); a.Status != 200 {
		t.Errorf("the owner: got %d %s", a.Status, a.Body)
	}
}

// A14: after a POST the browser goes on by GET, and only by GET.
func TestRedirectsAfterPost(t *testing.T) {
	m := market(t)
	b := m.Open(t).Still()
	u, err := url.Parse(authorize())
	if err != nil {
		t.Fatal(err)
	}
	posted := b.Post("/auth/authorize", u.Query())
	login := b.LogIn(b.Get(location(t, posted).String()), alice)
	for what, p := range map[string]authtest.Page{"authorize": posted, "login": login, "end_session": b.Post("/auth/end_session", nil), "logout": b.Post("/auth/logout", nil)} {
		if p.Status != 303 {
			t.Errorf("%s: got %d", what, p.Status)
		}
	}
}

// prompt and max_age: silently when somebody is logged in, and with the password again
// when the client wants that.
func TestPrompts(t *testing.T) {
	m := market(t)
	b := m.Open(t).Still()
	if q := location(t, b.Get(authorize("prompt", "none"))).Query(); q.Get("error") != "login_required" || q.Get("iss") != issuer {
		t.Errorf("nobody, prompt=none: %v", q)
	}
	if to := location(t, b.Get(authorize("prompt", "create"))); to.Path != "/auth/register" {
		t.Errorf("prompt=create leads to %s", to)
	}
	b.LogIn(b.Get("/auth/login"), alice)
	silent := location(t, b.Get(location(t, b.Get(authorize("prompt", "none"))).String()))
	if silent.Query().Get("code") == "" {
		t.Errorf("prompt=none leads to %s", silent)
	}
	again := location(t, b.Get(authorize("prompt", "login")))
	if again.Path != "/auth/login" {
		t.Fatalf("prompt=login leads to %s", again)
	}
	callback := "/auth/authorize/callback?id=" + again.Query().Get("flow")
	if to := location(t, b.Get(callback)); to.Path != "/auth/login" {
		t.Errorf("the login is skipped to %s", to)
	}
	p := b.Get(again.String())
	if p.Status != 200 {
		t.Fatalf("got %d to %s", p.Status, p.Header.Get("Location"))
	}
	if to := location(t, b.Get(location(t, b.LogIn(p, alice)).String())); to.Query().Get("code") == "" {
		t.Errorf("after the login: %s", to)
	}
}

// S7: a client that proves whose session it means is believed; anybody else only makes
// the browser ask.
func TestLogoutIsAskedFor(t *testing.T) {
	m := market(t)
	m.Register(t, "bob@example.com")
	b := m.Open(t).Still()
	login := b.Get(location(t, b.Get(authorize())).String())
	back := location(t, b.Get(location(t, b.LogIn(login, alice)).String()))
	mine := post(m, "shop", "/auth/token", exchange(back.Query().Get("code")))
	others := post(m, "shop", "/auth/token", exchange(code(t, m))) // alice's in another browser

	for what, q := range map[string]string{"no hint": "", "forged hint": "?id_token_hint=x.y.z", "another session's": "?id_token_hint=" + others.ID} {
		p := b.Get("/auth/end_session" + q)
		if to := location(t, p); to.Path != "/auth/logout" || b.Get("/auth/account").Status != 200 {
			t.Errorf("%s: leads to %s", what, to)
		}
	}
	if p := b.Get("/auth/end_session?client_id=shop&post_logout_redirect_uri=http://evil.example/"); p.Status != 400 {
		t.Errorf("a foreign address: got %d", p.Status)
	}
	p := b.Get("/auth/end_session?state=x&id_token_hint=" + mine.ID + "&post_logout_redirect_uri=" + url.QueryEscape(base+"/"))
	if to := location(t, p); to.String() != base+"/?state=x" {
		t.Errorf("leads to %s", to)
	}
	if to := location(t, b.Get("/auth/account")); to.Path != "/auth/login" {
		t.Errorf("still logged in: %s", to)
	}
	refused(t, "refresh after logout", post(m, "shop", "/auth/token", refresh(mine.Refresh)), 400, "invalid_grant")
	if a := userinfo(m, others.Access); a.Status != 200 {
		t.Errorf("the other browser: got %d", a.Status)
	}
}

// A code that is on its way when its user logs out is worth nothing any more.
func TestLogoutSpendsCodes(t *testing.T) {
	m := market(t)
	b := m.Open(t).Still()
	login := b.Get(location(t, b.Get(authorize())).String())
	back := location(t, b.Get(location(t, b.LogIn(login, alice)).String()))
	b.Post("/auth/logout", nil)
	refused(t, "code", post(m, "shop", "/auth/token", exchange(back.Query().Get("code"))), 400, "invalid_grant")
}

// Logins that nobody ends are counted by the network address that they come from.
func TestBegunLoginsAreLimitedByAddress(t *testing.T) {
	m := market(t, func(c *auth.Config) { c.Limits = auth.Limits{Window: authtest.Century, FlowsPerAddress: 1} })
	for _, c := range []struct {
		from string
		want int
	}{{"192.0.2.1:1000", 303}, {"192.0.2.1:1001", 429}, {"192.0.2.2:1000", 303}} {
		r := httptest.NewRequest(http.MethodGet, base+authorize(), nil)
		r.RemoteAddr = c.from
		a := send(m, r)
		if a.Status != c.want {
			t.Errorf("%s: got %d %s, want %d", c.from, a.Status, a.Body, c.want)
		}
		if after, _ := strconv.Atoi(a.Header.Get("Retry-After")); c.want == 429 && (after < 60 || a.Error != "temporarily_unavailable") {
			t.Errorf("%s: got %s, again after %d s; want temporarily_unavailable, and a long time", c.from, a.Error, after)
		}
	}
}
