package pay

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/pay/payclient"
)

// WebhookID names a webhook.
type WebhookID string

const (
	webhookPrefix = "whk"
	maxWebhooks   = 10 // of a merchant
	maxWebhookURL = 500

	secretPrefix  = "whsec_" // of a secret as people handle it, by Standard Webhooks
	secretBytes   = 32
	secretOverlap = 24 * time.Hour // how long the secret before still signs
)

// Webhook is where a merchant wants to hear what became of its payments.
type Webhook struct {
	ID        WebhookID
	URL       string
	Secret    string // only from CreateWebhook and RotateWebhook
	Disabled  bool   // its receiver said that it is gone (410)
	CreatedAt time.Time
}

// Webhooks is how webhooks are sent.
type Webhooks struct {
	Sender Sender
	Sealer Sealer // of the secrets
	Own    []OwnWebhook
	Plain  bool // addresses without TLS are taken; the sender decides which of them get anything
}

// OwnWebhook is one that the market has by configuration. It is never disabled.
type OwnWebhook struct {
	Merchant, URL string
	Secrets       [][]byte // all of them sign
}

// Sealer keeps secrets unreadable in the database.
type Sealer interface {
	Seal(purpose string, plain []byte) string
	Open(purpose, sealed string) ([]byte, error)
	Reseal(purpose, sealed string) (fresh string, err error) // "" where the newest secret has sealed it
}

type webhookRow struct {
	bun.BaseModel `bun:"table:webhooks,alias:wh"`

	ID            WebhookID     `bun:"id,pk"`
	Merchant      string        `bun:"merchant"`
	URL           string        `bun:"url"`
	Secret        string        `bun:"secret"` // sealed under webhookPurpose
	Previous      string        `bun:"previous,nullzero"`
	PreviousUntil database.Time `bun:"previous_until,nullzero"`
	DisabledAt    database.Time `bun:"disabled_at,nullzero"`
	CreatedAt     database.Time `bun:"created_at"`
}

func webhookPurpose(webhook WebhookID) string { return "webhook " + string(webhook) }

// CreateWebhook has a merchant told at an address. The secret is shown once, to who
// asked with the key.
func (s *Service) CreateWebhook(ctx context.Context, caller Caller, address, key string) (Webhook, error) {
	if caller.User != "" {
		return Webhook{}, fault.ErrForbidden
	}
	webhook := WebhookID(id.New(webhookPrefix))
	use := database.Use{Scope: "webhook:" + caller.Merchant, Key: key, Asked: address}
	first, err := s.db.InTxOnce(ctx, use, string(webhook), func(ctx context.Context, tx bun.Tx) error {
		if !s.webhookAddress(address) { // as in TopUp
			return payclient.ErrWebhookURL
		}
		// Two at the same moment may be one too many, which does no harm.
		n, err := tx.NewSelect().Model((*webhookRow)(nil)).Where("merchant = ?", caller.Merchant).Count(ctx)
		if err != nil {
			return fmt.Errorf("count webhooks of %s: %w", caller.Merchant, err)
		}
		if n >= maxWebhooks {
			return payclient.ErrTooManyWebhooks
		}
		row := &webhookRow{ID: webhook, Merchant: caller.Merchant, URL: address, Secret: s.newSecret(webhook), CreatedAt: database.At(s.now())}
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return fmt.Errorf("insert webhook %s: %w", webhook, err)
		}
		return nil
	})
	if err != nil {
		return Webhook{}, err
	}
	w, err := s.withSecret(ctx, caller, WebhookID(first))
	return w, database.Afterwards(err)
}

// webhookAddress tells whether an address may be that of a webhook. Where it leads is
// checked each time something is sent there.
func (s *Service) webhookAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxWebhookURL && u.Hostname() != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && s.webhooks.Plain)
}

func (s *Service) newSecret(webhook WebhookID) string {
	b := make([]byte, secretBytes)
	rand.Read(b)
	return s.webhooks.Sealer.Seal(webhookPurpose(webhook), b)
}

// withSecret is a webhook with what signs it now.
func (s *Service) withSecret(ctx context.Context, caller Caller, webhook WebhookID) (Webhook, error) {
	row, err := s.webhook(ctx, webhook)
	if err != nil {
		return Webhook{}, err
	}
	if row.Merchant != caller.Merchant {
		return Webhook{}, payclient.ErrNoWebhook
	}
	secret, err := s.webhooks.Sealer.Open(webhookPurpose(webhook), row.Secret)
	if err != nil {
		return Webhook{}, fmt.Errorf("open the secret of webhook %s: %w", webhook, err)
	}
	w := webhookOf(row)
	w.Secret = secretPrefix + base64.StdEncoding.EncodeToString(secret)
	return w, nil
}

// webhook is one as it stands, or ErrNoWebhook.
func (s *Service) webhook(ctx context.Context, webhook WebhookID) (webhookRow, error) {
	var rows []webhookRow
	if err := s.db.NewSelect().Model(&rows).Where("id = ?", webhook).Scan(ctx); err != nil {
		return webhookRow{}, fmt.Errorf("read webhook %s: %w", webhook, err)
	}
	if len(rows) == 0 {
		return webhookRow{}, payclient.ErrNoWebhook
	}
	return rows[0], nil
}

func webhookOf(r webhookRow) Webhook {
	return Webhook{ID: r.ID, URL: r.URL, Disabled: !r.DisabledAt.IsZero(), CreatedAt: r.CreatedAt.Time}
}

