// Package webhook takes webhooks to their receivers, whose addresses strangers choose. It
// goes only to addresses that are public or that the operator allows, and follows nobody
// elsewhere. It knows nothing of what is sent.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const (
	sendFor   = 15 * time.Second // connecting, sending and the answer, as far as it is read
	readMost  = 64 << 10         // of an answer, so that its connection can be used again
	idleConns = 16
	idleFor   = time.Minute
)

// Sender posts webhooks.
type Sender struct {
	http *http.Client
	now  func() time.Time
}

// New returns a sender whose requests travel by way: [Transport], but for addresses that
// are known to be harmless.
func New(way http.RoundTripper, now func() time.Time) *Sender {
	return &Sender{
		http: &http.Client{
			Transport: way, Timeout: sendFor,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now: now,
	}
}

// Send posts a JSON body, and gives the answer's status and the pause that its Retry-After
// asks for. Without an answer it is an error.
func (s *Sender) Send(ctx context.Context, url string, header map[string]string, body []byte) (int, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Jishi-Webhooks/1")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, readMost)
	return res.StatusCode, s.retryAfter(res.Header.Get("Retry-After")), nil
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 is neither, or over.
func (s *Sender) retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(at.Sub(s.now()), 0)
}

var (
	errPrivate = errors.New("this address is not public, and not allowed either")
	errPlain   = errors.New("only addresses that are allowed get anything without TLS")
)

// Transport connects with TLS to public addresses, and with or without to those in the networks
// that are allowed. An address is looked at when it is dialled, after its name was resolved: so
// a name that is public when it is checked and private when it is used gets nowhere.
func Transport(allowed []netip.Prefix) http.RoundTripper {
	return byScheme{
		secure: transport(func(ip netip.Addr) error {
			if !public(ip) && !within(ip, allowed) {
				return errPrivate
			}
			return nil
		}),
		plain: transport(func(ip netip.Addr) error {
			switch {
			case within(ip, allowed):
				return nil
			case public(ip):
				return errPlain
			}
			return errPrivate
		}),
	}
}

// byScheme keeps apart what goes with TLS and what goes without, also their connections.
type byScheme struct{ secure, plain http.RoundTripper }

func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.secure.RoundTrip(r)
	}
	return b.plain.RoundTrip(r)
}

func transport(check func(netip.Addr) error) *http.Transport {
	dialer := &net.Dialer{Timeout: sendFor, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address %s: %w", address, err)
		}
		if err := check(at.Addr().Unmap().WithZone("")); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		return nil
	}}
	return &http.Transport{
		Proxy:               nil, // it would be asked to go where we may not
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: sendFor,
		MaxIdleConns:        idleConns,
		IdleConnTimeout:     idleFor,
	}
}

// special are the networks that are not for everybody although they look global to
// package netip: https://www.iana.org/assignments/iana-ipv4-special-registry and
// iana-ipv6-special-registry. Those that carry IPv4 addresses inside are among them.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !within(ip, special)
}

func within(ip netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}
