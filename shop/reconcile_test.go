package shop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shoptest"
)

// pass compares everything, and gives what was found as "what state".
func (m *market) pass() string {
	m.t.Helper()
	ctx := context.Background()
	m.forward(differs + time.Minute) // the order that a test is about is old enough
	for {
		if _, err := m.reconcile(ctx, slog.New(slog.DiscardHandler), "all"); err != nil {
			m.t.Fatal(err)
		}
		r := Reconciliation{Name: "all"}
		if err := m.db.NewSelect().Model(&r).WherePK().Scan(ctx); err != nil {
			m.t.Fatal(err)
		}
		if !r.underWay() {
			break
		}
	}
	return m.found()
}

func (m *market) found() string {
	m.t.Helper()
	all, _, err := m.Findings(context.Background(), olga.ID, "", page(100))
	if err != nil {
		m.t.Fatal(err)
	}
	slices.Reverse(all)
	var out []string
	for _, f := range all {
		out = append(out, fmt.Sprintf("%s %s", f.What, f.State))
	}
	return strings.Join(out, ", ")
}

// delivered is a paid order whose shipment was sent and received.
func (m *market) delivered(p Product) (Order, ShipmentID) {
	m.t.Helper()
	o, sh := m.sent(p)
	if _, err := m.Receive(m.t.Context(), bob.ID, sh); err != nil {
		m.t.Fatal(err)
	}
	return o, sh
}

func (m *market) sent(p Product) (Order, ShipmentID) {
	m.t.Helper()
	o, err := m.PlaceOrder(m.t.Context(), bob, items(p, 2), "")
	if err != nil {
		m.t.Fatal(err)
	}
	sh := shipmentsOf(o, m.clock())[0].ID
	if _, err := m.Ship(m.t.Context(), ann.ID, sh, "SF", "1"); err != nil {
		m.t.Fatal(err)
	}
	return o, sh
}

