// Package pay is money: wallets, top-ups and payments, as rules on top of the ledger.
//
// A wallet is a guarded account of the ledger and can't go below zero. Money comes from
// outside through a [Provider] and waits in escrow once it is captured for an order, until
// it is refunded to the payer or released to a payee. A [Payment] is unique by merchant and
// order and is captured or closed, never both: each change of state is one conditional
// statement in the transaction that moves the money. The package knows no request and no page; who asks is an argument, and every
// method checks by itself what they may do.
package pay

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/commit"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/ledger"
)

//go:embed migrations
var migrations embed.FS

// Migrate makes the tables of pay, of its ledger and of its jobs.
func Migrate(ctx context.Context, db *database.DB) error {
	if err := errors.Join(ledger.Migrate(ctx, db), job.Migrate(ctx, db)); err != nil {
		return err
	}
	return db.Migrate(ctx, migrations, "pay")
}

// Config is what a Service needs. The limits have defaults.
type Config struct {
	DB       *database.DB
	Ledger   *ledger.Ledger // in the same database
	Jobs     *job.Queue     // in the same database
	Now      func() time.Time
	Observe  commit.Observer // of the transactions that write many requests; may be nil
	Currency money.Currency
	Provider Provider // nil: wallets can't be topped up
	BaseURL  string   // what browsers call this service, without a trailing slash
	Fee      Fee      // of the market, on what payees get
	Webhooks Webhooks

	// Returns says where a merchant takes its payer back: merchant to URL, in which
	// {order} stands for the order's id. It is configuration, never input.
	Returns map[string]string

	// Programs are clients with no merchant behind them, such as the command line.
	Programs []string

	MinTopUp, MaxTopUp int64         // minor units; 0 is 0.01 and 1,000,000.00 with two decimals
	PaymentLife        time.Duration // of a payment that names no end; 0 is 30 minutes
}

const (
	defaultMinTopUp    = 1
	defaultMaxTopUp    = 100_000_000
	defaultPaymentLife = 30 * time.Minute
)

// Service is the rules of pay. It may be used by many goroutines.
type Service struct {
	db          *database.DB
	ledger      *ledger.Ledger
	jobs        *job.Queue
	now         func() time.Time
	currency    money.Currency
	provider    Provider
	baseURL     string
	fee         Fee
	webhooks    Webhooks
	returns     map[string]string
	programs    []string
	minTopUp    int64
	maxTopUp    int64
	paymentLife time.Duration
	charges     *commit.Committer[charging, charged]
}

// New returns the rules on a database that is migrated.
func New(c Config) *Service {
	s := &Service{
		db: c.DB, ledger: c.Ledger, jobs: c.Jobs, now: c.Now, currency: c.Currency, provider: c.Provider,
		baseURL: c.BaseURL, fee: c.Fee, webhooks: c.Webhooks, returns: c.Returns, programs: c.Programs,
		minTopUp: c.MinTopUp, maxTopUp: c.MaxTopUp, paymentLife: c.PaymentLife,
	}
	if s.minTopUp == 0 {
		s.minTopUp = defaultMinTopUp
	}
	if s.maxTopUp == 0 {
		s.maxTopUp = defaultMaxTopUp
	}
	if s.paymentLife == 0 {
		s.paymentLife = defaultPaymentLife
	}
	s.charges = commit.New(c.DB, "charges", s.writeCharges, charging.rows, c.Observe)
	return s
}

// Prepare opens the accounts that are nobody's wallet. It comes before everything else
// on a new database, and is harmless on an old one, but refuses one with wallets in another currency.
func (s *Service) Prepare(ctx context.Context) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.sameCurrency(ctx, tx); err != nil {
			return err
		}
		return s.ledger.Open(ctx, tx,
			ledger.Account{ID: s.world(), Unit: s.unit(), Kind: ledger.Open},
			ledger.Account{ID: s.escrow(), Unit: s.unit(), Kind: ledger.Open},
			ledger.Account{ID: s.fees(), Unit: s.unit(), Kind: ledger.Open},
		)
	})
}

// sameCurrency refuses to take the minor units of one currency for those of another. The first
// wallet speaks for all; without one there is no money yet, and the currency may still change.
func (s *Service) sameCurrency(ctx context.Context, tx bun.Tx) error {
	var first []money.Currency
	if err := tx.NewSelect().Model((*walletRow)(nil)).Column("currency").Order("id").Limit(1).Scan(ctx, &first); err != nil {
		return fmt.Errorf("read the currency of the wallets: %w", err)
	}
	if len(first) > 0 && first[0] != s.currency {
		return fmt.Errorf("currency %q: want %s, which the wallets of this database are in", s.currency, first[0])
	}
	return nil
}

// Run does pay's background work until ctx ends: top-ups left half way, deadlines and webhooks.
func (s *Service) Run(ctx context.Context, log *slog.Logger) error {
	return s.jobs.Run(ctx, log, s.handlers())
}

// CatchUp does the background work that is due now.
func (s *Service) CatchUp(ctx context.Context, log *slog.Logger) error {
	_, err := s.jobs.Drain(ctx, log, s.handlers())
	return err
}

func (s *Service) handlers() map[string]job.Handler {
	return map[string]job.Handler{topUpJob: s.collectLater, expireJob: s.expireLater, webhookJob: s.deliver}
}

// Caller is who asks about a payment: a user through a client, or, with User empty, a
// client on its own behalf. The client is the merchant.
type Caller struct {
	User     authclient.UserID
	Merchant string
}

// Currency is the one that everything here is in.
func (s *Service) Currency() money.Currency { return s.currency }

func (s *Service) amount(minor int64) money.Amount {
	return money.Amount{Minor: minor, Currency: s.currency}
}

// world is where topped-up money comes from; what it is below zero is owed to users.
func (s *Service) world() ledger.AccountID { return ledger.AccountID("world:" + s.currency) }

// escrow has what is captured and not yet given to anybody.
func (s *Service) escrow() ledger.AccountID { return ledger.AccountID("escrow:" + s.currency) }

// fees is what the market has earned.
func (s *Service) fees() ledger.AccountID { return ledger.AccountID("fees:" + s.currency) }

// unit is the ledger's name of the currency.
func (s *Service) unit() ledger.Unit { return ledger.Unit(s.currency) }

// Codes of transfers, and kinds of a statement's entries.
const (
	codeTopUp   = "topup"
	codePayment = "payment"
	codeHold    = "hold"   // for a payment that is authorized
	codeVoid    = "void"   // of a hold, when its payment is closed
	codeRefund  = "refund" // of a payment, to its payer; from the payee's point of view too
	codeSale    = "sale"   // a release, to the payee
	codeFee     = "fee"    // of the market, from the payee
)

// post does transfers of the market's currency, all or none. A refusal rolls back what the
// caller has done in tx.
func (s *Service) post(ctx context.Context, tx bun.Tx, transfers ...ledger.Transfer) error {
	for i := range transfers {
		transfers[i].Unit = s.unit()
	}
	refusals, err := s.ledger.Apply(ctx, tx, transfers)
	if err != nil {
		return fmt.Errorf("post %s: %w", transfers[0].ID, err)
	}
	return errors.Join(refusals...)
}
