package web

import (
	"net/http"
	"strings"
	"time"

	"jishi/kit/ui"
)

// Cookies sets cookies as this deployment needs them: HttpOnly and SameSite=Lax; on
// https also Secure and with the __Host- prefix, which binds them to one host.
type Cookies struct{ Secure bool }

// CookiesFor reads from the base URL whether browsers come over https.
func CookiesFor(baseURL string) Cookies {
	return Cookies{Secure: strings.HasPrefix(baseURL, "https://")}
}

// Name is what a cookie is called on the wire.
func (c Cookies) Name(name string) string {
	if c.Secure {
		return "__Host-" + name
	}
	return name
}

// Set gives the browser a cookie for that long; 0 ends with the browser's session.
func (c Cookies) Set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name:     c.Name(name),
		Value:    value,
		Path:     "/",
		MaxAge:   int(life / time.Second),
		Secure:   c.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

// Clear takes a cookie back.
func (c Cookies) Clear(w http.ResponseWriter, name string) {
	c.Set(w, name, "", -time.Second)
}

// Get is a cookie's value, "" when there is none.
func (c Cookies) Get(r *http.Request, name string) string {
	cookie, err := r.Cookie(c.Name(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// LocalPath is path when it leads to a page of this origin, or else fallback: every
// "return to" parameter goes through it.
func LocalPath(path, fallback string) string { return ui.LocalPath(path, fallback) }
