package pay

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
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
)

// Party is who receives a share of a payment.
type Party struct {
	Payee  string
	Amount int64 // minor units
}

// NewPayment asks for the sum of the parties' amounts. Wallet "" is the payer's default
// one. Merchant and Order make a payment unique; Wallet and ExpiresAt may
// differ when it is asked for again, and only the first ExpiresAt counts.
type NewPayment struct {
	Order     string
	Parties   []Party
	Wallet    WalletID
	ExpiresAt time.Time
}

// Payment is money asked for an order. Its life: open, then captured or closed.
type Payment struct {
	ID          PaymentID
	Order       string
	Merchant    string
	Payer       authclient.UserID // empty where an order was closed before anybody asked
	State       string            // payclient.Open, Captured or Closed
	Amount      money.Amount
	Captured    money.Amount
	Parties     []Party // by payee
	Wallet      WalletID
	CheckoutURL string
	ReturnURL   string // where the merchant takes its payer back; "" when none is configured
	Expired     bool   // open, and too late to be paid
	ExpiresAt   time.Time
	CreatedAt   time.Time
	SettledAt   time.Time // zero while open
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
}

type partyRow struct {
	bun.BaseModel `bun:"table:payment_parties,alias:pp"`

	PaymentID PaymentID `bun:"payment_id,pk"`
	Payee     string    `bun:"payee,pk"`
	Amount    int64     `bun:"amount"`
}

// Payment is one payment, for its payer and its merchant.
func (s *Service) Payment(ctx context.Context, caller Caller, payment PaymentID) (Payment, error) {
	row, parties, err := s.visible(ctx, caller, payment)
	if err != nil {
		return Payment{}, err
	}
	return s.paymentOf(row, parties), nil
}

// PaymentOf is the payment for an order: the merchant's own, or the user's.
func (s *Service) PaymentOf(ctx context.Context, caller Caller, order string) (Payment, error) {
	var row paymentRow
	var parties []Party
	var err error
	if caller.User == "" {
		row, parties, err = s.byOrder(ctx, caller.Merchant, order)
	} else {
		row, parties, err = s.readPayment(ctx, s.db.NewSelect().Where("order_id = ?", order).Where("payer = ?", caller.User))
	}
	if err != nil {
		return Payment{}, err
	}
	return s.paymentOf(row, parties), nil
}

// Close ends a payment unless it is captured; what comes back says which of the two
// holds from now on.
func (s *Service) Close(ctx context.Context, caller Caller, payment PaymentID) (Payment, error) {
	row, parties, err := s.visible(ctx, caller, payment)
	if err != nil {
		return Payment{}, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := s.settle(ctx, tx, payment, payclient.Closed, "")
		return err
	})
	if err != nil {
		return Payment{}, err
	}
	if row, err = s.payment(ctx, payment); err != nil {
		return Payment{}, err
	}
	return s.paymentOf(row, parties), nil
}

// CloseOrder closes the payment for an order. Where nobody has asked for it yet, a
// closed one is written, so that a Charge which comes late finds it and is refused.
func (s *Service) CloseOrder(ctx context.Context, caller Caller, order string) (Payment, error) {
	if !visibleASCII(order) {
		return Payment{}, payclient.ErrOrder
	}
	p, err := s.PaymentOf(ctx, caller, order)
	if errors.Is(err, payclient.ErrNoPayment) {
		now := database.At(s.now())
		row := &paymentRow{
			ID: PaymentID(id.New(paymentPrefix)), OrderID: order, Merchant: caller.Merchant, Payer: caller.User,
			State: payclient.Closed, Currency: s.currency, ExpiresAt: now, CreatedAt: now, SettledAt: now,
		}
		err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			return insertPayment(ctx, tx, row, nil)
		})
		if err == nil {
			return s.paymentOf(*row, nil), nil
		}
		if !database.Taken(err) {
			return Payment{}, err
		}
		p, err = s.PaymentOf(ctx, caller, order) // a Charge was faster
	}
	if err != nil {
		return Payment{}, err
	}
	return s.Close(ctx, caller, p.ID)
}

