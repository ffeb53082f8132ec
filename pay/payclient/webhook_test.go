package payclient_test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"jishi/pay/payclient"
)

// The test vector of the Standard Webhooks libraries.
const (
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorSecret    = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	vectorOther     = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
)

var vectorTime = time.Unix(1614265330, 0)

func secret(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	s := secret(t, vectorSecret)
	if got := payclient.SignWebhook([][]byte{s}, vectorID, vectorTime, []byte(vectorBody)); got != vectorSignature {
		t.Errorf("got %s, want %s", got, vectorSignature)
	}
	two := payclient.SignWebhook([][]byte{[]byte("newer"), s}, vectorID, vectorTime, []byte(vectorBody))
	if one := payclient.SignWebhook([][]byte{[]byte("newer")}, vectorID, vectorTime, []byte(vectorBody)); two != one+" "+vectorSignature {
		t.Errorf("by two secrets: %s", two)
	}
}

func TestWebhooksAreBelievedOrNot(t *testing.T) {
	right := secret(t, vectorSecret)
	for _, c := range []struct {
		name    string
		change  func(http.Header)
		body    string
		secrets [][]byte
		now     time.Duration // after the webhook's time
		want    bool
	}{
		{name: "as it was sent", want: true},
		{name: "with the older of two secrets", secrets: [][]byte{[]byte("newer"), right}, want: true},
		{name: "with a secret that is none", secrets: [][]byte{[]byte("another")}},
		{name: "without any secret", secrets: [][]byte{}},
		{name: "without an id", change: func(h http.Header) { h.Del(payclient.WebhookID) }},
		{name: "with another id", change: func(h http.Header) { h.Set(payclient.WebhookID, "msg_2") }},
		{name: "without a time", change: func(h http.Header) { h.Del(payclient.WebhookTimestamp) }},
		{name: "with a time that is none", change: func(h http.Header) { h.Set(payclient.WebhookTimestamp, "hello") }},
		{name: "with another time", change: func(h http.Header) {
			h.Set(payclient.WebhookTimestamp, strconv.FormatInt(vectorTime.Unix()+1, 10))
		}},
		{name: "five minutes late", now: 5 * time.Minute, want: true},
		{name: "later", now: 5*time.Minute + time.Second},
		{name: "five minutes early", now: -5 * time.Minute, want: true},
		{name: "earlier", now: -5*time.Minute - time.Second},
		{name: "without a signature", change: func(h http.Header) { h.Del(payclient.WebhookSignature) }},
		{name: "with an empty signature", change: func(h http.Header) { h.Set(payclient.WebhookSignature, "v1,") }},
		{name: "with another signature", change: func(h http.Header) { h.Set(payclient.WebhookSignature, vectorOther) }},
		{name: "with a signature of another version", change: func(h http.Header) {
			h.Set(payclient.WebhookSignature, "v2"+vectorSignature[2:])
		}},
		{name: "with ours among others", change: func(h http.Header) {
			h.Set(payclient.WebhookSignature, vectorOther+" v2"+vectorOther[2:]+" "+vectorSignature+" "+vectorOther)
		}, want: true},
		{name: "with another body", body: `{"test": 2432232315}`},
		{name: "with a space more", body: vectorBody + " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.Header{}
			h.Set(payclient.WebhookID, vectorID)
			h.Set(payclient.WebhookTimestamp, strconv.FormatInt(vectorTime.Unix(), 10))
			h.Set(payclient.WebhookSignature, vectorSignature)
			if c.change != nil {
				c.change(h)
			}
			body, secrets := vectorBody, [][]byte{right}
			if c.body != "" {
				body = c.body
			}
			if c.secrets != nil {
				secrets = c.secrets
			}
			if _, err := payclient.VerifyWebhook(h, []byte(body), secrets, vectorTime.Add(c.now)); (err == nil) != c.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// The body is read once for each secret, however many signatures come along.
func TestSignaturesCostNothing(t *testing.T) {
	secrets := [][]byte{[]byte("newer"), secret(t, vectorSecret)}
	cost := func(signatures string) float64 {
		h := http.Header{}
		h.Set(payclient.WebhookID, vectorID)
		h.Set(payclient.WebhookTimestamp, strconv.FormatInt(vectorTime.Unix(), 10))
		h.Set(payclient.WebhookSignature, signatures)
		return testing.AllocsPerRun(10, func() {
			if _, err := payclient.VerifyWebhook(h, []byte(vectorBody), secrets, vectorTime); err == nil {
				t.Error("it is believed")
			}
		})
	}
	if one, many := cost("v1,"), cost(strings.Repeat("v1, ", 1000)); many > one {
		t.Errorf("one makes %g allocations, a thousand make %g", one, many)
	}
}
