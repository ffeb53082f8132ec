package webhook_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"jishi/pay/webhook"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestSend(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var came *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came = r
		body, _ = io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/seconds":
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/date":
			w.Header().Set("Retry-After", now.Add(2*time.Hour).Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		case "/past":
			w.Header().Set("Retry-After", now.Add(-time.Hour).Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		case "/nonsense":
			w.Header().Set("Retry-After", "-5")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/elsewhere":
			http.Redirect(w, r, "/ok", http.StatusTemporaryRedirect)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer server.Close()
	s := webhook.New(webhook.Transport(loopback), func() time.Time { return now })
	for path, want := range map[string]struct {
		status int
		pause  time.Duration
	}{
		"/ok":        {204, 0},
		"/seconds":   {503, 90 * time.Second},
		"/date":      {429, 2 * time.Hour},
		"/past":      {429, 0},
		"/nonsense":  {503, 0},
		"/elsewhere": {307, 0},
	} {
		status, pause, err := s.Send(t.Context(), server.URL+path, map[string]string{"webhook-id": "evt_1"}, []byte(`{"a":1}`))
		if err != nil || status != want.status || pause != want.pause {
			t.Errorf("%s: %d, %s, %v; want %d, %s", path, status, pause, err, want.status, want.pause)
		}
		if came.URL.Path != path || came.Method != "POST" || came.Header.Get("Webhook-Id") != "evt_1" || came.Header.Get("Content-Type") != "application/json" || string(body) != `{"a":1}` {
			t.Errorf("%s: came as %s %s %v %s", path, came.Method, came.URL.Path, came.Header, body)
		}
	}
}

// Nothing is sent to an address that isn't public, however it is written, unless it is
// allowed; nor to a name that leads to one.
func TestPrivateAddressesAreRefused(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := webhook.New(webhook.Transport(nil), time.Now)
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::7f00:1]", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
	} {
		for _, scheme := range []string{"http", "https"} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			_, _, err := s.Send(ctx, scheme+"://"+host+":"+port+"/", nil, nil)
			cancel()
			if err == nil || !strings.Contains(err.Error(), "not public") {
				t.Errorf("%s://%s: %v", scheme, host, err)
			}
		}
	}
	if reached {
		t.Error("something came")
	}
	if _, _, err := webhook.New(webhook.Transport(loopback), time.Now).Send(t.Context(), server.URL, nil, nil); err != nil || !reached {
		t.Errorf("allowed: %v", err)
	}
}

// Without TLS nothing goes to public addresses, whichever networks are allowed; those may have
// it either way.
func TestPlainIsForAllowedNetworks(t *testing.T) {
	came := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { came++ }))
	defer server.Close()
	s := webhook.New(webhook.Transport(loopback), time.Now)
	for _, host := range []string{"1.1.1.1", "[2606:4700:4700::1111]", "[::ffff:1.1.1.1]"} {
		if _, _, err := s.Send(t.Context(), "http://"+host+":9/", nil, nil); err == nil || !strings.Contains(err.Error(), "without TLS") {
			t.Errorf("%s: %v", host, err)
		}
	}
	// The handshake ends at a certificate that nobody vouches for: it was dialled.
	if _, _, err := s.Send(t.Context(), server.URL, nil, nil); err == nil || !strings.Contains(err.Error(), "certificate") || came > 0 {
		t.Errorf("with TLS: %v", err)
	}
	if _, _, err := webhook.New(webhook.Transport(nil), time.Now).Send(t.Context(), server.URL, nil, nil); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Errorf("with TLS, not allowed: %v", err)
	}
}
