package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"jishi/kit/web"
)

// client is how modules call each other.
func (m *Market) client() *http.Client { return &http.Client{Transport: way{m}, Timeout: callTimeout} }

// way goes to a module by a call of its handler where the module runs in this process,
// and over the network where it doesn't. It is the one place where this is decided.
type way struct{ m *Market }

func (w way) RoundTrip(r *http.Request) (*http.Response, error) {
	module := moduleOf(r.URL.Path)
	base, err := url.Parse(w.m.conf.Module(module).URL)
	if err == nil && base.Host == r.URL.Host && slices.Contains(w.m.here, module) {
		return web.Local{Handler: w.m.Handler}.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// outward is how webhooks travel: to where the market's own shop hears them as modules call each
// other, everywhere else with care, to other addresses of the shop too.
type outward struct {
	hook    string // where the shop hears them
	inside  http.RoundTripper
	outside http.RoundTripper
}

func (o outward) RoundTrip(r *http.Request) (*http.Response, error) {
	hook, err := url.Parse(o.hook)
	if err == nil && hook.String() == r.URL.String() {
		return o.inside.RoundTrip(r)
	}
	return o.outside.RoundTrip(r)
}

// moduleOf is the module that a path belongs to.
func moduleOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/auth/"):
		return "auth"
	case strings.HasPrefix(path, "/pay/"):
		return "pay"
	}
	return "shop"
}
