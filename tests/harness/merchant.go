package harness

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jishi/kit/web"
)

// Merchant is a token of the shop on its own behalf, for pay: got as the shop gets it, with
// what both sides make from the market's secret.
func (m *Market) Merchant(t testing.TB) string {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(m.parts[0].data, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line)))
	if err != nil {
		t.Fatal(err)
	}
	key := web.Secrets{secret}.Key("client:shop")[0]
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {"pay"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Auth+"/auth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("shop", base64.RawURLEncoding.EncodeToString(key))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("the shop's token: %s, %v", res.Status, err)
	}
	return answer.Token
}
