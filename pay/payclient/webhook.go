package payclient

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"jishi/kit/rest"
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

// NewWebhook has a merchant told of its payments at an address.
type NewWebhook struct {
	URL string `json:"url" maxLength:"500" example:"https://shop.example/webhooks/pay" doc:"https, and not in a private network"`
}

// Webhook is where a merchant is told.
type Webhook struct {
	ID        string    `json:"id" example:"whk_06f3kq0c8dv3t2mjh41m6r9s5g"`
	URL       string    `json:"url"`
	Secret    string    `json:"secret,omitempty" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" doc:"signs what is sent; shown when it is made, and not again"`
	Disabled  bool      `json:"disabled" doc:"its receiver answered 410, so nothing is sent any more"`
	CreatedAt time.Time `json:"created_at"`
}

// Webhooks is all webhooks of a merchant, oldest first.
type Webhooks struct {
	Items []Webhook `json:"items"`
}

// CreateWebhook has the merchant told at an address. The same key and content again give
// the same webhook. It is for the merchant's own token, as are the other calls about webhooks.
func (c *Client) CreateWebhook(ctx context.Context, in NewWebhook, key string) (Webhook, error) {
	return rest.Call[Webhook](ctx, c.http, http.MethodPost, c.base+"/webhooks", key, in)
}

// Webhooks lists the merchant's webhooks.
func (c *Client) Webhooks(ctx context.Context) (Webhooks, error) {
	return rest.Call[Webhooks](ctx, c.http, http.MethodGet, c.base+"/webhooks", "", nil)
}

// RotateWebhook gives a webhook a new secret; the one before signs as well for a day. The
// same key again changes nothing.
func (c *Client) RotateWebhook(ctx context.Context, id, key string) (Webhook, error) {
	return rest.Call[Webhook](ctx, c.http, http.MethodPost, c.base+"/webhooks/"+url.PathEscape(id)+"/rotate", key, nil)
}

// DeleteWebhook ends a webhook.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	_, err := rest.Call[struct{}](ctx, c.http, http.MethodDelete, c.base+"/webhooks/"+url.PathEscape(id), "", nil)
	return err
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
	// Made before they are compared, as who sends many signatures must not have the body read for each.
	macs := make([][]byte, len(secrets))
	for i, secret := range secrets {
		macs[i] = webhookMAC(secret, id, timestamp, body)
	}
	for signature := range strings.FieldsSeq(header.Get(WebhookSignature)) {
		version, encoded, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(encoded)
		if version != "v1" || err != nil {
			continue // newer kinds may stand beside ours
		}
		for _, mac := range macs {
			if hmac.Equal(given, mac) {
				return nil
			}
		}
	}
	return errWebhookSign
}
