package app

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"jishi/pay/payclient"
)

// Wallet knows everybody's.
func (p *teller) Wallet(context.Context, string) (payclient.Wallet, error) {
	return payclient.Wallet{}, nil
}

// The longest deadline that the settings allow is one that pay takes.
func TestTheLongestDeadline(t *testing.T) {
	m := openForOne(t, "--order-deadline", "696h")
	if err := m.conf.Validate(); err != nil {
		t.Fatal(err)
	}
	w := m.send(http.MethodPost, "/api/v1/orders", `{"items":[{"product":"`+m.product+`","quantity":1}]}`)
	if !strings.Contains(w.Body.String(), `"state":"paid"`) {
		t.Errorf("got %d %s, want a paid order", w.Code, w.Body)
	}
}
