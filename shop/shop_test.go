package shop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

var (
	ann  = Person{"usr_ann", "Ann"}   // sells
	bob  = Person{"usr_bob", "Bob"}   // buys
	cara = Person{"usr_cara", "Cara"} // sells too
)

// market is a shop with a pay that does as it is told.
type market struct {
	*Service
	t   testing.TB
	db  *database.DB
	pay *pay

	mu  sync.Mutex
	off time.Duration // guarded by mu; how far the clock was put forward
}

// pay is as much of pay as the shop can see. Each refusal comes in two kinds: before the
// thing is done, or after it.
type pay struct {
	mu       sync.Mutex // guards all
	payments map[string]payclient.Payment
	poor     bool  // there is too little money
	before   error // failed and not done
	after    error // failed but done
	creates  int
	closes   int
	onCreate func() // runs while the call is on its way
}

func (p *pay) Create(_ context.Context, in payclient.NewPayment) (payclient.Payment, error) {
	p.mu.Lock()
	hook := p.onCreate
	p.mu.Unlock()
	if hook != nil {
		hook()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.creates++
	if p.before != nil {
		return payclient.Payment{}, p.before
	}
	x, ok := p.payments[in.Order]
	if ok && x.State == payclient.Closed {
		return payclient.Payment{}, payclient.ErrClosed
	}
	x = payclient.Payment{ID: "pay_" + in.Order, Order: in.Order, Parties: in.Parties, State: payclient.Open}
	x.Amount.Currency, x.Captured.Currency = money.CNY, money.CNY
	for _, party := range in.Parties {
		x.Amount.Minor += party.Amount.Minor
	}
	if !p.poor {
		x.State, x.Captured = payclient.Captured, x.Amount
	}
	p.payments[in.Order] = x
	if p.after != nil {
		return payclient.Payment{}, p.after
	}
	if p.poor {
		return payclient.Payment{}, payclient.ErrInsufficient.
			With("available", money.Amount{Currency: money.CNY}).
			With("missing", x.Amount).
			With("checkout_url", "/pay/checkout/"+x.ID).
			With("payment", x.ID)
	}
	return x, nil
}

func (p *pay) PaymentOf(_ context.Context, order string) (payclient.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.before != nil {
		return payclient.Payment{}, p.before
	}
	x, ok := p.payments[order]
	if !ok {
		return payclient.Payment{}, payclient.ErrNoPayment
	}
	return x, nil
}

func (p *pay) Close(_ context.Context, order string) (payclient.Payment, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closes++
	if p.before != nil {
		return payclient.Payment{}, p.before
	}
	x := p.payments[order]
	if x.State != payclient.Captured {
		x.State = payclient.Closed
		p.payments[order] = x
	}
	if p.after != nil {
		return payclient.Payment{}, p.after
	}
	return x, nil
}

// capture is the buyer at the cashier.
func (p *pay) capture(order OrderID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.payments[string(order)]
	x.State, x.Captured = payclient.Captured, x.Amount
	p.payments[string(order)] = x
}

func (p *pay) set(change func(*pay)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
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

func newMarket(t testing.TB, db *database.DB) *market {
	bucket := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = bucket.Close() })
	m := &market{t: t, db: db, pay: &pay{payments: map[string]payclient.Payment{}}}
	m.Service = New(Config{
		DB:       db,
		Ledger:   ledger.New(db, m.clock),
		Jobs:     job.New(db, m.clock),
		Pictures: picture.New(bucket),
		Payer:    m.pay,
		Payments: m.pay,
		Currency: money.CNY,
		PayTime:  30 * time.Minute,
		Now:      m.clock,
	})
	return m
}

func (m *market) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.off)
}

// forward lets time pass.
func (m *market) forward(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off += d
}

func (m *market) check() {
	m.t.Helper()
	err := m.Check(context.Background(), func(invariant, id, found string) { m.t.Errorf("broken: %s: %s: %s", invariant, id, found) })
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
	m.pay.set(func(x *pay) { x.poor = true })
	o, err := m.PlaceOrder(context.Background(), bob, items(p, n), "")
	if !errors.Is(err, shopclient.ErrUnpaid) || o.State != Pending {
		m.t.Fatalf("order %s, %v; want pending and unpaid", o.State, err)
	}
	m.pay.set(func(x *pay) { x.poor = false })
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

// at calls f n times at once and gives what each returned.
func at[T any](n int, f func(i int) T) []T {
	out := make([]T, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			out[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
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

// work runs the jobs that are due.
func (m *market) work() {}
