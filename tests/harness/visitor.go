package harness

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jishi/tests/site"
)

// Visitor is a browser without a screen or scripts: it keeps cookies, follows redirects
// and sends the forms of pages. Its methods may be called at the same time.
type Visitor struct {
	http *http.Client
}

// NewVisitor has no cookies yet.
func NewVisitor(t testing.TB) *Visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Visitor{&http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
}

// LogIn logs a registered person in through the pages.
func (v *Visitor) LogIn(t testing.TB, m *Market, identifier string) {
	t.Helper()
	form := v.Get(t, m.Shop+site.HomePath).Form(t, site.LoginForm)
	form.Fields.Set("identifier", identifier)
	form.Fields.Set("password", Password)
	page := v.Send(t, form)
	if page.URL.Path != site.HomePath || page.Status != http.StatusOK {
		t.Fatalf("log in %s: got %d %s, want 200 %s", identifier, page.Status, page.URL, site.HomePath)
	}
}

// Get loads a page.
func (v *Visitor) Get(t testing.TB, address string) *Page {
	t.Helper()
	p, err := v.load(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Send sends a form and gives the page to which it leads.
func (v *Visitor) Send(t testing.TB, f Form) *Page {
	t.Helper()
	p, err := v.Try(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Try sends a form as Send does, for callers that may leave or that are many.
func (v *Visitor) Try(ctx context.Context, f Form) (*Page, error) {
	return v.load(ctx, http.MethodPost, f.Action, f.Fields)
}

func (v *Visitor) load(ctx context.Context, method, address string, fields url.Values) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := v.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	root, err := html.Parse(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", res.Request.URL, err)
	}
	return &Page{URL: res.Request.URL, Status: res.StatusCode, root: root}, nil
}

// Page is a page that was loaded. URL is where the redirects led.
type Page struct {
	URL    *url.URL
	Status int
	root   *html.Node
}

// Form is a form as it would be sent if nobody filled anything in.
type Form struct {
	Action string
	Fields url.Values
}

// Form finds a form by its selector, "#" and its id.
func (p *Page) Form(t testing.TB, selector string) Form {
	t.Helper()
	for n := range p.root.Descendants() {
		if n.Data != "form" || "#"+attribute(n, "id") != selector {
			continue
		}
		action, err := p.URL.Parse(attribute(n, "action"))
		if err != nil {
			t.Fatalf("action of form %s: %v", selector, err)
		}
		f := Form{action.String(), url.Values{}}
		for c := range n.Descendants() {
			if name := attribute(c, "name"); c.Data == "input" && name != "" {
				f.Fields.Add(name, attribute(c, "value"))
			}
		}
		return f
	}
	t.Fatalf("no form %s on %d %s", selector, p.Status, p.URL)
	return Form{}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