// settle brings an open payment to its end. It is the only statement that changes a
// payment's state: of callers that race, one wins. Too late, it can only be closed.
func (s *Service) settle(ctx context.Context, tx bun.Tx, payment PaymentID, state string, wallet WalletID) (bool, error) {
	now := database.At(s.now())
	q := tx.NewUpdate().Model((*paymentRow)(nil)).
		Set("state = ?", state).
		Set("settled_at = ?", now).
		Where("id = ?", payment).
		Where("state = ?", payclient.Open)
	if state == payclient.Captured {
		q = q.Set("wallet_id = ?", wallet).Where("expires_at > ?", now)
	}
	won, err := database.Changed(q.Exec(ctx))
	if err != nil {
		return false, fmt.Errorf("bring payment %s to %s: %w", payment, state, err)
	}
	return won, nil
}

func insertPayment(ctx context.Context, tx bun.Tx, row *paymentRow, parties []Party) error {
	if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
		return fmt.Errorf("insert payment %s for order %s: %w", row.ID, row.OrderID, err)
	}
	if len(parties) == 0 {
		return nil
	}
	rows := make([]partyRow, len(parties))
	for i, p := range parties {
		rows[i] = partyRow{PaymentID: row.ID, Payee: p.Payee, Amount: p.Amount}
	}
	if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return fmt.Errorf("insert parties of payment %s: %w", row.ID, err)
	}
	return nil
}

// visible is a payment as its payer or its merchant may see it; to others there is none.
func (s *Service) visible(ctx context.Context, caller Caller, payment PaymentID) (paymentRow, []Party, error) {
	q := s.db.NewSelect().Where("id = ?", payment)
	if caller.User != "" {
		q = q.Where("payer = ?", caller.User)
	} else {
		q = q.Where("merchant = ?", caller.Merchant)
	}
	return s.readPayment(ctx, q)
}

func (s *Service) byOrder(ctx context.Context, merchant, order string) (paymentRow, []Party, error) {
	return s.readPayment(ctx, s.db.NewSelect().Where("order_id = ?", order).Where("merchant = ?", merchant))
}

func (s *Service) payment(ctx context.Context, payment PaymentID) (paymentRow, error) {
	var row paymentRow
	if err := s.db.NewSelect().Model(&row).Where("id = ?", payment).Scan(ctx); err != nil {
		return paymentRow{}, fmt.Errorf("read payment %s: %w", payment, err)
	}
	return row, nil
}

// readPayment is the one payment that q finds, with its parties by payee.
func (s *Service) readPayment(ctx context.Context, q *bun.SelectQuery) (paymentRow, []Party, error) {
	var rows []paymentRow
	if err := q.Model(&rows).Limit(1).Scan(ctx); err != nil {
		return paymentRow{}, nil, fmt.Errorf("read a payment: %w", err)
	}
	if len(rows) == 0 {
		return paymentRow{}, nil, payclient.ErrNoPayment
	}
	var found []partyRow
	err := s.db.NewSelect().Model(&found).Where("payment_id = ?", rows[0].ID).Order("payee").Scan(ctx)
	if err != nil {
		return paymentRow{}, nil, fmt.Errorf("read parties of payment %s: %w", rows[0].ID, err)
	}
	parties := make([]Party, len(found))
	for i, p := range found {
		parties[i] = Party{Payee: p.Payee, Amount: p.Amount}
	}
	return rows[0], parties, nil
}

func (s *Service) paymentOf(r paymentRow, parties []Party) Payment {
	p := Payment{
		ID: r.ID, Order: r.OrderID, Merchant: r.Merchant, Payer: r.Payer, State: r.State,
		Amount: s.amount(r.Amount), Captured: s.amount(0), Parties: parties, Wallet: r.WalletID,
		CheckoutURL: s.checkoutURL(r.ID),
		ReturnURL:   strings.ReplaceAll(s.returns[r.Merchant], "{order}", url.PathEscape(r.OrderID)),
		Expired:     r.State == payclient.Open && !r.ExpiresAt.After(s.now()),
		ExpiresAt:   r.ExpiresAt.Time, CreatedAt: r.CreatedAt.Time, SettledAt: r.SettledAt.Time,
	}
	if r.State == payclient.Captured {
		p.Captured = p.Amount
	}
	return p
}

func (s *Service) checkoutURL(payment PaymentID) string {
	return s.baseURL + "/pay/checkout/" + url.PathEscape(string(payment))
}
