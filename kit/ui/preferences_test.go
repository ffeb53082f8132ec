package ui

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func post(form url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, PreferencesPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Preferences(true).ServeHTTP(w, r)
	return w
}

func TestPreferencesAreKept(t *testing.T) {
	w := post(url.Values{"lang": {"en"}, "theme": {"dark"}, "return": {"/orders?cursor=a"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/orders?cursor=a" {
		t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 2 || cookies[0].Value != "en" || cookies[1].Value != "dark" {
		t.Fatalf("cookies %v", cookies)
	}
	for _, c := range cookies {
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.MaxAge != yearSeconds || c.Path != "/" {
			t.Errorf("cookie %v", c)
		}
	}
}

func TestUnknownPreferencesChangeNothing(t *testing.T) {
	if c := post(url.Values{"lang": {"fr"}, "theme": {"pink"}}).Result().Cookies(); len(c) != 0 {
		t.Errorf("cookies %v", c)
	}
}

func TestPreferencesLeadNowhereElse(t *testing.T) {
	for _, to := range []string{
		"", "https://evil.example", "//evil.example", `/\\evil.example`, `\\evil.example`, "/\t/evil.example", "/\n/evil.example",
		"javascript:alert(1)", "evil.example", "/\x00",
	} {
		if got := post(url.Values{"return": {to}}).Header().Get("Location"); got != "/" {
			t.Errorf("return %q leads to %q", to, got)
		}
	}
}
