package ui

import (
	"context"
	"net/http"
	"strconv"

	"jishi/kit/locale"
)

// Names of the cookies that the frame reads. The language's is locale.Cookie.
const (
	ThemeCookie = "theme" // "light" or "dark"; anything else follows the device
	CartCookie  = "cart"  // how many pieces are in the cart, for the badge only
)

const maxBadge = 999

// Visitor is the reader of a page as the frame shows them. Middleware that knows more
// of them fills the fields in: who they are, what to tell them.
type Visitor struct {
	Name     string
	LoggedIn bool
	Cart     int    // pieces in the cart, 0 to 999
	Language string // "zh" or "en"
	Theme    string // "light", "dark", or "" for the device's choice
	Path     string // the page's own path with its query, to come back to
	Flash    string // said once, at the top of the next page
	Login    string // where the login link leads; Path is added as return
	Logout   string // where the logout form is sent
	WayOut   Link   // where an error page leads; all products where it is empty

	site Site
	read bool // the page answers a GET, so it can be loaded again
}

type visitorKey struct{}

// Middleware puts the reader into the context. It stands inside locale's.
func Middleware(site Site) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := &Visitor{
				Cart:     cartCount(r),
				Language: locale.Language(r.Context()),
				Theme:    themeOf(r),
				Path:     r.URL.RequestURI(),
				Login:    site.Login(),
				Logout:   site.Logout(),
				site:     site,
				read:     r.Method == http.MethodGet,
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, v)))
		})
	}
}

// From is the reader in the context. Where [Middleware] didn't run it is somebody
// unknown, who isn't kept.
func From(ctx context.Context) *Visitor {
	if v, ok := ctx.Value(visitorKey{}).(*Visitor); ok {
		return v
	}
	return &Visitor{Language: locale.Language(ctx)}
}

// SiteOf is where the parts of the market are, for links between modules.
func SiteOf(ctx context.Context) Site { return From(ctx).site }

func cartCount(r *http.Request) int {
	c, err := r.Cookie(CartCookie)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(c.Value)
	if err != nil {
		return 0
	}
	return min(max(n, 0), maxBadge)
}

func themeOf(r *http.Request) string {
	c, err := r.Cookie(ThemeCookie)
	if err != nil || (c.Value != "light" && c.Value != "dark") {
		return ""
	}
	return c.Value
}
