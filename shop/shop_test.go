package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/commit"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/racetest"
	"jishi/kit/rest"
	"jishi/ledger"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

var (
	ann  = Person{"usr_ann", "Ann"}   // sells
	bob  = Person{"usr_bob", "Bob"}   // buys
	cara = Person{"usr_cara", "Cara"} // sells too
	olga = Person{"usr_olga", "Olga"} // operates the market
)

// market is a shop with a pay that does as it is told.
type market struct {
	*Service
	t   testing.TB
	db  *database.DB
	pay *shoptest.Pay

	mu    sync.Mutex
	off   time.Duration // guarded by mu; how far the clock was put forward
	still time.Time     // guarded by mu; where it stands but for that, zero if it goes
}

func TestSchemaIsTheSameEverywhere(t *testing.T) { dbtest.Parity(t, Migrate) }

// each runs a test on every database, and the invariants after it.
func each(t *testing.T, f func(t *testing.T, m *market)) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		m := newMarket(t, db)
		f(t, m)
		m.check()
	}, Migrate)
}

func newMarket(t testing.TB, db *database.DB) *market { return newReplica(t, db, shoptest.NewPay()) }

// newReplica is a process of a shop that may have others.
func newReplica(t testing.TB, db *database.DB, pay *shoptest.Pay) *market {
	pictures, err := picture.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pictures.Close() })
	m := &market{t: t, db: db, pay: pay}
	m.Service = New(Config{
		DB:       db,
		Ledger:   ledger.New(db, m.clock),
		Jobs:     job.New(db, m.clock),
		Pictures: pictures,
		Payer:    m.pay,
		Payments: m.pay,
		Currency: money.CNY,
		PayTime:  30 * time.Minute,
		Terms:    DefaultTerms,
		Now:      m.clock,

		Operators: []authclient.UserID{olga.ID},
	})
	return m
}

func (m *market) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.still
	if now.IsZero() {
		now = time.Now()
	}
	return now.Add(m.off)
}

// standStill stops the clock.
func (m *market) standStill(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.still = at
}

// forward lets time pass.
func (m *market) forward(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off += d
}

func (m *market) check() {
	m.t.Helper()
	_, err := m.Check(context.Background(), func(invariant, id, found string) { m.t.Errorf("broken: %s: %s: %s", invariant, id, found) })
	if err != nil {
		m.t.Error(err)
	}
}

// product is one that Ann sells for 12.00.
func (m *market) product(stock int64) Product {
	m.t.Helper()
	return m.productOf(ann, "Teapot", "12.00", stock)
}

func (m *market) productOf(seller Person, title, price string, stock int64) Product {
	m.t.Helper()
	p, err := m.AddProduct(context.Background(), seller, NewProduct{Title: title, Price: price, Stock: stock}, "")
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *market) stock(p Product) int64 {
	m.t.Helper()
	now, err := m.Product(context.Background(), p.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	return now.Stock
}

// pending is an order of Bob's that waits for money.
func (m *market) pending(p Product, n int64) Order {
	m.t.Helper()
	m.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
	o, err := m.PlaceOrder(context.Background(), bob, items(p, n), "")
	if !errors.Is(err, shopclient.ErrUnpaid) || o.State != Pending {
		m.t.Fatalf("order %s, %v; want pending and unpaid", o.State, err)
	}
	m.pay.Set(func(x *shoptest.Pay) { x.Poor = false })
	return o
}

func (m *market) state(o Order) State {
	m.t.Helper()
	now, err := m.order(context.Background(), o.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	return now.State
}

func items(p Product, n int64) NewOrder {
	seen := p.Amount()
	return NewOrder{Items: []Item{{Product: p.ID, Quantity: n, Seen: &seen}}}
}

func buyer(i int) Person {
	return Person{authclient.UserID(fmt.Sprintf("usr_%03d", i)), fmt.Sprint("Buyer ", i)}
}

// at calls f n times at once, and gives what each returned.
func at[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	racetest.Together(n, func(i int) { out[i] = f(i) })
	return out
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

func token() string { return id.New("tok") }

var (
	noReply     = rest.ErrNoReply
	unreachable = rest.ErrUnreachable
)

// endsFail has nothing written that ends an order, and the error be what becomes of it; nil
// has it written again.
func (m *market) endsFail(err error) {
	m.changes = commit.New(m.db, "orders", func(ctx context.Context, tx bun.Tx, batch []change) ([]changed, error) {
		if err != nil && slices.ContainsFunc(batch, func(c change) bool { return c.end != nil }) {
			return nil, err
		}
		return m.writeChanges(ctx, tx, batch)
	}, change.rows, nil)
}

// work runs the jobs that are due.
func (m *market) work() {
	m.t.Helper()
	if _, err := m.jobs.Drain(context.Background(), slog.New(slog.DiscardHandler), m.handlers(slog.New(slog.DiscardHandler))); err != nil {
		m.t.Error(err)
	}
}

// workAtOnce runs jobs that are due as a process does, many at once, until it comes to one that is due now.
func (m *market) workAtOnce() {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	handlers := m.handlers(log)
	handlers["last"] = func(context.Context, job.Job) error { cancel(); return nil }
	err := m.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return m.jobs.Add(ctx, tx, job.Job{Kind: "last"}) })
	if err := errors.Join(err, m.jobs.Run(ctx, log, handlers)); err != nil {
		m.t.Error(err)
	}
}

func page(n int) database.Page { return database.Page{Limit: n} }
