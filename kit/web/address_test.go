package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestWhoARequestComesFrom(t *testing.T) {
	office := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	for name, c := range map[string]struct {
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		"nobody is trusted by default":              {nil, "10.0.0.1:5", []string{"192.0.2.1"}, "10.0.0.1:5"},
		"a stranger's header is not read":           {office, "198.51.100.7:5", []string{"192.0.2.1"}, "198.51.100.7:5"},
		"one proxy":                                 {office, "10.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1:0"},
		"an IPv4 proxy on an IPv6 socket":           {office, "[::ffff:10.0.0.1]:5", []string{"192.0.2.1"}, "192.0.2.1:0"},
		"two proxies":                               {office, "10.0.0.1:5", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1:0"},
		"two proxies that wrote a header each":      {office, "10.0.0.1:5", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1:0"},
		"IPv6":                                      {office, "[2001:db8:1::1]:5", []string{"2001:db8:2::9"}, "[2001:db8:2::9]:0"},
		"a client that says it is somebody else":    {office, "10.0.0.1:5", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1:0"},
		"a client that says it is a proxy":          {office, "10.0.0.1:5", []string{"10.0.0.9, 192.0.2.1"}, "192.0.2.1:0"},
		"a client that writes nonsense":             {office, "10.0.0.1:5", []string{"'; DROP TABLE, 192.0.2.1"}, "192.0.2.1:0"},
		"nonsense where the proxy's word should be": {office, "10.0.0.1:5", []string{"192.0.2.1, unknown"}, "10.0.0.1:5"},
		"nonsense before another proxy":             {office, "10.0.0.1:5", []string{"unknown, 10.0.0.2"}, "10.0.0.2:0"},
		"a proxy itself":                            {office, "10.0.0.1:5", nil, "10.0.0.1:5"},
		"a call of this process":                    {office, "local", []string{"192.0.2.1"}, "local"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			r.Header["X-Forwarded-For"] = c.forwarded
			var got string
			ClientAddress(c.trusted)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).
				ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
