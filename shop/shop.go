// Package shop is goods: products and their stock, carts, orders. It knows who sold
// what to whom and that an order is paid; it knows money only as prices, and pay only as
// what it asks of it. Stock moves in the ledger and nowhere else.
package shop

import (
	"context"
	"embed"
	"errors"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/commit"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop/picture"
)

//go:embed migrations
var migrations embed.FS

// Migrate makes the tables of the shop, of its ledger and of its jobs.
func Migrate(ctx context.Context, db *database.DB) error {
	if err := errors.Join(ledger.Migrate(ctx, db), job.Migrate(ctx, db)); err != nil {
		return err
	}
	return db.Migrate(ctx, migrations, "shop")
}

// Payer asks pay for a buyer's money, with the token of the buyer who is in ctx;
// *payclient.Client is one. The order makes a payment unique: asking again is harmless.
type Payer interface {
	Wallet(ctx context.Context, id string) (payclient.Wallet, error)
	Create(ctx context.Context, in payclient.NewPayment) (payclient.Payment, error)
}

// Payments asks pay what became of an order, and what shall become of its money, with shop's
// own token; *payclient.Client is one. After Close a payment is captured or closed, and stays
// so. Refund and Release have an id of ours: asking again is harmless.
type Payments interface {
	PaymentOf(ctx context.Context, order string) (payclient.Payment, error)
	Payments(ctx context.Context, in payclient.OrderRange, p payclient.Page) (payclient.Payments, error)
	Close(ctx context.Context, order string) (payclient.Payment, error)
	Refund(ctx context.Context, payment string, in payclient.NewRefund) (payclient.Refund, error)
	Release(ctx context.Context, payment string, in payclient.NewRelease) (payclient.Release, error)
}

// Person is a user as others see them.
type Person struct {
	ID   authclient.UserID
	Name string
}

// Terms are the times and limits to which buyers and sellers are held.
type Terms struct {
	ConfirmAfter time.Duration // from shipping until a shipment is received by itself
	RefundWindow time.Duration // from receipt, in which a refund can be asked for
	AnswerTime   time.Duration // for a seller to answer a request, which is granted then

	ScarceTime time.Duration // how long an order may wait for its payment that leaves few pieces; 0 is as long as others
	OpenOrders int64         // how many orders of one buyer may wait for their payment; 0 is any number
	OpenPieces int64         // how many pieces of one product they may hold together; 0 is any number
}

// DefaultTerms are those of a market whose operator has set none.
var DefaultTerms = Terms{
	ConfirmAfter: 10 * 24 * time.Hour,
	RefundWindow: 15 * 24 * time.Hour,
	AnswerTime:   3 * 24 * time.Hour,
	ScarceTime:   5 * time.Minute,
	OpenOrders:   10,
	OpenPieces:   200,
}

// Config is what a Service stands on.
type Config struct {
	DB       *database.DB
	Ledger   *ledger.Ledger // of the same database
	Jobs     *job.Queue     // of the same database
	Pictures *picture.Store
	Payer    Payer
	Payments Payments
	Currency money.Currency
	PayTime  time.Duration // how long an order may wait for its payment
	Terms    Terms
	Now      func() time.Time
	Observe  commit.Observer // of the transactions that write many requests; may be nil

	Operators []authclient.UserID // decide what buyers and sellers can't agree on
}

// Service is the rules of the shop. It keeps nothing in memory between calls.
type Service struct {
	db       *database.DB
	ledger   *ledger.Ledger
	jobs     *job.Queue
	pictures *picture.Store
	payer    Payer
	payments Payments
	currency money.Currency
	payTime  time.Duration
	terms    Terms
	now      func() time.Time

	operators []authclient.UserID
	changes   *commit.Committer[change, changed]
}

// New returns the shop of a migrated database.
func New(c Config) *Service {
	s := &Service{
		db:       c.DB,
		ledger:   c.Ledger,
		jobs:     c.Jobs,
		pictures: c.Pictures,
		payer:    c.Payer,
		payments: c.Payments,
		currency: c.Currency,
		payTime:  c.PayTime,
		terms:    c.Terms,
		now:      c.Now,

		operators: c.Operators,
	}
	s.changes = commit.New(c.DB, "orders", s.writeChanges, change.rows, c.Observe)
	return s
}

// Currency is that of all prices.
func (s *Service) Currency() money.Currency { return s.currency }

// use is what a user asks for with a key; what is the verb, so that one key may serve
// several.
func use(what string, user authclient.UserID, key string, asked any) database.Use {
	return database.Use{Scope: what + ":" + string(user), Key: key, Asked: asked}
}
