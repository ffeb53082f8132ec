package hostile_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jishi/tests/harness"
)

// browser keeps cookies and sends what it is told to, sense or nonsense. Unlike
// harness.Visitor it shows what came back in detail, and follows redirects only when asked.
type browser struct {
	base    string
	address string // that a proxy says it has; "" is no proxy
	http    *http.Client
}

func newBrowser(t testing.TB, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{base: base, http: &http.Client{
		Jar: jar, Timeout: time.Minute, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// loggedIn is the browser of a registered person.
func (h *house) loggedIn(t testing.TB, identifier string) *browser {
	t.Helper()
	return h.loggedInFrom(t, identifier, "")
}

// loggedInFrom is one behind a proxy that names its address.
func (h *house) loggedInFrom(t testing.TB, identifier, address string) *browser {
	t.Helper()
	b := newBrowser(t, h.Shop)
	b.address = address
	p := b.follow(t, b.get(t, "/home"))
	f := p.form(t, "/auth/login")
	f.set("identifier", identifier)
	f.set("password", harness.Password)
	p = b.follow(t, b.send(t, f))
	for range 20 { // on a slow machine, after waiting for a hash, as one is told to
		if p.status == http.StatusServiceUnavailable && p.header.Get("Retry-After") != "" {
			p = b.follow(t, b.send(t, f))
		}
	}
	if p.status != http.StatusOK || p.url.Path != "/home" {
		t.Fatalf("log in %s: got %d %s", identifier, p.status, p.url)
	}
	if p = b.follow(t, b.get(t, "/pay/")); p.status != http.StatusOK || p.url.Path != "/pay/" { // its session is another one
		t.Fatalf("log in %s to pay: got %d %s", identifier, p.status, p.url)
	}
	return b
}

// page is an answer to a browser.
type page struct {
	url    *url.URL
	status int
	header http.Header
	body   string
	root   *html.Node
}

func (b *browser) get(t testing.TB, path string) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.do(t, req)
}

// follow goes where redirects lead.
func (b *browser) follow(t testing.TB, p page) page {
	t.Helper()
	for range 10 {
		to := p.header.Get("Location")
		if to == "" {
			return p
		}
		next, err := p.url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p = b.do(t, req)
	}
	t.Fatalf("redirects without end at %s", p.url)
	return page{}
}

func (b *browser) do(t testing.TB, req *http.Request) page {
	t.Helper()
	if b.address != "" {
		req.Header.Set("X-Forwarded-For", b.address)
	}
	res, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return page{req.URL, res.StatusCode, res.Header, string(body), root}
}

// form is a form of a page, with what stands in it.
type form struct {
	action    *url.URL
	fields    url.Values
	kinds     map[string]string // types of inputs, by name
	multipart bool
	file      *file
}

type file struct {
	field, name string
	content     []byte
}

func (f *form) set(name, value string) { f.fields.Set(name, value) }

// with is the same form with other values; pairs are names and values.
func (f form) with(pairs ...string) form {
	fields := url.Values{}
	for name, values := range f.fields {
		fields[name] = slices.Clone(values)
	}
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	f.fields = fields
	return f
}

// written are the fields that people write in.
func (f form) written() []string {
	var names []string
	for name, kind := range f.kinds {
		if kind != "hidden" && kind != "file" && kind != "select" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// send sends a form as the page's own site does.
func (b *browser) send(t testing.TB, f form) page {
	t.Helper()
	req := f.request(t)
	req.Header.Set("Origin", b.base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(t, req)
}

func (f form) request(t testing.TB) *http.Request {
	t.Helper()
	var body bytes.Buffer
	media := "application/x-www-form-urlencoded"
	if f.multipart {
		w := multipart.NewWriter(&body)
		media = w.FormDataContentType()
		for name, values := range f.fields {
			for _, v := range values {
				if err := w.WriteField(name, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if f.file != nil {
			part, err := w.CreateFormFile(f.file.field, f.file.name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(f.file.content); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		body.WriteString(f.fields.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.action.String(), &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	return req
}

// form finds the form that is sent to a path.
func (p page) form(t testing.TB, path string) form {
	t.Helper()
	n := p.formNode(path)
	if n == nil {
		t.Fatalf("no form for %s on %d %s:\n%.2000s", path, p.status, p.url, p.text("main"))
	}
	action, err := p.url.Parse(attribute(n, "action"))
	if err != nil {
		t.Fatal(err)
	}
	f := form{action: action, fields: url.Values{}, kinds: map[string]string{}, multipart: attribute(n, "enctype") == "multipart/form-data"}
	for c := range n.Descendants() {
		name := attribute(c, "name")
		if name == "" {
			continue
		}
		switch c.Data {
		case "input":
			f.kinds[name] = attribute(c, "type")
			if f.kinds[name] != "file" {
				f.fields.Add(name, attribute(c, "value"))
			}
		case "textarea":
			f.kinds[name] = c.Data
			f.fields.Add(name, strings.TrimPrefix(textOf(c), "\n"))
		case "select":
			f.kinds[name] = c.Data
			f.fields.Add(name, chosen(c))
		}
	}
	return f
}

func (p page) formNode(path string) *html.Node {
	for n := range p.root.Descendants() {
		if n.Data == "form" && attribute(n, "method") == "post" {
			if u, err := p.url.Parse(attribute(n, "action")); err == nil && u.Path == path {
				return n
			}
		}
	}
	return nil
}

// beside is the message that stands beside a field of a form, "" when none does.
func (p page) beside(path, field string) string {
	n := p.formNode(path)
	if n == nil {
		return ""
	}
	for c := range n.Descendants() {
		if attribute(c, "name") != field || attribute(c, "aria-invalid") != "true" {
			continue
		}
		for id := range strings.FieldsSeq(attribute(c, "aria-describedby")) {
			if strings.HasSuffix(id, "-error") {
				return strings.TrimSpace(p.text("#" + id))
			}
		}
	}
	return ""
}

// text is what the first element of that name or "#id" says.
func (p page) text(what string) string {
	id, byID := strings.CutPrefix(what, "#")
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && (byID && attribute(n, "id") == id || !byID && n.Data == what) {
			return textOf(n)
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// chosen is what a select would send.
func chosen(n *html.Node) string {
	first, any := "", false
	for c := range n.Descendants() {
		if c.Data != "option" {
			continue
		}
		if has(c, "selected") {
			return attribute(c, "value")
		}
		if !any {
			first, any = attribute(c, "value"), true
		}
	}
	return first
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// asksAgain sends a form with something wrong in it. It must come back with that
// status, a message beside the field, and what was written, but for passwords.
func (b *browser) asksAgain(t testing.TB, f form, status int, field string, pairs ...string) {
	t.Helper()
	sent := f.with(pairs...)
	p := b.send(t, sent)
	if p.status != status {
		t.Errorf("%.80q: got %d %s, want %d: %.300s", pairs, p.status, p.header.Get("Location"), status, p.text("main"))
		return
	}
	if p.beside(f.action.Path, field) == "" {
		t.Errorf("%.80q: no message beside %s: %.600s", pairs, field, p.text("main"))
		return
	}
	again := p.form(t, f.action.Path)
	for name, kind := range again.kinds {
		got, want := again.fields.Get(name), sent.fields.Get(name)
		switch kind {
		case "password":
			if got != "" {
				t.Errorf("%.80q: the password %s came back", pairs, name)
			}
		case "hidden", "file":
		default:
			if got != want {
				t.Errorf("%.80q: %s is %.80q, want what was written", pairs, name, got)
			}
		}
	}
}