func (m *market) grantedRefund(sh ShipmentID, amount int64) RefundID {
	m.t.Helper()
	r, err := m.AskRefund(m.t.Context(), bob.ID, sh, NewRefund{Amount: &money.Amount{Minor: amount, Currency: money.CNY}, Reason: "x"}, "")
	if err == nil {
		_, err = m.Grant(m.t.Context(), ann.ID, r.ID)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return r.ID
}

// Each kind of difference, made by hand, is found. Where it is clear what is right it is
// mended, else it is shown for as long as it is there.
func TestDifferencesAreFound(t *testing.T) {
	for _, c := range []struct {
		name, want string
		differ     func(t *testing.T, m *market, p Product) Order
		state      State // of the order afterwards, where there is one
	}{
		{"the money came, and nobody heard", "not_paid mended", func(_ *testing.T, m *market, p Product) Order {
			o := m.pending(p, 1)
			m.pay.Capture(string(o.ID), nil)
			return o
		}, Paid},
		{"the payment was closed, and nobody heard", "not_canceled mended", func(t *testing.T, m *market, p Product) Order {
			o := m.pending(p, 1)
			if _, err := m.pay.Close(t.Context(), string(o.ID)); err != nil {
				t.Fatal(err)
			}
			return o
		}, Canceled},
		{"an order that lost its job, and pay was not asked for", "not_canceled mended", func(_ *testing.T, m *market, p Product) Order {
			o := m.left(p)
			m.loseJob(o)
			return o
		}, Canceled},
		{"an order that lost its job and is not paid", "not_canceled mended", func(_ *testing.T, m *market, p Product) Order {
			o := m.pending(p, 1)
			m.loseJob(o)
			return o
		}, Canceled},
		{"the money of a canceled order is kept", "not_repaid mended", func(t *testing.T, m *market, p Product) Order {
			o := m.pending(p, 1)
			if _, err := m.Cancel(t.Context(), bob.ID, o.ID); err != nil {
				t.Fatal(err)
			}
			m.pay.Capture(string(o.ID), nil)
			return o
		}, Canceled},
		{"a canceled order can be paid, and nobody has", "not_closed mended", func(t *testing.T, m *market, p Product) Order {
			o := m.pending(p, 1)
			before := m.pay.Payment(string(o.ID))
			if _, err := m.Cancel(t.Context(), bob.ID, o.ID); err != nil {
				t.Fatal(err)
			}
			m.pay.PutBack(string(o.ID), before)
			return o
		}, Canceled},
		{"an order is lost, and can be paid", "not_closed mended", func(_ *testing.T, m *market, _ Product) Order {
			lost := id.New("ord")
			m.pay.PutBack(lost, payclient.Payment{ID: "pay_" + lost, State: payclient.Open})
			return Order{}
		}, ""},
		{"a share that was not released", "release mended", func(_ *testing.T, m *market, p Product) Order {
			o, _ := m.delivered(p) // and its job is not run
			return o
		}, Completed},
		{"a release that pay has forgotten", "release mended", func(_ *testing.T, m *market, p Product) Order {
			o, sh := m.sent(p)
			before := m.pay.Payment(string(o.ID))
			if _, err := m.Receive(m.t.Context(), bob.ID, sh); err != nil {
				m.t.Fatal(err)
			}
			m.work()
			m.pay.PutBack(string(o.ID), before, string(sh))
			return o
		}, Completed},
		{"a refund that was not given back", "refund mended", func(_ *testing.T, m *market, p Product) Order {
			o, sh := m.sent(p)
			m.grantedRefund(sh, 500)
			return o
		}, Paid},
		{"a refund that pay has forgotten", "refund mended", func(_ *testing.T, m *market, p Product) Order {
			o, sh := m.sent(p)
			before := m.pay.Payment(string(o.ID))
			r := m.grantedRefund(sh, 500)
			m.work()
			m.pay.PutBack(string(o.ID), before, string(r))
			return o
		}, Paid},
		{"a refund that pay has done without an answer", "refund mended", func(t *testing.T, m *market, p Product) Order {
			o, sh := m.sent(p)
			r := m.grantedRefund(sh, 500)
			_, err := m.pay.Refund(t.Context(), "pay_"+string(o.ID), payclient.NewRefund{
				ID: string(r), Payee: string(ann.ID), Amount: money.InputOf(money.Amount{Minor: 500, Currency: money.CNY}),
			})
			if err != nil {
				t.Fatal(err)
			}
			return o
		}, Paid},
		{"more went back than was granted", "undecided open", func(t *testing.T, m *market, p Product) Order {
			o, _ := m.sent(p)
			if _, err := m.pay.Refund(t.Context(), "pay_"+string(o.ID), payclient.NewRefund{ID: "x", Payee: string(ann.ID)}); err != nil {
				t.Fatal(err)
			}
			return o
		}, Paid},
		{"a share was released that nobody received", "undecided open", func(t *testing.T, m *market, p Product) Order {
			o, _ := m.sent(p)
			if _, err := m.pay.Release(t.Context(), "pay_"+string(o.ID), payclient.NewRelease{ID: "x", Payee: string(ann.ID)}); err != nil {
				t.Fatal(err)
			}
			return o
		}, Paid},
		{"a paid order without a payment", "not_captured open", func(_ *testing.T, m *market, p Product) Order {
			o, _ := m.sent(p)
			m.pay.PutBack(string(o.ID), payclient.Payment{})
			return o
		}, Paid},
		{"a paid order whose payment is closed", "not_captured open", func(_ *testing.T, m *market, p Product) Order {
			o, _ := m.sent(p)
			x := m.pay.Payment(string(o.ID))
			x.State = payclient.Closed
			m.pay.PutBack(string(o.ID), x)
			return o
		}, Paid},
		{"too little was taken", "not_captured open", func(_ *testing.T, m *market, p Product) Order {
			o, _ := m.sent(p)
			m.pay.Capture(string(o.ID), &money.Amount{Minor: 1, Currency: money.CNY})
			return o
		}, Paid},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				m.t = t
				o := c.differ(t, m, m.product(50))
				if got := m.found(); got != "" {
					t.Fatalf("before anybody looked: %s", got)
				}
				for range 2 {
					got, state := m.pass(), c.state
					if o.ID != "" {
						state = m.state(o)
					}
					if got != c.want || state != c.state {
						t.Errorf("got %s, and the order is %s; want %s and %s", got, state, c.want, c.state)
					}
				}
			})
		})
	}
}

