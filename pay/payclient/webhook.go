package payclient

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Types of events: what became of a payment otherwise than by a call of its merchant, who
// has the answer to that.
const (
	EventAuthorized = "payment.authorized" // the payer agreed at the cashier
	EventCaptured   = "payment.captured"   // the payer paid at the cashier
	EventClosed     = "payment.closed"     // by the payer, or its time was over
)

// Event is what a webhook tells. It may come more than once, and later than another one
// about the same payment: ask for the payment, or act so that the second time is harmless.
type Event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      Payment   `json:"data"`
}

// Headers of a webhook, by Standard Webhooks 1.0: https://www.standardwebhooks.com
const (
	WebhookID        = "webhook-id"        // the event's: the same each time it is sent
	WebhookTimestamp = "webhook-timestamp" // of this attempt, in seconds
	WebhookSignature = "webhook-signature" // of id, timestamp and body, one for each secret
)

// webhookTolerance is how far a webhook's time may be from ours.
const webhookTolerance = 5 * time.Minute

// Why a webhook is not believed.
var (
	errWebhookID   = errors.New("the webhook has no id")
	errWebhookTime = errors.New("the webhook's time is missing, or not now")
	errWebhookSign = errors.New("the webhook has no signature of ours")
)

// SignWebhook is the header WebhookSignature of a webhook: a signature by each secret, so
// that a receiver can change from one to the other at any time.
func SignWebhook(secrets [][]byte, id string, at time.Time, body []byte) string {
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(webhookMAC(secret, id, strconv.FormatInt(at.Unix(), 10), body))
	}
	return strings.Join(signatures, " ")
}

func webhookMAC(secret []byte, id, timestamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// VerifyWebhook reads the event of a webhook that was signed with one of the secrets, not
// more than five minutes ago. Any error means that it is not to be believed.
func VerifyWebhook(header http.Header, body []byte, secrets [][]byte, now time.Time) (Event, error) {
	if err := checkWebhook(header, body, secrets, now); err != nil {
		return Event{}, err
	}
	var e Event
	if err := json.Unmarshal(body, &e); err != nil {
		return Event{}, fmt.Errorf("read webhook %s: %w", header.Get(WebhookID), err)
	}
	return e, nil
}

func checkWebhook(header http.Header, body []byte, secrets [][]byte, now time.Time) error {
	id, timestamp := header.Get(WebhookID), header.Get(WebhookTimestamp)
	if id == "" {
		return errWebhookID
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > webhookTolerance {
		return errWebhookTime
	}
	for signature := range strings.FieldsSeq(header.Get(WebhookSignature)) {
		version, encoded, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(encoded)
		if version != "v1" || err != nil {
			continue // newer kinds may stand beside ours
		}
		for _, secret := range secrets {
			if hmac.Equal(given, webhookMAC(secret, id, timestamp, body)) {
				return nil
			}
		}
	}
	return errWebhookSign
}
