package authweb_test

import (
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jishi/auth"
	"jishi/auth/authtest"
	"jishi/auth/authweb"
	"jishi/kit/database/dbtest"
	"jishi/kit/locale/localetest"
	"jishi/kit/ui"
)

const (
	base  = "http://market.example"
	alice = "13800138000"
)

func market(t *testing.T, change ...func(*auth.Config)) *authtest.Market {
	t.Helper()
	m := authtest.New(t, dbtest.Open(t, dbtest.SQLite(t), auth.Migrate), base, change...)
	m.Register(t, alice)
	return m
}

func has(t *testing.T, p authtest.Page, status int, texts ...string) {
	t.Helper()
	if p.Status != status {
		t.Fatalf("got %d, want %d:\n%s", p.Status, status, p.Body)
	}
	for _, text := range texts {
		if !strings.Contains(p.Body, text) {
			t.Errorf("%q isn't on the page:\n%s", text, p.Body)
		}
	}
}

// P1: the original's pages, with its words.
func TestThePagesOfTheOriginal(t *testing.T) {
	b := market(t).Open(t)
	has(t, b.Get("/auth/login"), 200, "请登录", "手机/邮箱", "登录", "新用户注册", `name="identifier"`, `name="password"`, `type="password"`)
	has(t, b.Get("/auth/register"), 200, "新用户注册", "重复输入密码", "注册", `name="password_repeat"`)
}

// P2: a wrong password and an unknown user get the same page.
func TestTheSamePageForBoth(t *testing.T) {
	b := market(t).Open(t).Still()
	var pages []string
	for _, who := range []string{alice, "13900139000"} {
		p := b.Post("/auth/login", b.Get("/auth/login").Form("login", "identifier", who, "password", "a wrong password"))
		has(t, p, 401, "账号或密码不正确。", `value="`+who+`"`)
		if strings.Contains(p.Body, "a wrong password") {
			t.Error("the password comes back")
		}
		pages = append(pages, strings.ReplaceAll(p.Body, who, ""))
	}
	cut := func(s string) string { // the one-time token differs
		before, after, _ := strings.Cut(s, `name="token" value="`)
		return before + after[26:]
	}
	if cut(pages[0]) != cut(pages[1]) {
		t.Error("the pages differ")
	}
}

// After a wrong password the page still is at the address that says what goes on after the login, to
// which a change of language comes back.
func TestARefusedLoginStillLeadsOn(t *testing.T) {
	b := market(t).Open(t)
	for form, path := range map[string]string{"login": "/auth/login", "register": "/auth/register"} {
		here := path + "?return=%2Fcart"
		p := b.Get(here)
		for range 2 { // wrong again, from the page that says so
			var action string
			if m := regexp.MustCompile(`<form method="post" action="([^"]*)" id="` + form).FindStringSubmatch(p.Body); m != nil {
				action = m[1]
			}
			to, err := p.URL.Parse(action)
			if err != nil {
				t.Fatal(err)
			}
			p = b.Post(to.String(), p.Form(form, "identifier", "x", "password", "wrong"))
			if p.Status == http.StatusOK || !strings.Contains(p.Body, `name="return" value="`+here+`"`) {
				t.Errorf("%s: got %d, want a page that comes back to %s:\n%s", form, p.Status, here, p.Body)
			}
		}
	}
}

func TestErrorsStandBesideTheirFields(t *testing.T) {
	b := market(t).Open(t).Still()
	form := b.Get("/auth/register").Form("register", "identifier", "x", "password", "short", "password_repeat", "other", "name", "a\u202e")
	p := b.Post("/auth/register", form)
	has(t, p, 422, `id="field-identifier-error"`, `id="field-password-error"`, `id="field-password_repeat-error"`, `id="field-name-error"`, `value="x"`)
	form.Set("identifier", alice)
	form.Set("password", authtest.Password)
	form.Set("password_repeat", authtest.Password)
	form.Set("name", "")
	has(t, b.Post("/auth/register", form), 409, "已被注册", `id="field-identifier-error"`)
	form.Del("token")
	has(t, b.Post("/auth/register", form), 400)
	has(t, b.Post("/auth/login", url.Values{"identifier": {alice}, "password": {authtest.Password}}), 400)
}