// unwilling is a pay that does one thing or another not for a seller.
type unwilling struct {
	*shoptest.Pay
	seller          authclient.UserID
	refund, release error
}

func (p unwilling) Refund(ctx context.Context, payment string, in payclient.NewRefund) (payclient.Refund, error) {
	if p.refund != nil && in.Payee == string(p.seller) {
		return payclient.Refund{}, p.refund
	}
	return p.Pay.Refund(ctx, payment, in)
}

func (p unwilling) Release(ctx context.Context, payment string, in payclient.NewRelease) (payclient.Release, error) {
	if p.release != nil && in.Payee == string(p.seller) {
		return payclient.Release{}, p.release
	}
	return p.Pay.Release(ctx, payment, in)
}

// A release that can't be mended now can be later: no refund takes the money that it needs.
func TestARefundIsNotMendedBeforeItsRelease(t *testing.T) {
	for name, forgotten := range map[string]bool{"not done yet": false, "forgotten by pay": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				o, sh := m.delivered(m.product(5))
				before := m.pay.Payment(string(o.ID))
				if forgotten {
					m.work()
				}
				r := m.grantedRefund(sh, 500)
				if forgotten {
					m.work()
					m.pay.PutBack(string(o.ID), before, string(sh), string(r))
				}
				m.payments = unwilling{Pay: m.pay, seller: ann.ID, release: noReply}
				if got := m.pass(); got != "release open, refund open" {
					t.Errorf("got %s", got)
				}
				m.payments = m.pay
				if got := m.pass(); got != "release mended, refund mended" {
					t.Errorf("got %s", got)
				}
				m.settled(o)
			})
		})
	}
}

// What can't be mended for one seller is mended for the other one of the order.
func TestEachShareIsMended(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.bought(m.product(5), m.productOf(cara, "Cup", "3.00", 5))
		for _, sh := range m.shipmentsNow(o) {
			if err := errors.Join(second(m.Ship(t.Context(), sh.Seller, sh.ID, "SF", "1")), second(m.Receive(t.Context(), bob.ID, sh.ID))); err != nil {
				t.Fatal(err)
			}
		}
		m.payments = unwilling{Pay: m.pay, seller: ann.ID, release: noReply}
		m.pass()
		m.payments = m.pay
		all := m.shipmentsNow(o)
		if !all[0].ReleasedAt.IsZero() || all[1].ReleasedAt.IsZero() {
			t.Errorf("released at %s and %s, want the second only", all[0].ReleasedAt, all[1].ReleasedAt)
		}
		m.work()
		var refunds []RefundID
		for _, sh := range all {
			r, err := m.AskRefund(t.Context(), bob.ID, sh.ID, NewRefund{Reason: "x"}, "")
			if err == nil {
				_, err = m.Grant(t.Context(), sh.Seller, r.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			refunds = append(refunds, r.ID)
		}
		m.payments = unwilling{Pay: m.pay, seller: ann.ID, refund: payclient.ErrPayeeShort}
		m.pass()
		m.payments = m.pay
		if one, other := m.refundNow(refunds[0]).PaidAt, m.refundNow(refunds[1]).PaidAt; !one.IsZero() || other.IsZero() {
			t.Errorf("paid back at %s and %s, want the second only", one, other)
		}
		m.pass()
		m.settled(o)
	})
}

// counted is a pay that counts the refunds it is asked for.
type counted struct {
	*shoptest.Pay
	refunds int
}

func (p *counted) Refund(ctx context.Context, payment string, in payclient.NewRefund) (payclient.Refund, error) {
	p.refunds++
	return p.Pay.Refund(ctx, payment, in)
}

