package authguard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"jishi/kit/web"
)

// issuer is an auth that signs whatever a test wants.
type issuer struct {
	key     *ecdsa.PrivateKey
	fetches atomic.Int64
	away    atomic.Bool
	at      time.Time
}

func newIssuer(t *testing.T) (*issuer, *verifier) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return i.at }
	hc := &http.Client{Transport: web.Local{Handler: http.HandlerFunc(i.serve)}}
	keys := &keySet{http: hc, now: now, url: func(context.Context) (string, error) { return "https://market.example/keys", nil }}
	return i, newVerifier("https://market.example/auth", keys, now)
}

func (i *issuer) serve(w http.ResponseWriter, _ *http.Request) {
	i.fetches.Add(1)
	if i.away.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
}

func (i *issuer) good() map[string]any {
	return map[string]any{
		"iss": "https://market.example/auth", "sub": "usr_1", "aud": []string{"shop"}, "client_id": "cli",
		"iat": i.at.Unix(), "exp": i.at.Add(5 * time.Minute).Unix(),
	}
}

func claim(claims map[string]any, name string, value any) map[string]any {
	c := maps.Clone(claims)
	c[name] = value
	if value == nil {
		delete(c, name)
	}
	return c
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, typ string, claims map[string]any, headers map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", kid)
	for k, v := range headers {
		options = options.WithHeader(k, v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// T1: what is not an access token of auth's for us, now.
func TestBearerRefusals(t *testing.T) {
	i, v := newIssuer(t)
	good := i.good()
	token := func(claims map[string]any) string {
		return signed(t, jose.ES256, i.key, "k1", "at+jwt", claims, nil)
	}
	for _, raw := range []string{token(good), token(claim(good, "aud", "shop")), signed(t, jose.ES256, i.key, "k1", "application/at+jwt", good, nil)} {
		if c, err := v.access(t.Context(), raw, "shop"); err != nil || c.identity().User != "usr_1" {
			t.Fatalf("a good token: %+v, %v", c, err)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	whole := token(good)
	tampered := strings.Split(whole, ".")
	tampered[1] = part(claim(good, "sub", "usr_2"))
	jwk := jose.JSONWebKey{Key: &other.PublicKey, KeyID: "k1", Algorithm: "ES256", Use: "sig"}
	for what, raw := range map[string]string{
		"nothing":               "",
		"nonsense":              "a.b.c",
		"alg none":              part(map[string]any{"alg": "none", "typ": "at+jwt", "kid": "k1"}) + "." + part(good) + ".",
		"HS256, public key":     signed(t, jose.HS256, public, "k1", "at+jwt", good, nil),
		"ES384":                 signed(t, jose.ES384, p384, "k1", "at+jwt", good, nil),
		"another key":           signed(t, jose.ES256, other, "k1", "at+jwt", good, nil),
		"its own key (jwk)":     signed(t, jose.ES256, other, "k1", "at+jwt", good, map[jose.HeaderKey]any{"jwk": jwk}),
		"jwk beside a good kid": signed(t, jose.ES256, i.key, "k1", "at+jwt", good, map[jose.HeaderKey]any{"jwk": jwk}),
		"jku":                   signed(t, jose.ES256, i.key, "k1", "at+jwt", good, map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}),
		"x5u":                   signed(t, jose.ES256, i.key, "k1", "at+jwt", good, map[jose.HeaderKey]any{"x5u": "https://evil.example/x"}),
		"unknown kid":           signed(t, jose.ES256, i.key, "k2", "at+jwt", good, nil),
		"id_token":              signed(t, jose.ES256, i.key, "k1", "JWT", good, nil),
		"logout token":          signed(t, jose.ES256, i.key, "k1", "logout+jwt", good, nil),
		"no typ":                signed(t, jose.ES256, i.key, "k1", "", good, nil),
		"tampered":              strings.Join(tampered, "."),
		"wrong audience":        token(claim(good, "aud", []string{"pay"})),
		"no audience":           token(claim(good, "aud", nil)),
		"wrong issuer":          token(claim(good, "iss", "https://market.example/auth/")),
		"expired":               token(claim(good, "exp", i.at.Add(-31*time.Second).Unix())),
		"no expiry":             token(claim(good, "exp", nil)),
		"not yet":               token(claim(good, "nbf", i.at.Add(31*time.Second).Unix())),
		"from the future":       token(claim(good, "iat", i.at.Add(31*time.Second).Unix())),
		"nobody":                token(claim(good, "sub", nil)),
		"no client":             token(claim(good, "client_id", nil)),
		"too long":              token(claim(good, "x", strings.Repeat("x", maxToken))),
	} {
		if c, err := v.access(t.Context(), raw, "shop"); !errors.Is(err, ErrToken) {
			t.Errorf("%s: got %+v, %v", what, c, err)
		}
	}
	within := token(claim(good, "exp", i.at.Add(-29*time.Second).Unix()))
	if _, err := v.access(t.Context(), within, "shop"); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
}

// T2: a thousand forged kids cost one request in ten seconds, and while auth is away the
// keys that are known go on working.
func TestForgedKidsDontAskAuth(t *testing.T) {
	i, v := newIssuer(t)
	good := signed(t, jose.ES256, i.key, "k1", "at+jwt", i.good(), nil)
	if _, err := v.access(t.Context(), good, "shop"); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 1000 {
		forged := signed(t, jose.ES256, i.key, fmt.Sprint("forged", n), "at+jwt", i.good(), nil)
		wg.Go(func() {
			if _, err := v.access(t.Context(), forged, "shop"); !errors.Is(err, ErrToken) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	i.at = i.at.Add(keysAgain)
	for range 10 {
		_, _ = v.access(t.Context(), signed(t, jose.ES256, i.key, "forged", "at+jwt", i.good(), nil), "shop")
	}
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("%d requests after ten seconds, want 2", n)
	}

	i.away.Store(true)
	i.at = i.at.Add(time.Hour)
	for range 3 {
		if _, err := v.access(t.Context(), signed(t, jose.ES256, i.key, "k1", "at+jwt", i.good(), nil), "shop"); err != nil {
			t.Errorf("auth is away: %v", err)
		}
	}
}

// A new key is found at once by the first token that it signed.
func TestRotatedKeysAreFound(t *testing.T) {
	i, v := newIssuer(t)
	_, _ = v.access(t.Context(), signed(t, jose.ES256, i.key, "k0", "at+jwt", i.good(), nil), "shop")
	i.at = i.at.Add(keysAgain)
	if _, err := v.access(t.Context(), signed(t, jose.ES256, i.key, "k1", "at+jwt", i.good(), nil), "shop"); err != nil {
		t.Error(err)
	}
}

// A module that has never seen the keys can't tell good tokens from bad: that is no 401.
func TestNoKeysAtAll(t *testing.T) {
	i, v := newIssuer(t)
	i.away.Store(true)
	for range 2 {
		if _, err := v.access(t.Context(), signed(t, jose.ES256, i.key, "k1", "at+jwt", i.good(), nil), "shop"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want it unavailable", err)
		}
	}
}

// S8: what is not a logout token of auth's for us, now.
func TestLogoutTokenRefusals(t *testing.T) {
	i, v := newIssuer(t)
	good := claim(claim(i.good(), "sid", "sid_1"), "events", map[string]any{logoutEvent: map[string]any{}})
	token := func(typ string, claims map[string]any) string {
		return signed(t, jose.ES256, i.key, "k1", typ, claims, nil)
	}
	if sid, err := v.logout(t.Context(), token("logout+jwt", good), "shop"); err != nil || sid != "sid_1" {
		t.Fatalf("got %s, %v", sid, err)
	}
	for what, raw := range map[string]string{
		"access token": token("at+jwt", good), "id_token": token("JWT", good),
		"with a nonce": token("logout+jwt", claim(good, "nonce", "n")), "without events": token("logout+jwt", claim(good, "events", nil)),
		"another event": token("logout+jwt", claim(good, "events", map[string]any{"x": map[string]any{}})),
		"without sid":   token("logout+jwt", claim(good, "sid", nil)),
		"for another":   token("logout+jwt", claim(good, "aud", "pay")),
		"of another":    token("logout+jwt", claim(good, "iss", "https://evil.example")),
		"old":           token("logout+jwt", claim(good, "exp", i.at.Add(-time.Minute).Unix())),
	} {
		if sid, err := v.logout(t.Context(), raw, "shop"); err == nil {
			t.Errorf("%s: got %s", what, sid)
		}
	}
}

// A signature that was good is not checked again for a while; times and audience are, each
// time, and after that while a key that auth has withdrawn is no key any more.
func TestASignatureIsTrustedForAWhile(t *testing.T) {
	i, v := newIssuer(t)
	claims := claim(i.good(), "exp", i.at.Add(time.Hour).Unix())
	long := signed(t, jose.ES256, i.key, "k1", "at+jwt", claims, nil)
	short := signed(t, jose.ES256, i.key, "k1", "at+jwt", claim(claims, "exp", i.at.Add(time.Second).Unix()), nil)
	for range 2 {
		for _, raw := range []string{long, short} {
			if _, err := v.access(t.Context(), raw, "shop"); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := v.access(t.Context(), long, "pay"); !errors.Is(err, ErrToken) {
		t.Errorf("for another audience: %v", err)
	}
	forged := long[:len(long)-4] + "AAAA"
	if _, err := v.access(t.Context(), forged, "shop"); !errors.Is(err, ErrToken) {
		t.Errorf("with another signature: %v", err)
	}
	i.at = i.at.Add(leeway + 2*time.Second)
	if _, err := v.access(t.Context(), short, "shop"); !errors.Is(err, ErrToken) {
		t.Errorf("after its end: %v", err)
	}
	v.keys = &keySet{http: v.keys.http, now: v.now, url: func(context.Context) (string, error) { return "", errors.New("withdrawn") }}
	if _, err := v.access(t.Context(), long, "shop"); err != nil {
		t.Errorf("within the while: %v", err)
	}
	i.at = i.at.Add(trustFor)
	if _, err := v.access(t.Context(), long, "shop"); err == nil {
		t.Error("it is still trusted")
	}
}
