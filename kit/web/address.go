package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress lets handlers read in r.RemoteAddr who a request comes from where it
// came through proxies. Each proxy appends to X-Forwarded-For the address that it was
// called from, so the last one that is no proxy of ours is the client; what stands before it
// was written by the client and may be anything. Without trusted networks the header
// is not looked at.
func ClientAddress(trusted []netip.Prefix) func(http.Handler) http.Handler {
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(next http.Handler) http.Handler {
		if len(trusted) == 0 {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if client, ok := behind(r, ours); ok {
				r = r.Clone(r.Context())
				r.RemoteAddr = net.JoinHostPort(client.String(), "0") // a port that nobody has
			}
			next.ServeHTTP(w, r)
		})
	}
}

// behind is the client for whom a proxy of ours called; false where none did.
func behind(r *http.Request, ours func(netip.Addr) bool) (netip.Addr, bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !ours(peer.Addr().Unmap()) {
		return netip.Addr{}, false
	}
	var last netip.Addr
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // our proxies write addresses; what comes before this is not theirs
		}
		if last = a.Unmap().WithZone(""); !ours(last) {
			break
		}
	}
	return last, last.IsValid()
}