// However many sellers an order has whose shares can't be mended, each of them is tried once.
func TestManySharesAreTriedOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		const sellers = 10
		var products []Product
		for i := range sellers {
			products = append(products, m.productOf(buyer(i), "Cup", "3.00", 5))
		}
		all := m.shipmentsNow(m.bought(products...))
		for _, sh := range all {
			if err := errors.Join(second(m.Ship(t.Context(), sh.Seller, sh.ID, "SF", "1")), second(m.Receive(t.Context(), bob.ID, sh.ID))); err != nil {
				t.Fatal(err)
			}
		}
		m.work()
		for _, sh := range all {
			if err := second(m.Grant(t.Context(), sh.Seller, m.asked(sh, nil).ID)); err != nil {
				t.Fatal(err)
			}
		}
		pay := &counted{Pay: m.pay}
		m.payments = pay
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = true })
		if got := m.pass(); got != "refund open" || pay.refunds != sellers {
			t.Errorf("got %s, and pay was asked for %d refunds; want refund open and %d", got, pay.refunds, sellers)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = false })
		if got := m.pass(); got != "refund mended" {
			t.Errorf("got %s, want refund mended", got)
		}
	})
}

// outOfTime is a pay that is asked at the end of one's time: for the second page of payments, or for
// a refund.
type outOfTime struct {
	*shoptest.Pay
	end   context.CancelFunc
	pages []payclient.OrderRange
}

func (p *outOfTime) Payments(ctx context.Context, in payclient.OrderRange, page payclient.Page) (payclient.Payments, error) {
	if p.pages = append(p.pages, in); len(p.pages) == 2 {
		p.end()
		return payclient.Payments{}, ctx.Err()
	}
	return p.Pay.Payments(ctx, in, page)
}

func (p *outOfTime) Refund(ctx context.Context, _ string, _ payclient.NewRefund) (payclient.Refund, error) {
	p.end()
	return payclient.Refund{}, ctx.Err()
}

// A run whose time is over in its second batch has done the first one.
func TestAPassGoesOnBehindWhatIsCompared(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		c := m.canceled(1, 2*comparedAtOnce+50)
		m.write(c)
		m.pay.PutBack(string(c.orders[0].ID), payclient.Payment{ID: "pay_x", State: payclient.Captured, Captured: money.Amount{Minor: 100, Currency: money.CNY}})
		m.forward(differs + time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		pay := &outOfTime{Pay: m.pay, end: cancel}
		m.payments = pay
		if _, err := m.reconcile(ctx, slog.New(slog.DiscardHandler), "all"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want what ended it", err)
		}
		if got := m.found(); got != "not_repaid open" {
			t.Errorf("found %s, want not_repaid open", got)
		}
		if _, err := m.reconcile(t.Context(), slog.New(slog.DiscardHandler), "all"); err != nil {
			t.Fatal(err)
		}
		if got, want := pay.pages[2].After, string(c.orders[comparedAtOnce-1].ID); got != want {
			t.Errorf("the next run begins after %q, want %q", got, want)
		}
		all, err := m.Reconciled(t.Context(), olga.ID)
		if err != nil || len(all) != 1 || all[0].Compared != int64(len(c.orders)) {
			t.Errorf("got %+v, %v; want a pass of %d orders", all, err, len(c.orders))
		}
	})
}

// Of what only one of the two has, however much it is, a batch does a part: orders that the shop has
// lost, and what was found of them when pay has lost them as well.
func TestAPassGoesThroughAGap(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		m.write(m.canceled(1, 1))
		const n = 5 * comparedAtOnce
		lost := m.canceled(2, n).orders
		for _, o := range lost {
			m.pay.PutBack(string(o.ID), payclient.Payment{ID: "pay_x", State: payclient.Captured, Captured: money.Amount{Minor: 100, Currency: money.CNY}})
		}
		m.forward(differs + time.Minute)
		aBatch := func(state FindingState) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			m.payments = &outOfTime{Pay: m.pay, end: cancel}
			if _, err := m.reconcile(ctx, slog.New(slog.DiscardHandler), "all"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want what ended it", err)
			}
			m.payments = m.pay
			if got := m.count(state); got == 0 || got > 2*comparedAtOnce {
				t.Errorf("a batch makes %d findings %s", got, state)
			}
		}
		aBatch(OpenFinding)
		m.pass()
		if got := m.count(OpenFinding); got != n {
			t.Errorf("%d are open, want %d", got, n)
		}
		all, err := m.Reconciled(t.Context(), olga.ID)
		if err != nil || len(all) != 1 || all[0].Compared != 1 {
			t.Errorf("got %+v, %v; want a pass of one order", all, err)
		}
		for _, o := range lost {
			m.pay.PutBack(string(o.ID), payclient.Payment{})
		}
		aBatch(Mended)
		m.pass()
		if got := m.count(Mended); got != n {
			t.Errorf("%d are mended, want %d", got, n)
		}
	})
}

