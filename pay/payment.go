package pay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay/payclient"
)

// PaymentID names a payment.
type PaymentID string

const (
	paymentPrefix  = "pay"
	maxParties     = 100
	maxID          = 64 // bytes of an id that another module gives
	maxPaymentLife = 30 * 24 * time.Hour
	eachBatch      = 1000 // payments read at a time
)

// Party is who shall receive a share of a payment.
type Party struct {
	Payee  string
	Amount int64 // minor units
}

// Share is what became of a party's share, in minor units: refunded + released <= captured
// <= amount, always. A refund of what was released already takes it from both.
type Share struct {
	Party
	Captured int64
	Refunded int64
	Released int64 // what the payee has, the fee included
}

// inEscrow is what can still be released.
func (s Share) inEscrow() int64 { return s.Captured - s.Refunded - s.Released }

// NewPayment asks for the sum of the parties' amounts. Wallet "" is the payer's default
// one. Merchant and Order make a payment unique; Wallet and ExpiresAt may
// differ when it is asked for again, and only the first ExpiresAt counts. With Hold it
// is only authorised, until [Service.Capture].
type NewPayment struct {
	Order     string
	Parties   []Party
	Wallet    WalletID
	ExpiresAt time.Time
	Hold      bool
}

// Payment is money asked for an order. Its life: open, then captured or closed; one with
// Hold is authorized in between.
type Payment struct {
	ID          PaymentID
	Order       string
	Merchant    string
	Payer       authclient.UserID // empty where an order was closed before anybody asked
	State       string            // payclient.Open, Authorized, Captured or Closed
	Hold        bool
	Amount      money.Amount
	Authorized  money.Amount
	Captured    money.Amount
	Refunded    money.Amount
	Released    money.Amount
	Shares      []Share // by payee
	Wallet      WalletID
	CheckoutURL string
	ReturnURL   string // where the merchant takes its payer back; "" when none is configured
	Expired     bool   // closed because its time was over
	ExpiresAt   time.Time
	CreatedAt   time.Time
	SettledAt   time.Time // zero until it is captured or closed
}

type paymentRow struct {
	bun.BaseModel `bun:"table:payments,alias:p"`

	ID        PaymentID         `bun:"id,pk"`
	OrderID   string            `bun:"order_id"`
	Merchant  string            `bun:"merchant"`
	Payer     authclient.UserID `bun:"payer"`
	State     string            `bun:"state"`
	WalletID  WalletID          `bun:"wallet_id,nullzero"`
	Amount    int64             `bun:"amount"`
	Currency  money.Currency    `bun:"currency"`
	ExpiresAt database.Time     `bun:"expires_at"`
	CreatedAt database.Time     `bun:"created_at"`
	SettledAt database.Time     `bun:"settled_at,nullzero"`

	// What the payer agreed to, with Hold before it is taken; and what became of it. Each is
	// at most the one before: refunded + released <= captured <= authorized <= amount.
	Hold       bool  `bun:"hold"`
	Authorized int64 `bun:"authorized"`
	Captured   int64 `bun:"captured"`
	Refunded   int64 `bun:"refunded"`
	Released   int64 `bun:"released"`
}

// agreed makes r one that its payer has agreed to pay from a wallet.
func (r *paymentRow) agreed(wallet WalletID, at database.Time) {
	r.State, r.WalletID, r.Authorized = payclient.Authorized, wallet, r.Amount
	if !r.Hold {
		r.State, r.Captured, r.SettledAt = payclient.Captured, r.Amount, at
	}
}

// open makes r one that waits for money.
func (r *paymentRow) open() {
	r.State, r.WalletID, r.SettledAt, r.Authorized, r.Captured = payclient.Open, "", database.Time{}, 0, 0
}

// waits: for money, or to be captured.
func (r *paymentRow) waits() bool {
	return r.State == payclient.Open || r.State == payclient.Authorized
}

// overdue: it should have been closed by now.
func (r *paymentRow) overdue(now time.Time) bool { return r.waits() && !r.ExpiresAt.After(now) }

// expired: it was closed because its time was over. Of one that was closed before anybody
// asked for it there was none.
func (r *paymentRow) expired() bool {
	return r.State == payclient.Closed && r.Amount > 0 && !r.SettledAt.Before(r.ExpiresAt.Time)
}

// refusal is why a closed one can't be paid.
func (r *paymentRow) refusal() error {
	if r.expired() {
		return payclient.ErrExpired
	}
	return payclient.ErrClosed
}

// shares are those of a payment that is new.
func (r *paymentRow) shares(parties []Party) []Share {
	shares := make([]Share, len(parties))
	for i, p := range parties {
		shares[i].Party = p
		if r.State == payclient.Captured {
			shares[i].Captured = p.Amount
		}
	}
	return shares
}