// Webhooks are a merchant's, oldest first; there are only a few.
func (s *Service) Webhooks(ctx context.Context, caller Caller) ([]Webhook, error) {
	if caller.User != "" {
		return nil, fault.ErrForbidden
	}
	var rows []webhookRow
	if err := s.db.NewSelect().Model(&rows).Where("merchant = ?", caller.Merchant).Order("id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("list webhooks of %s: %w", caller.Merchant, err)
	}
	all := make([]Webhook, len(rows))
	for i, r := range rows {
		all[i] = webhookOf(r)
	}
	return all, nil
}

// DeleteWebhook ends a webhook of the merchant's. What is on its way to it is dropped.
func (s *Service) DeleteWebhook(ctx context.Context, caller Caller, webhook WebhookID) error {
	if caller.User != "" {
		return fault.ErrForbidden
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err := database.Changed(tx.NewDelete().Model((*webhookRow)(nil)).
			Where("id = ?", webhook).Where("merchant = ?", caller.Merchant).Exec(ctx))
		if err != nil {
			return fmt.Errorf("delete webhook %s: %w", webhook, err)
		}
		if !found {
			return payclient.ErrNoWebhook
		}
		return nil
	})
}

// RotateWebhook gives a webhook a new secret. The one before signs beside it for a day,
// so that the receiver can change over at any time in between. The same key again changes
// nothing: a second new secret would push out the one that the receiver has.
func (s *Service) RotateWebhook(ctx context.Context, caller Caller, webhook WebhookID, key string) (Webhook, error) {
	if caller.User != "" {
		return Webhook{}, fault.ErrForbidden
	}
	secret := s.newSecret(webhook)
	use := database.Use{Scope: "rotate webhook:" + caller.Merchant, Key: key, Asked: webhook}
	_, err := s.db.InTxOnce(ctx, use, "", func(ctx context.Context, tx bun.Tx) error {
		// MySQL assigns from left to right, so the secret moves before it is overwritten.
		found, err := database.Changed(tx.NewUpdate().Model((*webhookRow)(nil)).
			Set("previous = secret").Set("previous_until = ?", database.At(s.now().Add(secretOverlap))).Set("secret = ?", secret).
			Where("id = ?", webhook).Where("merchant = ?", caller.Merchant).Exec(ctx))
		if err != nil {
			return fmt.Errorf("rotate the secret of webhook %s: %w", webhook, err)
		}
		if !found {
			return payclient.ErrNoWebhook
		}
		return nil
	})
	if err != nil {
		return Webhook{}, err
	}
	w, err := s.withSecret(ctx, caller, webhook)
	return w, database.Afterwards(err)
}

// signers are the secrets that sign now, the newest first.
func (s *Service) signers(r webhookRow) ([][]byte, error) {
	sealed := []string{r.Secret}
	if r.Previous != "" && r.PreviousUntil.After(s.now()) {
		sealed = append(sealed, r.Previous)
	}
	secrets := make([][]byte, len(sealed))
	for i, text := range sealed {
		var err error
		if secrets[i], err = s.webhooks.Sealer.Open(webhookPurpose(r.ID), text); err != nil {
			return nil, fmt.Errorf("open a secret of webhook %s: %w", r.ID, err)
		}
	}
	return secrets, nil
}

// Reseal brings the secrets of webhooks that only an older secret of the market opens under
// the newest one, so that the older one can go. It tells how many it changed, and goes on after
// one that can't be opened.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	var rows []webhookRow // a few a merchant
	if err := s.db.NewSelect().Model(&rows).Order("id").Scan(ctx); err != nil {
		return 0, fmt.Errorf("read webhooks: %w", err)
	}
	n := 0
	var errs []error
	for _, row := range rows {
		sealed := map[string]string{"secret": row.Secret}
		if row.Previous != "" && row.PreviousUntil.After(s.now()) {
			sealed["previous"] = row.Previous
		}
		for column, text := range sealed {
			won, err := s.reseal(ctx, row.ID, column, text)
			if err != nil {
				errs = append(errs, fmt.Errorf("reseal the %s of webhook %s: %w", column, row.ID, err))
			}
			if won {
				n++
			}
		}
	}
	return n, errors.Join(errs...)
}

// reseal replaces what was read, and only that: who gives the webhook a new secret at the
// same time, or another replica that reseals it, was first.
func (s *Service) reseal(ctx context.Context, webhook WebhookID, column, sealed string) (won bool, err error) {
	fresh, err := s.webhooks.Sealer.Reseal(webhookPurpose(webhook), sealed)
	if err != nil || fresh == "" {
		return false, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		won, err = database.Changed(tx.NewUpdate().Model((*webhookRow)(nil)).
			Set("? = ?", bun.Ident(column), fresh).
			Where("id = ?", webhook).Where("? = ?", bun.Ident(column), sealed).Exec(ctx))
		return err
	})
	return won, err
}

// ownPrefix marks the market's own webhooks among the receivers of events.
const ownPrefix = "own:"

// own finds a webhook that is the market's.
func (s *Service) own(receiver string) (OwnWebhook, bool) {
	merchant, is := strings.CutPrefix(receiver, ownPrefix)
	if !is {
		return OwnWebhook{}, false
	}
	for _, o := range s.webhooks.Own {
		if o.Merchant == merchant {
			return o, true
		}
	}
	return OwnWebhook{}, false
}
