package authtest

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Browser is a browser without a window: it keeps cookies and follows redirects.
type Browser struct {
	t    testing.TB
	base string
	http http.Client
}

// Page is what a browser shows.
type Page struct {
	Status int
	URL    *url.URL // where the redirects ended
	Body   string
	Header http.Header
}

// NewBrowser is one with an empty jar. A nil transport is the network.
func NewBrowser(t testing.TB, base string, transport http.RoundTripper) *Browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Browser{t: t, base: base, http: http.Client{Jar: jar, Transport: transport}}
}

// Open makes a browser that reaches the market in memory.
func (m *Market) Open(t testing.TB) *Browser {
	t.Helper()
	return NewBrowser(t, m.Base, m.HTTP().Transport)
}

// Still is the same browser, which doesn't follow redirects.
func (b *Browser) Still() *Browser {
	c := *b
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// Cookie is the value of a cookie that the browser has for the market, or "".
func (b *Browser) Cookie(name string) string {
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.http.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Plant puts a cookie into the browser.
func (b *Browser) Plant(name, value string) {
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	b.http.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// Get loads an address, or a path of the market.
func (b *Browser) Get(address string) Page {
	b.t.Helper()
	return b.do(http.MethodGet, address, nil)
}

// Post sends a form.
func (b *Browser) Post(address string, form url.Values) Page {
	b.t.Helper()
	return b.do(http.MethodPost, address, form)
}

func (b *Browser) do(method, address string, form url.Values) Page {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.base + address
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.base)
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return Page{res.StatusCode, res.Request.URL, string(body), res.Header}
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// Form is the hidden fields of the page's form with that id, and more fields.
func (p Page) Form(id string, pairs ...string) url.Values {
	form := url.Values{}
	_, rest, _ := strings.Cut(p.Body, `id="`+id+`"`)
	inside, _, _ := strings.Cut(rest, "</form>")
	for _, m := range hiddenInput.FindAllStringSubmatch(inside, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// LogIn fills in the login page that the browser shows.
func (b *Browser) LogIn(p Page, identifier string) Page {
	b.t.Helper()
	return b.Post("/auth/login", p.Form("login", "identifier", identifier, "password", Password))
}
