package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"jishi/tests/harness"
)

func newUser(identifier, password string) string {
	return fmt.Sprintf(`{"identifier":%s,"password":%s}`, quoted(identifier), quoted(password))
}

func (h *house) register(t testing.TB, identifier, password string) answer {
	t.Helper()
	return h.call(t, "", http.MethodPost, "/auth/api/v1/users", newUser(identifier, password))
}

func (h *house) identifiers(t *testing.T) {
	b := newBrowser(t, h.Shop)
	f := b.get(t, "/auth/register").form(t, "/auth/register").with("password", "another one 7", "password_repeat", "another one 7", "name", "Mallory")
	for _, taken := range []string{sellerName, "SELLER@EXAMPLE.COM", " seller@example.com ", buyerName, "+86 138 0013 8000", "138-0013-8000"} {
		h.register(t, taken, "another one 7").refuses(t, taken, http.StatusConflict, "identifier")
		b.asksAgain(t, f, http.StatusConflict, "identifier", "identifier", taken)
	}
	if b := h.loggedIn(t, sellerName); b == nil {
		t.Error("the old password is gone")
	}
	for _, wrong := range []string{
		"", " ", "12345", "1380013800", "138001380000", "+999 138 0013 8000", "010-12345678", "0x13800138000", "١٣٨٠٠١٣٨٠٠٠x",
		"nobody", "@", "a@", "@b.example", "a@b", "a b@c.example", "a@b@c.example", "a@b..example", `"a"@b.example`, "a@[127.0.0.1]",
		"a@b.example,c@d.example", "a\n@b.example", "a@b.example\r\nBcc: c@d.example", "a@\u202eb.example", strings.Repeat("a", 65) + "@b.example", strings.Repeat("1", 300),
	} {
		h.register(t, wrong, "another one 7").refuses(t, wrong, http.StatusUnprocessableEntity, "identifier")
		if strings.ContainsAny(wrong, "\r\n") {
			continue // a browser's input of one line can't send it
		}
		b.asksAgain(t, f, http.StatusUnprocessableEntity, "identifier", "identifier", wrong)
	}
}

func (h *house) passwords(t *testing.T) {
	const who = "passwords@example.com"
	b := newBrowser(t, h.Shop)
	f := b.get(t, "/auth/register").form(t, "/auth/register").with("identifier", who, "name", "Pat")
	b.asksAgain(t, f, http.StatusUnprocessableEntity, "password_repeat", "password", "long enough 1", "password_repeat", "long enough 2")
	for _, wrong := range []string{"", "short 7", "七个字的密码啊", strings.Repeat("x", 257), strings.Repeat("x", 100_000)} {
		h.register(t, who, wrong).refuses(t, wrong, http.StatusUnprocessableEntity, "password")
		b.asksAgain(t, f, http.StatusUnprocessableEntity, "password", "password", wrong, "password_repeat", wrong)
	}
	if a := h.register(t, who, strings.Repeat("密", 256)); a.status != http.StatusCreated {
		t.Errorf("a good password at last: got %d %s: it was registered before, or 256 are too many", a.status, a.body)
	}
}

func (h *house) wrongPassword(t *testing.T) {
	b := newBrowser(t, h.Shop)
	f := b.get(t, "/auth/login").form(t, "/auth/login").with("password", "not the password")
	says := func(identifier string) (int, string) {
		b.asksAgain(t, f, http.StatusUnauthorized, "password", "identifier", identifier)
		p := b.send(t, f.with("identifier", identifier))
		if len(p.header["Set-Cookie"]) > 0 {
			t.Errorf("%s: got a cookie", identifier)
		}
		return p.status, p.text("main")
	}
	status, text := says(sellerName)
	for _, unknown := range []string{"nobody@example.com", "13900139000", "no identifier at all", ""} {
		if s, got := says(unknown); s != status || got != text {
			t.Errorf("%q: got %d %q, want %d %q as for a wrong password", unknown, s, got, status, text)
		}
	}
	// A password that is right but for its ends is wrong.
	for _, near := range []string{" " + harness.Password, harness.Password + " ", strings.ToUpper(harness.Password)} {
		b.asksAgain(t, f, http.StatusUnauthorized, "password", "identifier", sellerName, "password", near)
	}
}