// Where somebody has logged in or registered before they get in while strangers guess, also after
// they have logged out; in another browser, or one where somebody else was last, they don't.
func TestAKnownBrowserIsNotKeptOut(t *testing.T) {
	m := market(t, func(c *auth.Config) { c.Limits = auth.Limits{Window: authtest.Century, FailuresPerUser: 2} })
	m.Register(t, "bob@example.com")
	known, registered, bobs, unknown := m.Open(t).Still(), m.Open(t).Still(), m.Open(t).Still(), m.Open(t).Still()
	known.LogIn(known.Get("/auth/login"), alice)
	known.Post("/auth/logout", known.Get("/auth/logout").Form("logout"))
	if known.Cookie("jishi_auth") != "" {
		t.Error("still logged in")
	}
	registered.Post("/auth/register", registered.Get("/auth/register").Form("register", "identifier", "carol@example.com", "password", authtest.Password, "password_repeat", authtest.Password))
	bobs.LogIn(bobs.Get("/auth/login"), "bob@example.com")
	for _, who := range []string{alice, "carol@example.com"} {
		for range 2 {
			form := unknown.Get("/auth/login").Form("login", "identifier", who, "password", "a wrong guess")
			has(t, unknown.Post("/auth/login", form), 401)
		}
	}
	for what, c := range map[string]struct {
		browser *authtest.Browser
		who     string
		want    int
	}{
		"known": {known, alice, 303}, "registered": {registered, "carol@example.com", 303},
		"somebody else's": {bobs, alice, 429}, "unknown": {unknown, alice, 429},
	} {
		form := unknown.Get("/auth/login").Form("login", "identifier", c.who, "password", authtest.Password)
		if p := c.browser.Post("/auth/login", form); p.Status != c.want {
			t.Errorf("%s: got %d, want %d", what, p.Status, c.want)
		} else if after, _ := strconv.Atoi(p.Header.Get("Retry-After")); c.want == 429 && after < 30 {
			t.Errorf("%s: may come again after %d s, want minutes", what, after)
		}
	}
}

// A double click registers once, and both clicks end logged in.
func TestDoubleClick(t *testing.T) {
	m := market(t)
	b := m.Open(t).Still()
	form := b.Get("/auth/register").Form("register", "identifier", "bob@example.com", "password", authtest.Password, "password_repeat", authtest.Password)
	for range 2 {
		if p := b.Post("/auth/register", form); p.Status != 303 || p.Header.Get("Location") != "/home" {
			t.Fatalf("got %d to %s: %s", p.Status, p.Header.Get("Location"), p.Body)
		}
	}
	has(t, b.Get("/auth/account"), 200, "bob@example.com")
}

func TestAccount(t *testing.T) {
	m := market(t)
	b, phone := m.Open(t).Still(), m.Open(t).Still()
	if to := b.Get("/auth/account").Header.Get("Location"); to != "/auth/login?return=%2Fauth%2Faccount" {
		t.Errorf("nobody is sent to %q", to)
	}
	if p := b.LogIn(b.Get("/auth/login?return=/auth/account"), alice); p.Header.Get("Location") != "/auth/account" {
		t.Errorf("after login: %s", p.Header.Get("Location"))
	}
	phone.LogIn(phone.Get("/auth/login"), alice)
	p := b.Get("/auth/account")
	has(t, p, 200, "+8613800138000", "本设备", "退出所有设备")
	if n := strings.Count(p.Body, "最近使用"); n != 2 {
		t.Errorf("%d sessions are listed, want 2", n)
	}
	b.Post("/auth/account", p.Form("account", "name", "小明"))
	has(t, b.Get("/auth/account"), 200, `value="小明"`)
	has(t, b.Post("/auth/account", p.Form("account", "name", strings.Repeat("x", 65))), 422, `id="field-name-error"`)

	b.Post("/auth/account/sessions", p.Form("account"))
	for who, browser := range map[string]*authtest.Browser{"this": b, "other": phone} {
		if p := browser.Get("/auth/account"); p.Status != 303 {
			t.Errorf("%s browser is still logged in: %d", who, p.Status)
		}
	}
}

