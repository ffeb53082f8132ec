package app

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/pay/payclient"
)

// Wallet knows everybody's.
func (p *teller) Wallet(context.Context, string) (payclient.Wallet, error) {
	return payclient.Wallet{}, nil
}

// The longest deadline that the settings allow is one that pay takes.
func TestTheLongestDeadline(t *testing.T) {
	m := openForOne(t, "--order-deadline", "696h")
	if err := m.conf.Validate(); err != nil {
		t.Fatal(err)
	}
	w := m.send(http.MethodPost, "/api/v1/orders", `{"items":[{"product":"`+m.product+`","quantity":1}]}`)
	if !strings.Contains(w.Body.String(), `"state":"paid"`) {
		t.Errorf("got %d %s, want a paid order", w.Code, w.Body)
	}
}

// Logins that are begun again and again, with the longest ways back, leave room in the headers
// of a browser: it goes on opening pages, here and through a proxy that takes lines of 8 kB.
func TestLoginsLeaveRoomInHeaders(t *testing.T) {
	m := openForOne(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var server errgroup.Group
	server.Go(func() error { return serveUntil(ctx, l, m.Handler, time.Minute, m.log) })
	t.Cleanup(func() {
		stop()
		if err := server.Wait(); err != nil {
			t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get := func(path string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("%.30s: got %d, want %d", path, res.StatusCode, want)
		}
	}
	for _, back := range []string{"/?" + strings.Repeat("x", 1990), "/?" + strings.Repeat("&", 1990), "/?" + strings.Repeat("x", 950)} {
		for range 15 {
			get("/session/login?return="+url.QueryEscape(back), http.StatusSeeOther)
			get("/pay/session/login?return="+url.QueryEscape(back), http.StatusSeeOther)
			get("/", http.StatusOK)
			line := len("Cookie: \r\n") + 3925 + 750 // a guest's full cart; sessions, what the next page says, language and so on
			for _, c := range jar.Cookies(&url.URL{Scheme: "http", Host: l.Addr().String()}) {
				line += len("__Host-=; ") + len(c.Name) + len(c.Value) // as on https
			}
			if line > 8<<10 {
				t.Fatalf("with what else there may be the cookies are a line of %d bytes", line)
			}
		}
	}
}

// A picture is for all and may be kept by a cache for all, so it takes no notice of who asks: a
// session that is over isn't ended with it.
func TestPicturesSetNoCookies(t *testing.T) {
	m := openForOne(t)
	file, err := os.ReadFile("demo/pictures/apple.jpg")
	if err != nil {
		t.Fatal(err)
	}
	name, err := m.shop.AddPicture(t.Context(), buyer, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "jishi_shop", Value: strings.Repeat("A", 43)})
		w := httptest.NewRecorder()
		m.Handler.ServeHTTP(w, r)
		return w
	}
	if w := get("/"); w.Header().Get("Set-Cookie") == "" {
		t.Error("a page leaves the cookie of a session that is over")
	}
	w := get("/pictures/" + name)
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "public") || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}
