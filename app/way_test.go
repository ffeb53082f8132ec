package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// tripped is a way that counts.
type tripped int

func (n *tripped) RoundTrip(*http.Request) (*http.Response, error) {
	*n++
	return httptest.NewRecorder().Result(), nil
}

// Only what the market itself sends to its shop stays inside. An address that somebody registered
// is looked at wherever it leads, also to the shop or, through its host, to any module.
func TestOnlyTheOwnWebhookStaysInside(t *testing.T) {
	for address, want := range map[string]tripped{
		"http://market.test/webhooks/pay":              1,
		"http://market.test/webhooks/pay?x=1":          0,
		"http://market.test/webhooks/payments":         0,
		"http://market.test/":                          0,
		"http://market.test/auth/token":                0,
		"https://market.test/webhooks/pay":             0,
		"http://market.test:8080/webhooks/pay":         0,
		"http://elsewhere.test/webhooks/pay":           0,
		"http://user@market.test/webhooks/pay":         0,
		"http://market.test/webhooks/../webhooks/pay":  0,
		"http://market.test.evil.test/webhooks/pay":    0,
		"http://evil.test/http://market.test/webhooks": 0,
	} {
		var inside, outside tripped
		o := outward{"http://market.test/webhooks/pay", &inside, &outside}
		if _, err := o.RoundTrip(httptest.NewRequest(http.MethodPost, address, nil)); err != nil {
			t.Fatal(err)
		}
		if inside != want || outside != 1-want {
			t.Errorf("%s: %d times inside, %d times outside", address, inside, outside)
		}
	}
}