func TestTexts(t *testing.T) {
	localetest.Check(t, authweb.Locales, localetest.Sources{Dirs: []string{".", "..", "../authclient", "../authguard", "../authapi", "../oidc"}, Shared: []fs.FS{ui.Locales}})
}

func TestForgedForms(t *testing.T) {
	m := market(t)
	for _, path := range []string{"/auth/login", "/auth/register", "/auth/logout", "/auth/account", "/auth/account/sessions"} {
		r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader("token=x"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		m.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

// 200 logins at once, at the real cost: some are let in, the others are told to come
// back, and nobody waits longer than the gate's patience.
func TestManyLoginsAtOnce(t *testing.T) {
	m := market(t, func(c *auth.Config) {
		c.Queue, c.Patience, c.Cost = 20, 200*time.Millisecond, auth.DefaultCost
		c.Limits = auth.Limits{Window: time.Minute} // without limits: the gate is what is tested
	})
	b := m.Open(t).Still()
	form := b.Get("/auth/login").Form("login", "identifier", alice, "password", authtest.Password)
	var in, busy atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodPost, base+"/auth/login", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			m.Handler.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusSeeOther:
				in.Add(1)
			case http.StatusServiceUnavailable:
				busy.Add(1)
				if w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			default:
				t.Errorf("got %d", w.Code)
			}
		})
	}
	wg.Wait()
	if in.Load() == 0 || busy.Load() == 0 || in.Load()+busy.Load() != 200 {
		t.Errorf("%d in and %d busy", in.Load(), busy.Load())
	}
}

// Where the database goes away in or after any COMMIT of a form, and stays away, the page never
// says that nothing has changed if something has.
func TestTheDatabaseGoesAwayAfterACommit(t *testing.T) {
	address := dbtest.MariaDB(t)
	db := dbtest.Open(t, address, auth.Migrate)
	way := dbtest.NewFaulty(t, address, 0, 0)
	m := authtest.New(t, dbtest.Open(t, way.URL), base)
	m.Register(t, alice)
	m.Register(t, "bob@example.com")
	// What an address has used of its limit is nothing that a visitor has changed.
	contents := func() map[string]int64 {
		all := dbtest.Contents(t, db)
		maps.DeleteFunc(all, func(table string, _ int64) bool { return strings.HasSuffix(table, ".attempts") })
		return all
	}
	cases := 0
	for what, fill := range map[string]func(b *authtest.Browser, name string) (path string, form url.Values){
		"register": func(b *authtest.Browser, name string) (string, url.Values) {
			return "/auth/register", b.Get("/auth/register").Form("register", "identifier", name+"@example.com", "password", authtest.Password, "password_repeat", authtest.Password)
		},
		"log in as somebody else": func(b *authtest.Browser, _ string) (string, url.Values) {
			p := b.Get("/auth/login")
			b.LogIn(p, alice)
			return "/auth/login", p.Form("login", "identifier", "bob@example.com", "password", authtest.Password)
		},
		"rename": func(b *authtest.Browser, name string) (string, url.Values) {
			b.LogIn(b.Get("/auth/login"), alice)
			return "/auth/account", b.Get("/auth/account").Form("account", "name", name)
		},
	} {
		for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard, dbtest.Answered} {
			for n, reached := 1, true; reached; n++ {
				cases++
				b := m.Open(t).Still()
				path, form := fill(b, "name"+strconv.Itoa(cases))
				before := contents()
				way.GoAway(n, how)
				p := b.Post(path, form)
				reached = way.Return()
				changed := !maps.Equal(before, contents())
				done, unknown := p.Status == http.StatusSeeOther, p.Status == http.StatusGatewayTimeout
				switch {
				case !reached && !done:
					t.Errorf("%s: got %d", what, p.Status)
				case !done && !unknown && (p.Status != http.StatusServiceUnavailable || changed):
					t.Errorf("%s, commit %d %s, changed %t: got %d", what, n, how, changed, p.Status)
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}
