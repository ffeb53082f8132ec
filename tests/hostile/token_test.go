package hostile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"jishi/tests/harness"
)

// fetchToken is a token of the program's own, for some modules and for some time.
func (h *house) fetchToken(t testing.TB, more ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := h.Command("token", append([]string{"--user", buyerName}, more...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("token %s: %v\n%s", more, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// places are calls that need a token, by the audience that they want.
var places = map[string]string{"auth": "/auth/api/v1/me", "pay": "/pay/api/v1/wallets", "shop": "/api/v1/cart"}

func (h *house) tokens(t *testing.T) {
	good := h.buyer.Token
	parts := strings.Split(good, ".")
	if len(parts) != 3 {
		t.Fatalf("the token is no JWT")
	}
	var claims map[string]any
	plain, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(plain, &claims); err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	claims["sub"] = h.seller.ID
	other, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	keys := h.call(t, "", http.MethodGet, "/auth/keys", "")

	bad := map[string]string{
		"no token":                          "",
		"nonsense":                          "nonsense",
		"three parts of nonsense":           "a.b.c",
		"five parts":                        "a.b.c.d.e",
		"no signature":                      parts[0] + "." + parts[1] + ".",
		"another signature":                 parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"another user under the signature":  parts[0] + "." + b64(other) + "." + parts[2],
		"alg none":                          b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + b64(other) + ".",
		"alg None with a signature":         b64([]byte(`{"alg":"None","typ":"at+jwt"}`)) + "." + b64(other) + "." + parts[2],
		"the public key as a shared secret": signed(t, jose.HS256, []byte(keys.body), "at+jwt", other),
		"a key of one's own":                signed(t, jose.ES256, ownKey(t), "at+jwt", other),
		"a key in the header":               embedded(t, other),
		"twenty kilobytes of nothing":       strings.Repeat("x", 20_000),
	}
	for name, token := range bad {
		for _, path := range places {
			a := h.call(t, token, http.MethodGet, path, "")
			a.refuses(t, name+" at "+path, http.StatusUnauthorized, "")
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s at %s: the answer doesn't say how to come in", name, path)
			}
		}
	}
	for audience := range places {
		token := h.fetchToken(t, "--resource", audience)
		for at, path := range places {
			a := h.call(t, token, http.MethodGet, path, "")
			if at == audience && a.status != http.StatusOK {
				t.Errorf("a token for %s there: got %d %s", audience, a.status, a.body)
			}
			if at != audience {
				a.refuses(t, "a token for "+audience+" at "+at, http.StatusUnauthorized, "")
			}
		}
	}
	for _, scheme := range []string{"Basic " + good, "Bearer", "Bearer " + good + " x", "Token " + good, good} {
		h.call(t, "", http.MethodGet, places["shop"], "", "Authorization", scheme).refuses(t, scheme[:min(12, len(scheme))], http.StatusUnauthorized, "")
	}
	if a := h.call(t, "", http.MethodGet, places["shop"]+"?access_token="+good, ""); a.status != http.StatusUnauthorized {
		t.Errorf("a token in the address: got %d", a.status)
	}
}

// expired is asked last: the token lived for a second, and clocks may differ by thirty.
func (h *house) expired(t *testing.T) {
	for _, path := range places {
		harness.Eventually(t, time.Minute, func() error {
			a := h.call(t, h.short, http.MethodGet, path, "")
			if a.status == http.StatusOK {
				return errors.New(path + " takes a token that has expired")
			}
			a.refuses(t, "an expired token at "+path, http.StatusUnauthorized, "")
			return nil
		})
	}
}