// count is how many findings there are in a state.
func (m *market) count(state FindingState) int64 {
	m.t.Helper()
	n, err := m.CountFindings(context.Background())
	if err != nil {
		m.t.Fatal(err)
	}
	return n[state]
}

// What was found is kept where mending it took all the time that a run has.
func TestFindingsAreKeptWhenTimeIsOver(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		_, sh := m.sent(m.product(5))
		m.grantedRefund(sh, 500)
		m.forward(differs + time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		m.payments = &outOfTime{Pay: m.pay, end: cancel}
		if _, err := m.reconcile(ctx, slog.New(slog.DiscardHandler), "all"); err != nil {
			t.Error(err)
		}
		if got := m.found(); got != "refund open" {
			t.Errorf("found %q, want refund open", got)
		}
		m.payments = m.pay
		if got := m.pass(); got != "refund mended" {
			t.Errorf("got %s, want refund mended", got)
		}
	})
}

// loseJob takes the job of an order away, and puts the clock to its deadline.
func (m *market) loseJob(o Order) {
	m.t.Helper()
	ctx := context.Background()
	err := m.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return m.jobs.Remove(ctx, tx, settleJob, string(o.ID)) })
	if err != nil {
		m.t.Fatal(err)
	}
	m.forward(o.DeadlineAt.Sub(m.clock()))
}

// A finding is open for as long as it is so, and what is in the way is told with it.
func TestFindingsEnd(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		_, sh := m.delivered(m.product(50))
		m.work()
		m.grantedRefund(sh, 500)
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = true })
		none := id.New("ord")
		m.pay.PutBack(none, payclient.Payment{ID: "pay_x", State: payclient.Captured, Captured: money.Amount{Minor: 5, Currency: money.CNY}})
		if got := m.pass(); !strings.Contains(got, "no_order open") || !strings.Contains(got, "refund open") {
			t.Errorf("got %s", got)
		}
		all, _, err := m.Findings(t.Context(), olga.ID, OpenFinding, page(1))
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		before := m.findingOf(none)
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = false })
		m.pay.PutBack(none, payclient.Payment{})
		if got := m.pass(); strings.Contains(got, "open") {
			t.Errorf("got %s, want all mended", got)
		}
		if open, mended := m.count(OpenFinding), m.count(Mended); open != 0 || mended != 2 {
			t.Errorf("%d are open and %d mended, want 0 and 2", open, mended)
		}
		if after := m.findingOf(none); !after.SeenAt.Equal(before.SeenAt.Time) || !after.MendedAt.After(before.SeenAt.Time) {
			t.Errorf("it was found last at %s, and mended at %s; want the first at %s", after.SeenAt, after.MendedAt, before.SeenAt)
		}
		if _, _, err := m.Findings(t.Context(), ann.ID, "", page(1)); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("for one who operates nothing: %v", err)
		}
		if _, err := m.Reconciled(t.Context(), ann.ID); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("for one who operates nothing: %v", err)
		}
	})
}

func (m *market) findingOf(order string) Finding {
	m.t.Helper()
	var f Finding
	if err := m.db.NewSelect().Model(&f).Where("order_id = ?", order).Scan(context.Background()); err != nil {
		m.t.Fatal(err)
	}
	return f
}

// While people buy, send, receive and get money back, the two always differ in something. None
// of it is a finding.
func TestAMarketThatRunsHasNoFindings(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(1_000_000)
		m.forward(2 * differs) // so that orders are old enough by their ids
		trades := make(chan error, 1)
		go func() {
			trades <- errors.Join(at(4, func(i int) error {
				var errs error
				for range 10 {
					errs = errors.Join(errs, m.trade(p, i))
				}
				return errs
			})...)
		}()
		passes := 0
		for done := false; !done; passes++ {
			select {
			case err := <-trades:
				if err != nil {
					t.Fatal(err)
				}
				done = true
			default:
			}
			if _, err := m.reconcile(t.Context(), slog.New(slog.DiscardHandler), "recent"); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.found(); got != "" {
			t.Errorf("after %d passes: %s", passes, got)
		}
		m.forward(time.Hour)
		m.work()
		if got := m.pass(); got != "" {
			t.Errorf("when all is done: %s", got)
		}
	})
}

