package hostile_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"jishi/tests/harness"
)

// exchange writes a request as it stands and reads the answer.
func (h *house) exchange(t testing.TB, request string) (*http.Response, string) {
	t.Helper()
	c := h.raw(t)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, body, err := answerOn(c)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	return res, body
}

func (h *house) dots(t *testing.T) {
	for _, path := range []string{
		"/../../etc/passwd", "/static/../../../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd", "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%5c..%5csecret",
		"/pictures/../secret", "/pictures/..%2fsecret", "/pictures/%2e%2e%2fsecret", "/pictures/....//secret", "/pictures/..%252fsecret", "/pictures/%2fetc%2fpasswd",
		"/pictures/..%00.jpg", "/products/../../../data/secret", "/pay/wallets/..%2f..%2f", "/api/v1/products/..%2f..%2forders", "/auth/../../secret", "/static/", "/pictures/",
		"/static/app.css/../../secret", "//etc/passwd", "/./../secret", "/static/\\..\\..\\secret",
	} {
		res, body := h.exchange(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if res.StatusCode == http.StatusOK || res.StatusCode >= 500 || strings.Contains(body, "root:") {
			t.Errorf("%s: got %s %.100s", path, res.Status, body)
		}
		if to := res.Header.Get("Location"); strings.HasPrefix(to, "//") || slices.Contains(strings.Split(to, "/"), "..") {
			t.Errorf("%s: leads to %s", path, to)
		}
	}
}

const evil = "evil.example"

// anotherHost asks for everything under another name. It must not come back: neither in
// headers nor in bodies, where links, tokens and documents are.
func (h *house) anotherHost(t *testing.T) {
	paths := []string{
		"/", "/home", "/cart", "/sell", "/orders", "/products/" + h.product.ID, "/products/" + h.product.ID + "/edit", "/nowhere", "/auth/login", "/auth/register", "/auth/account", "/auth/",
		"/auth/logout", "/auth/.well-known/openid-configuration", "/auth/keys", "/pay/", "/pay/topup", "/session/login?return=/cart", "/pay/session/login?return=/pay/", "//" + "x", "/static", "/auth", "/pay",
		"/api/openapi.json", "/pay/api/openapi.json", "/auth/api/openapi.json", "/api/docs", "/api/v1/products", "/api/v1/products/" + h.product.ID, "/api/v1/cart", "/auth/authorize?client_id=shop", "/auth/end_session",
	}
	for _, path := range paths {
		for name, head := range map[string]string{
			"Host":                    "GET " + path + " HTTP/1.1\r\nHost: " + evil,
			"an absolute address":     "GET http://" + evil + path + " HTTP/1.1\r\nHost: localhost",
			"X-Forwarded-Host":        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: " + evil + "\r\nX-Forwarded-Proto: gopher\r\nForwarded: host=" + evil,
			"X-Original-URL, Referer": "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nX-Original-URL: //" + evil + "/\r\nReferer: http://" + evil + "/",
		} {
			res, body := h.exchange(t, head+"\r\nConnection: close\r\n\r\n")
			for key, values := range res.Header {
				if strings.Contains(strings.Join(values, " "), evil) {
					t.Errorf("%s by %s: it comes back in %s: %s", path, name, key, values)
				}
			}
			if strings.Contains(body, evil) {
				t.Errorf("%s by %s: it comes back in the body", path, name)
			}
			if res.StatusCode >= 500 {
				t.Errorf("%s by %s: got %s", path, name, res.Status)
			}
		}
	}
}

// away are addresses of other sites, as browsers read them.
var away = []string{
	"//evil.example", "//evil.example/%2f..", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example", "http:/evil.example", "HTTPS://evil.example", "%2f%2fevil.example", "/%2f%2fevil.example",
	"/%5cevil.example", "///evil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", "/\x00/evil.example", "/\x7f/evil.example", "javascript:alert(1)", "java\tscript:alert(1)",
	"data:text/html,x", "evil.example", "@evil.example", ".evil.example", "/../\\evil.example", "/.//evil.example\\", "http://localhost@evil.example", "//localhost:80@evil.example", "?//evil.example", "/ok\r\nSet-Cookie: a=b", "",
}

// staysHere says that a redirect leads to the market itself, as a browser would read it.
func (h *house) staysHere(t *testing.T, what string, p page) {
	t.Helper()
	to := p.header.Get("Location")
	if to == "" {
		to = p.header.Get("HX-Redirect")
	}
	if strings.ContainsAny(to, "\\\t\r\n\x00\x7f") || p.header.Get("Set-Cookie") == "a=b" {
		t.Errorf("%s: leads to %q", what, to)
		return
	}
	u, err := p.url.Parse(to)
	if err != nil || "http://"+u.Host != h.Shop || u.Scheme != "http" || strings.HasPrefix(strings.TrimPrefix(to, h.Shop), "//") {
		t.Errorf("%s: leads to %q, %v", what, to, err)
	}
}

func (h *house) returns(t *testing.T) {
	buyer := h.othersBrowser(t)
	shown := "/products/" + h.product.ID
	for _, to := range away {
		q := "?return=" + url.QueryEscape(to)
		// Somebody who is logged in is led on at once.
		for _, path := range []string{"/session/login", "/pay/session/login", "/auth/login", "/auth/register"} {
			p := buyer.get(t, path+q)
			if p.status != http.StatusSeeOther && p.status != http.StatusFound && p.status != http.StatusUnprocessableEntity {
				t.Errorf("%s%s: got %d", path, q, p.status)
			}
			h.staysHere(t, path+q, p)
		}
		p := buyer.send(t, buyer.get(t, "/").form(t, "/preferences").with("lang", "zh", "return", to))
		h.staysHere(t, fmt.Sprintf("preferences %q", to), p)
		p = buyer.send(t, buyer.get(t, shown).form(t, shown+"/cart").with("return", to))
		h.staysHere(t, fmt.Sprintf("add %q", to), p)
		if strings.Contains(to, "\x00") {
			continue // no address at all, which noText sees to
		}
		p = buyer.send(t, buyer.get(t, "/pay/topup"+q).form(t, "/pay/topup").with("amount", "0.01", "return", to))
		h.staysHere(t, fmt.Sprintf("top up %q", to), p)
		p = buyer.get(t, "/pay/topup"+q)
		for n := range p.root.Descendants() {
			if n.Data == "a" && strings.Contains(attribute(n, "href"), "evil") && !strings.HasPrefix(attribute(n, "href"), "/auth/") && !strings.HasPrefix(attribute(n, "href"), "/session/") && !strings.HasPrefix(attribute(n, "href"), "/pay/session/") {
				t.Errorf("a link of the top-up page leads to %q", attribute(n, "href"))
			}
		}
	}
	// The whole way of somebody who isn't, once for each kind.
	for _, to := range []string{"//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/%2f%2fevil.example"} {
		for _, start := range []string{"/session/login?return=", "/pay/session/login?return=", "/auth/login?return="} {
			b := newBrowser(t, h.Shop)
			f := b.follow(t, b.get(t, start+url.QueryEscape(to))).form(t, "/auth/login").with("identifier", otherName, "password", harness.Password)
			p := b.send(t, f)
			for p.header.Get("Location") != "" {
				h.staysHere(t, start+to, p)
				next, err := p.url.Parse(p.header.Get("Location"))
				if err != nil || "http://"+next.Host != h.Shop {
					break
				}
				p = b.get(t, next.RequestURI())
			}
			if p.status != http.StatusOK && p.status != http.StatusNotFound {
				t.Errorf("%s%s ends at %d %s", start, to, p.status, p.url)
			}
		}
	}
	for _, to := range away {
		b := newBrowser(t, h.Shop)
		b.http.Jar = buyer.http.Jar
		p := b.get(t, "/auth/logout?post_logout_redirect_uri="+url.QueryEscape(to)+"&client_id=shop")
		h.staysHere(t, "log out to "+to, p)
		p = b.get(t, "/auth/end_session?post_logout_redirect_uri="+url.QueryEscape(to)+"&client_id=shop")
		h.staysHere(t, "end the session to "+to, p)
		p = b.get(t, "/auth/authorize?response_type=code&client_id=shop&scope=openid&state=x&redirect_uri="+url.QueryEscape(to))
		h.staysHere(t, "authorize for "+to, p)
	}
}
