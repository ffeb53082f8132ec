package harness

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Behind is the address of a proxy before the shop, as a base URL, which does with requests what the
// test wants. Whoever is logged in at the shop is so there too.
func (m *Market) Behind(t testing.TB, meddle func(next http.Handler) http.Handler) string {
	t.Helper()
	shop, err := url.Parse(m.Shop)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(meddle(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(shop) }}))
	t.Cleanup(proxy.Close)
	return baseURL(proxy.Listener.Addr().String())
}