type partyRow struct {
	bun.BaseModel `bun:"table:payment_parties,alias:pp"`

	PaymentID PaymentID `bun:"payment_id,pk"`
	Payee     string    `bun:"payee,pk"`
	Amount    int64     `bun:"amount"`
	Captured  int64     `bun:"captured"`
	Refunded  int64     `bun:"refunded"`
	Released  int64     `bun:"released"`
}

// rowsOf are a payment's shares as rows.
func rowsOf(payment PaymentID, shares []Share) []partyRow {
	rows := make([]partyRow, len(shares))
	for i, s := range shares {
		rows[i] = partyRow{
			PaymentID: payment, Payee: s.Payee, Amount: s.Amount,
			Captured: s.Captured, Refunded: s.Refunded, Released: s.Released,
		}
	}
	return rows
}

// Payment is one payment, for its payer and its merchant.
func (s *Service) Payment(ctx context.Context, caller Caller, payment PaymentID) (Payment, error) {
	row, shares, err := s.visible(ctx, caller, payment)
	if err != nil {
		return Payment{}, err
	}
	return s.paymentOf(row, shares), nil
}

// PaymentOf is the payment for an order: the merchant's own, or the user's, also at another
// merchant if there is none at this one. It is how a merchant learns what became of a call
// whose answer it didn't get.
func (s *Service) PaymentOf(ctx context.Context, caller Caller, order string) (Payment, error) {
	var row paymentRow
	var shares []Share
	var err error
	if caller.User == "" {
		row, shares, err = s.byOrder(ctx, caller.Merchant, order)
	} else {
		row, shares, err = s.readPayment(ctx, s.db.NewSelect().
			Where("order_id = ?", order).Where("payer = ?", caller.User).OrderExpr("merchant = ? DESC, id DESC", caller.Merchant))
	}
	if err != nil {
		return Payment{}, err
	}
	return s.paymentOf(row, shares), nil
}

// insertPayments writes payments that are new. Those that wait, for money or to be captured,
// have a job that ends them at their deadline.
func (s *Service) insertPayments(ctx context.Context, tx bun.Tx, rows []paymentRow, parties []partyRow) error {
	if len(rows) == 0 {
		return nil
	}
	var jobs []job.Job
	for _, r := range rows {
		if r.waits() {
			jobs = append(jobs, job.Job{Kind: expireJob, Key: string(r.ID), At: r.ExpiresAt.Time})
		}
	}
	if _, err := database.Insert(tx, &rows).Exec(ctx); err != nil {
		return fmt.Errorf("insert %d payments: %w", len(rows), err)
	}
	if len(parties) > 0 {
		if _, err := database.Insert(tx, &parties).Exec(ctx); err != nil {
			return fmt.Errorf("insert parties of %d payments: %w", len(rows), err)
		}
	}
	return s.jobs.Add(ctx, tx, jobs...)
}

// visible is a payment as its payer or its merchant may see it; to others there is none.
func (s *Service) visible(ctx context.Context, caller Caller, payment PaymentID) (paymentRow, []Share, error) {
	q := s.db.NewSelect().Where("id = ?", payment)
	if caller.User != "" {
		q = q.Where("payer = ?", caller.User)
	} else {
		q = q.Where("merchant = ?", caller.Merchant)
	}
	return s.readPayment(ctx, q)
}

// merchants is a payment that its merchant does something about that nobody else may,
// not even a user of the merchant's.
func (s *Service) merchants(ctx context.Context, caller Caller, payment PaymentID) (paymentRow, []Share, error) {
	row, shares, err := s.visible(ctx, caller, payment)
	if caller.User != "" && errors.Is(err, payclient.ErrNoPayment) || err == nil && !s.isMerchant(caller, row) {
		err = fault.ErrForbidden
	}
	return row, shares, err
}

// isMerchant tells whether the caller, who may see a payment, decides about its money. A
// program has no merchant behind it: there the payer is, so that what was paid with it can be
// given on or back.
func (s *Service) isMerchant(caller Caller, row paymentRow) bool {
	return caller.User == "" || caller.Merchant == row.Merchant && slices.Contains(s.programs, caller.Merchant)
}

func (s *Service) byOrder(ctx context.Context, merchant, order string) (paymentRow, []Share, error) {
	return s.readPayment(ctx, s.db.NewSelect().Where("order_id = ?", order).Where("merchant = ?", merchant))
}