// trade is an order that is canceled, received or refunded.
func (m *market) trade(p Product, i int) error {
	ctx := context.Background()
	o, err := m.PlaceOrder(ctx, bob, items(p, 1), "")
	if err != nil {
		return err
	}
	sh := shipmentsOf(o, m.clock())[0].ID
	switch i {
	case 0:
		_, err = m.GiveBack(ctx, ann.ID, sh, "x")
	case 1:
		var r RefundDetail
		if r, err = m.AskRefund(ctx, bob.ID, sh, NewRefund{Reason: "x"}, ""); err == nil {
			_, err = m.Grant(ctx, ann.ID, r.ID)
		}
	default:
		if _, err = m.Ship(ctx, ann.ID, sh, "SF", "1"); err == nil {
			_, err = m.Receive(ctx, bob.ID, sh)
		}
	}
	if err == nil && i > 1 {
		_, err = m.jobs.Drain(ctx, slog.New(slog.DiscardHandler), m.handlers(slog.New(slog.DiscardHandler)))
	}
	return err
}

// A pass goes on where it stopped, begins anew when its time has come, and is never given up.
func TestPasses(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		if err := m.beginReconciling(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := m.PlaceOrder(t.Context(), bob, items(m.product(5), 1), ""); err != nil {
			t.Fatal(err)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
		for range 30 {
			m.forward(25 * time.Hour)
			m.work()
		}
		if n, err := m.jobs.Size(t.Context()); err != nil || n.Dead != 0 {
			t.Fatalf("got %+v, %v", n, err)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Before = nil })
		m.forward(25 * time.Hour)
		m.work()
		all, err := m.Reconciled(t.Context(), olga.ID)
		if err != nil || len(all) != 2 || all[0].Name != "all" || all[0].Compared != 1 || all[1].Name != "recent" || all[1].Compared != 0 {
			t.Errorf("got %+v, %v; want the order in one of two passes", all, err)
		}
	})
}

// A pass that died of a defect lives again when the program starts.
func TestADeadPassLivesAgain(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		if err := m.beginReconciling(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.forward(25 * time.Hour)
		dies := func(context.Context, job.Job) error { return job.Schedule{}.Failed(errors.New("a defect")) }
		n, err := m.jobs.Drain(t.Context(), slog.New(slog.DiscardHandler), map[string]job.Handler{reconcileJob: dies})
		if err != nil || n != 2 {
			t.Fatalf("%d runs, %v; want 2", n, err)
		}
		if err := m.beginReconciling(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.work()
		all, err := m.Reconciled(t.Context(), olga.ID)
		if err != nil || len(all) != 2 {
			t.Errorf("got %+v, %v; want two passes", all, err)
		}
	})
}

// A pass goes from batch to batch, and compares every order once.
func TestALongPass(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(1000)
		const n = comparedAtOnce + 5
		orders := at(n, func(i int) Order {
			o, err := m.PlaceOrder(t.Context(), buyer(i), items(p, 1), "")
			if err != nil {
				t.Error(err)
			}
			return o
		})
		slices.SortFunc(orders, func(a, b Order) int { return strings.Compare(string(a.ID), string(b.ID)) })
		for _, o := range []Order{orders[0], orders[comparedAtOnce-1], orders[comparedAtOnce], orders[n-1]} {
			m.pay.PutBack(string(o.ID), payclient.Payment{})
		}
		if got, want := m.pass(), strings.Repeat(", not_captured open", 4)[2:]; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		all, err := m.Reconciled(t.Context(), olga.ID)
		if err != nil || len(all) != 1 || all[0].Compared != n {
			t.Errorf("got %+v, %v; want a pass of %d orders", all, err, n)
		}
	})
}
