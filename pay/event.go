package pay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/pay/payclient"
)

// webhookJob sends an event to one receiver. Its key is the receiver and the event, its
// payload the body, which is the same at every try.
const (
	webhookJob  = "pay.webhook"
	eventPrefix = "evt"
)

// webhookPauses are between the tries of a merchant's webhook: ten in all, over three days. It
// is the schedule that Standard Webhooks proposes.
var webhookPauses = job.Schedule{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// maxRetryAfter bounds how long a receiver can have itself left alone.
const maxRetryAfter = 24 * time.Hour

// Answers that mean more than yes or no.
const (
	statusGone            = 410
	statusTooManyRequests = 429
	statusUnavailable     = 503
)

// Sender takes a webhook to its receiver. It follows no redirects, and goes to no address
// that is nobody else's business.
type Sender interface {
	// Send posts body and gives the status of the answer, and the pause that it asks for.
	// The error says that there was no answer.
	Send(ctx context.Context, url string, header map[string]string, body []byte) (status int, retryAfter time.Duration, err error)
}

// agreedEvent is the event of an open payment that its payer has agreed to.
func agreedEvent(row paymentRow) string {
	if row.Hold {
		return payclient.EventAuthorized
	}
	return payclient.EventCaptured
}

// tell writes down, in the transaction that changes a payment, that its merchant is to be
// told. The caller wakes the jobs after the commit.
func (s *Service) tell(ctx context.Context, tx bun.Tx, event string, payment PaymentID) error {
	row, shares, err := s.payment(ctx, tx.NewSelect, payment)
	if err != nil {
		return err
	}
	receivers, err := s.receivers(ctx, tx, row.Merchant)
	if err != nil || len(receivers) == 0 {
		return err
	}
	body, err := json.Marshal(payclient.Event{
		Type: event, Timestamp: database.At(s.now()).Time, Data: s.paymentOf(row, shares).Document(),
	})
	if err != nil {
		return fmt.Errorf("encode %s of payment %s: %w", event, payment, err)
	}
	eventID := id.New(eventPrefix)
	jobs := make([]job.Job, len(receivers))
	for i, r := range receivers {
		jobs[i] = job.Job{Kind: webhookJob, Key: r + " " + eventID, Payload: body}
	}
	return s.jobs.Add(ctx, tx, jobs...)
}

// receivers are the webhooks of a merchant.
func (s *Service) receivers(ctx context.Context, tx bun.Tx, merchant string) ([]string, error) {
	var receivers []string
	err := tx.NewSelect().Model((*webhookRow)(nil)).Column("id").
		Where("merchant = ?", merchant).Where("disabled_at IS NULL").Order("id").Scan(ctx, &receivers)
	if err != nil {
		return nil, fmt.Errorf("find webhooks of %s: %w", merchant, err)
	}
	if _, is := s.own(ownPrefix + merchant); is {
		receivers = append(receivers, ownPrefix+merchant)
	}
	return receivers, nil
}

// deliver sends an event once. Only 2xx is success; anything else is tried again, but for
// a receiver that says that it is gone: its webhook is disabled. One of the market's own is away
// for a moment, and money that came late waits for it: it has the jobs' pauses, short at first.
func (s *Service) deliver(ctx context.Context, j job.Job) error {
	receiver, event, _ := strings.Cut(j.Key, " ")
	url, secrets, err := s.address(ctx, receiver)
	if errors.Is(err, payclient.ErrNoWebhook) {
		return nil // it was deleted or disabled meanwhile
	}
	if err != nil {
		return err
	}
	now := s.now()
	status, pause, err := s.webhooks.Sender.Send(ctx, url, map[string]string{
		payclient.WebhookID:        event,
		payclient.WebhookTimestamp: strconv.FormatInt(now.Unix(), 10),
		payclient.WebhookSignature: payclient.SignWebhook(secrets, event, now, j.Payload),
	}, j.Payload)
	crash.Point("pay.webhook.sent")
	_, own := s.own(receiver)
	switch {
	case err != nil:
	case status >= 200 && status < 300:
		return nil
	case status == statusGone && !own:
		return s.disable(ctx, WebhookID(receiver))
	default:
		err = fmt.Errorf("it answers %d", status)
	}
	err = fmt.Errorf("send to %s: %w", url, err)
	if own {
		return err
	}
	if status != statusTooManyRequests && status != statusUnavailable {
		pause = 0
	}
	return after(j.Attempt, pause).Failed(err)
}

// after is the schedule, but that a receiver's wish may lengthen the pause after this
// try.
func after(attempt int, wish time.Duration) job.Schedule {
	pauses := slices.Clone(webhookPauses)
	if attempt <= len(pauses) {
		pauses[attempt-1] = max(pauses[attempt-1], min(wish, maxRetryAfter))
	}
	return pauses
}

// address is where a receiver is and what signs for it, or ErrNoWebhook where it is to get
// nothing any more.
func (s *Service) address(ctx context.Context, receiver string) (string, [][]byte, error) {
	if own, is := s.own(receiver); is {
		return own.URL, own.Secrets, nil
	}
	row, err := s.webhook(ctx, WebhookID(receiver))
	if err != nil {
		return "", nil, err
	}
	if !row.DisabledAt.IsZero() {
		return "", nil, payclient.ErrNoWebhook
	}
	secrets, err := s.signers(row)
	return row.URL, secrets, err
}

func (s *Service) disable(ctx context.Context, webhook WebhookID) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*webhookRow)(nil)).Set("disabled_at = ?", database.At(s.now())).Where("id = ?", webhook).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("disable webhook %s: %w", webhook, err)
	}
	return nil
}
