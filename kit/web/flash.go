package web

import (
	"context"
	"encoding/json"
	"net/http"

	"jishi/kit/locale"
)

const flashCookie = "jishi_flash"

// flash is a message that the next page shows once: a locale key with its data.
type flash struct {
	Key   string `json:"k"`
	Pairs []any  `json:"p,omitempty"`
}

// flasher carries flashes in sealed cookies, so that nobody else can word them.
type flasher struct {
	sealer  *Sealer
	cookies Cookies
}

type flasherKey struct{}

// Flashes lets SetFlash work in the handlers behind it.
func Flashes(sealer *Sealer, cookies Cookies) func(http.Handler) http.Handler {
	f := &flasher{sealer, cookies}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), flasherKey{}, f)))
		})
	}
}

// SetFlash has the next page show a message once. Pairs are the data of its text:
// strings and numbers.
func SetFlash(w http.ResponseWriter, r *http.Request, key string, pairs ...any) {
	f, ok := r.Context().Value(flasherKey{}).(*flasher)
	if !ok {
		return
	}
	b, err := json.Marshal(flash{key, pairs})
	if err != nil {
		panic(err) // a pair that is no string and no number
	}
	f.cookies.Set(w, flashCookie, f.sealer.Seal(flashCookie, b), 0)
}

// takeFlash is the text of a waiting message, and the end of its waiting.
func takeFlash(w http.ResponseWriter, r *http.Request) string {
	f, ok := r.Context().Value(flasherKey{}).(*flasher)
	if !ok {
		return ""
	}
	sealed := f.cookies.Get(r, flashCookie)
	if sealed == "" {
		return ""
	}
	f.cookies.Clear(w, flashCookie)
	var m flash
	plain, err := f.sealer.Open(flashCookie, sealed)
	if err != nil || json.Unmarshal(plain, &m) != nil {
		return "" // forged, or sealed with a key that is gone: not ours to show
	}
	return locale.T(r.Context(), m.Key, m.Pairs...)
}