// readPayment is the one payment that q finds, with its shares by payee. Nobody sees one
// whose time is over before it is closed.
func (s *Service) readPayment(ctx context.Context, q *bun.SelectQuery) (paymentRow, []Share, error) {
	row, shares, err := onePayment(ctx, q)
	if err != nil || !row.overdue(s.now()) {
		return row, shares, err
	}
	if _, err := s.expire(ctx, row.ID); err != nil {
		return paymentRow{}, nil, err
	}
	row, shares, err = s.payment(ctx, s.db.NewSelect, row.ID)
	return row, shares, database.Afterwards(err)
}

// payment is one as it stands.
func (s *Service) payment(ctx context.Context, query func() *bun.SelectQuery, payment PaymentID) (paymentRow, []Share, error) {
	return onePayment(ctx, query().Where("id = ?", payment))
}

// paymentPart is a payment beside one of its parties, nil where it has none.
type paymentPart struct {
	paymentRow `bun:",extend"`
	Party      *partyRow `bun:"rel:has-one,join:id=payment_id"`
}

// onePayment reads a payment and its parties in one statement, so that their counters are
// those of one moment.
func onePayment(ctx context.Context, q *bun.SelectQuery) (paymentRow, []Share, error) {
	var parts []paymentPart
	if err := q.Model(&parts).Relation("Party").Order("id", "payee").Scan(ctx); err != nil {
		return paymentRow{}, nil, fmt.Errorf("read a payment: %w", err)
	}
	if len(parts) == 0 {
		return paymentRow{}, nil, payclient.ErrNoPayment
	}
	row := parts[0].paymentRow
	var shares []Share
	for _, p := range parts {
		if p.ID == row.ID && p.Party != nil { // two merchants may have one order's id
			shares = append(shares, shareOf(*p.Party))
		}
	}
	return row, shares, nil
}

func (s *Service) paymentOf(r paymentRow, shares []Share) Payment {
	return Payment{
		ID: r.ID, Order: r.OrderID, Merchant: r.Merchant, Payer: r.Payer, State: r.State, Hold: r.Hold,
		Amount: s.amount(r.Amount), Authorized: s.amount(r.Authorized), Captured: s.amount(r.Captured),
		Refunded: s.amount(r.Refunded), Released: s.amount(r.Released), Shares: shares, Wallet: r.WalletID,
		CheckoutURL: s.checkoutURL(r.ID),
		ReturnURL:   strings.ReplaceAll(s.returns[r.Merchant], "{order}", url.PathEscape(r.OrderID)),
		Expired:     r.expired(),
		ExpiresAt:   r.ExpiresAt.Time, CreatedAt: r.CreatedAt.Time, SettledAt: r.SettledAt.Time,
	}
}

// Document is the payment as it travels, in answers and in webhooks.
func (p Payment) Document() payclient.Payment {
	minor := func(n int64) money.Amount { return money.Amount{Minor: n, Currency: p.Amount.Currency} }
	out := payclient.Payment{
		ID: string(p.ID), Order: p.Order, Merchant: p.Merchant, Payer: string(p.Payer), State: p.State, Hold: p.Hold,
		Amount: p.Amount, Authorized: p.Authorized, Captured: p.Captured, Refunded: p.Refunded, Released: p.Released,
		Parties: make([]payclient.Party, len(p.Shares)), Wallet: string(p.Wallet), CheckoutURL: p.CheckoutURL,
		ExpiresAt: p.ExpiresAt.UTC(), CreatedAt: p.CreatedAt.UTC(),
	}
	for i, s := range p.Shares {
		out.Parties[i] = payclient.Party{
			Payee: s.Payee, Amount: minor(s.Amount), Captured: minor(s.Captured), Refunded: minor(s.Refunded), Released: minor(s.Released),
		}
	}
	if !p.SettledAt.IsZero() {
		at := p.SettledAt.UTC()
		out.SettledAt = &at
	}
	return out
}

func (s *Service) checkoutURL(payment PaymentID) string {
	return s.baseURL + "/pay/checkout/" + url.PathEscape(string(payment))
}

// EachPayment calls fn with the payments that a merchant asked for, by order: those of orders
// after one and up to another one, "" for no bound.
func (s *Service) EachPayment(ctx context.Context, merchant, after, upTo string, fn func(Payment)) error {
	for {
		var rows []paymentRow
		q := s.db.NewSelect().Model(&rows).Where("merchant = ?", merchant).Order("order_id").Limit(eachBatch)
		if err := (database.Range[string]{After: after, UpTo: upTo}).Of(q, "order_id").Scan(ctx); err != nil {
			return fmt.Errorf("read payments of %s: %w", merchant, err)
		}
		payments, err := s.withShares(ctx, rows)
		if err != nil {
			return err
		}
		for _, p := range payments {
			fn(p)
		}
		if len(rows) < eachBatch {
			return nil
		}
		after = rows[len(rows)-1].OrderID
	}
}
