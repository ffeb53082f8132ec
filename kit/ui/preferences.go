package ui

import (
	"net/http"

	"jishi/kit/locale"
)

// PreferencesPath takes the form that chooses language and theme; it is the same path
// on every origin of the market, since cookies don't cross origins.
const PreferencesPath = "/preferences"

const yearSeconds = 365 * 24 * 60 * 60

// Preferences keeps the reader's choice of language and theme in cookies, from the
// fields lang and theme, and leads back to the field return. Unknown values are left as
// they were: this form is sent by our own pages only. Secure is for sites on https.
func Preferences(secure bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // what can't be read is left as it was; a form with files isn't read at all
		if lang := r.PostForm.Get("lang"); locale.Known(lang) {
			keep(w, locale.Cookie, lang, secure)
		}
		switch theme := r.PostForm.Get("theme"); theme {
		case "light", "dark", "auto":
			keep(w, ThemeCookie, theme, secure)
		}
		w.Header().Set("Location", LocalPath(r.PostForm.Get("return"), "/"))
		w.WriteHeader(http.StatusSeeOther)
	})
}

func keep(w http.ResponseWriter, name, value string, secure bool) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: yearSeconds,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode,
	})
}
