package shop

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

// yuan is an amount of the market's currency, from its minor units.
func yuan(minor int64) *money.Amount { return &money.Amount{Minor: minor, Currency: money.CNY} }

// asked is a refund that Bob has asked for; nil is all of it.
func (m *market) asked(sh Shipment, amount *money.Amount) Refund {
	m.t.Helper()
	r, err := m.AskRefund(context.Background(), bob.ID, sh.ID, NewRefund{Amount: amount, Reason: "It is broken."}, "")
	if err != nil {
		m.t.Fatal(err)
	}
	return r.Refund
}

func (m *market) refundNow(rid RefundID) Refund {
	m.t.Helper()
	r, _, err := m.refund(context.Background(), rid)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// What was never sent is sold again when all of it is refunded, once.
func TestRefundOfWhatWasNotSent(t *testing.T) {
	for name, give := range map[string]func(m *market, sh Shipment) error{
		"asked for and granted": func(m *market, sh Shipment) error {
			return second(m.Grant(context.Background(), ann.ID, m.asked(sh, nil).ID))
		},
		"by the seller, unasked": func(m *market, sh Shipment) error {
			return second(m.GiveBack(context.Background(), ann.ID, sh.ID, "Sold out after all."))
		},
		"in two parts": func(m *market, sh Shipment) error {
			return errors.Join(second(m.Grant(context.Background(), ann.ID, m.asked(sh, yuan(200)).ID)), second(m.Grant(context.Background(), ann.ID, m.asked(sh, nil).ID)))
		},
		"unanswered": func(m *market, sh Shipment) error {
			m.asked(sh, nil)
			m.forward(m.terms.AnswerTime + time.Second)
			m.work()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				p := m.product(5)
				o := m.bought(p)
				if err := give(m, m.shipmentsNow(o)[0]); err != nil {
					t.Fatal(err)
				}
				m.work()
				m.forward(orderPause)
				m.work()
				m.settled(o)
				if sh := m.shipmentsNow(o)[0]; sh.State != Refunded || m.state(o) != Completed || m.stock(p) != 5 {
					t.Errorf("shipment %s, order %s, stock %d; want refunded, completed and 5", sh.State, m.state(o), m.stock(p))
				}
				if x := m.pay.Payment(string(o.ID)); x.Refunded != x.Captured {
					t.Errorf("pay gave %s of %s back", x.Refunded, x.Captured)
				}
			})
		})
	}
}

// A part goes back, the rest is released; goods that were sent stay sold.
func TestPartOfARefund(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.bought(p)
		sh := m.shipped(o)
		r := m.asked(sh, yuan(500))
		if err := second(m.Receive(t.Context(), bob.ID, sh.ID)); !errors.Is(err, shopclient.ErrRefundOpen) {
			t.Errorf("receive with an open refund: %v", err)
		}
		if err := errors.Join(second(m.Grant(t.Context(), ann.ID, r.ID)), second(m.Receive(t.Context(), bob.ID, sh.ID))); err != nil {
			t.Fatal(err)
		}
		m.work()
		m.forward(orderPause)
		m.work()
		m.settled(o)
		if x := m.pay.Payment(string(o.ID)); x.Refunded.Minor != 500 || x.Released.Minor != 700 {
			t.Errorf("pay gave %s back and released %s, want 5.00 and 7.00", x.Refunded, x.Released)
		}
		if m.stock(p) != 4 {
			t.Errorf("stock %d, want 4", m.stock(p))
		}
	})
}

// After receipt a refund comes out of the seller's wallet, after the release, however long
// the seller has too little.
func TestRefundAfterReceipt(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o := m.bought(p)
		sh := m.shipped(o)
		if err := second(m.Receive(t.Context(), bob.ID, sh.ID)); err != nil {
			t.Fatal(err)
		}
		if err := second(m.Grant(t.Context(), ann.ID, m.asked(sh, nil).ID)); err != nil {
			t.Fatal(err)
		}
		if err := m.refundLater(t.Context(), job.Job{Key: string(m.only(o).ID)}); err == nil || m.pay.Payment(string(o.ID)).Refunded.Minor != 0 {
			t.Errorf("before the release: %v, %s went back", err, m.pay.Payment(string(o.ID)).Refunded)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = true })
		for range 150 {
			m.work()
			m.forward(shortPause)
		}
		if x := m.pay.Payment(string(o.ID)); x.Released.Minor != 1200 || x.Refunded.Minor != 0 {
			t.Errorf("pay released %s and gave %s back, want 12.00 and nothing", x.Released, x.Refunded)
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Broke = false })
		m.work()
		m.settled(o)
		if now := m.shipmentsNow(o)[0]; now.State != Refunded || m.state(o) != Completed || m.stock(p) != 4 {
			t.Errorf("shipment %s, order %s, stock %d; want refunded, completed and 4", now.State, m.state(o), m.stock(p))
		}
	})
}

// A refund that was asked for before another one and granted after it comes after it: what was
// released in between is the rest of the other one alone. Who grants the second may have a clock
// that is behind that of who granted the first.
func TestRefundsGoBackAsTheyWereGranted(t *testing.T) {
	for name, settle := range map[string]func(m *market){
		"by their jobs": func(m *market) {
			for range 5 {
				m.work()
				m.forward(time.Minute)
			}
		},
		"by reconciliation": func(m *market) {
			m.pass()
			m.pass()
		},
	} {
		for clocks, behind := range map[string]time.Duration{"one clock": 0, "a clock behind": time.Minute} {
			t.Run(name+", "+clocks, func(t *testing.T) {
				each(t, func(t *testing.T, m *market) {
					ctx := t.Context()
					o := m.bought(m.product(5))
					sh := m.shipped(o)
					first := m.asked(sh, yuan(300))
					if err := second(m.Refuse(ctx, ann.ID, first.ID, "No.")); err != nil {
						t.Fatal(err)
					}
					m.forward(time.Second)
					m.grantedRefund(sh.ID, 200)
					m.forward(-behind)
					for _, err := range []error{
						second(m.Receive(ctx, bob.ID, sh.ID)),
						second(m.Appeal(ctx, bob.ID, first.ID)),
						second(m.Decide(ctx, olga.ID, first.ID, true, "Yes.")),
					} {
						if err != nil {
							t.Fatal(err)
						}
					}
					settle(m)
					m.settled(o)
					if r := m.refundNow(first.ID); r.PaidAt.IsZero() {
						t.Error("the one that was granted last did not go back")
					}
				})
			})
		}
	}
}

// A refund that waits for a release which was given up asks ever less often.
func TestARefundWaitsLongerAndLonger(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		_, sh := m.delivered(m.product(5))
		r := m.grantedRefund(sh, 200)
		err := m.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return m.jobs.Remove(ctx, tx, releaseJob, string(sh)) })
		if err != nil {
			t.Fatal(err)
		}
		runs := 0
		for start := m.clock(); m.clock().Sub(start) < 30*time.Minute; runs++ {
			m.work()
			var due database.Time
			if err := m.db.NewSelect().Table("jobs").Column("due_at").Where("kind = ?", refundJob).Scan(ctx, &due); err != nil {
				t.Fatal(err)
			}
			m.forward(due.Sub(m.clock()))
		}
		if runs > 30 || !m.refundNow(r).PaidAt.IsZero() {
			t.Errorf("it asked %d times in half an hour, want up to 30", runs)
		}
		if m.pass(); m.refundNow(r).PaidAt.IsZero() {
			t.Error("the comparison with pay made up for the release, and yet it waits")
		}
	})
}

// Who has asked under other terms has the answer when those said.
func TestTermsOfAnotherDay(t *testing.T) {
	for name, change := range map[string]time.Duration{"less time": -48 * time.Hour, "more time": 48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				o := m.bought(m.product(5))
				r := m.asked(m.shipped(o), nil)
				until := m.clock().Add(m.terms.AnswerTime)
				m.terms.AnswerTime += change
				m.forward(48 * time.Hour)
				m.check()
				d, err := m.See(t.Context(), ann.ID, o.ID)
				if err != nil {
					t.Fatal(err)
				}
				if told := d.Shipments[0].Refunds[0].AnswerBefore; told.Sub(until).Abs() > time.Minute {
					t.Errorf("Ann is told %s, want %s", told, until)
				}
				m.work()
				if now := m.refundNow(r.ID); now.State != Asked {
					t.Errorf("it is %s before that", now.State)
				}
				m.forward(24 * time.Hour)
				m.work()
				if now := m.refundNow(r.ID); now.State != Granted {
					t.Errorf("it is %s after that", now.State)
				}
			})
		})
	}
}

// Where nobody operates, nothing is taken to the operator: the sale ends by itself.
func TestNothingWaitsForNobody(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		m.operators = nil
		o := m.bought(m.product(5))
		r := m.asked(m.shipped(o), nil)
		if err := second(m.Refuse(ctx, ann.ID, r.ID, "It was whole.")); err != nil {
			t.Fatal(err)
		}
		if err := second(m.Appeal(ctx, bob.ID, r.ID)); !errors.Is(err, shopclient.ErrNoOperator) {
			t.Errorf("taken to nobody: %v", err)
		}
		d, err := m.See(ctx, bob.ID, o.ID)
		if err != nil || len(d.Shipments[0].Refunds[0].Actions) > 0 {
			t.Errorf("Bob may %v, %v", d.Shipments[0].Refunds[0].Actions, err)
		}
		m.forward(m.terms.ConfirmAfter + time.Second)
		m.work()
		if d, err := m.See(ctx, bob.ID, o.ID); err != nil || d.State != Completed {
			t.Errorf("the order is %s, %v", d.State, err)
		}
	})
}

func TestRefusedAndTakenToTheOperator(t *testing.T) {
	for name, grant := range map[string]bool{"granted": true, "denied": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				ctx := t.Context()
				o := m.bought(m.product(5))
				r := m.asked(m.shipped(o), nil)
				if err := second(m.Appeal(ctx, bob.ID, r.ID)); !errors.Is(err, shopclient.ErrRefundState) {
					t.Errorf("taken to the operator before the seller has answered: %v", err)
				}
				if err := second(m.Refuse(ctx, ann.ID, r.ID, " ")); !errors.Is(err, shopclient.ErrAnswer) {
					t.Errorf("refused without a word: %v", err)
				}
				if err := second(m.Refuse(ctx, ann.ID, r.ID, "It was whole.")); err != nil {
					t.Fatal(err)
				}
				if err := second(m.Decide(ctx, olga.ID, r.ID, true, "x")); !errors.Is(err, shopclient.ErrRefundState) {
					t.Errorf("decided before it was asked for: %v", err)
				}
				for range 2 {
					if err := second(m.Appeal(ctx, bob.ID, r.ID)); err != nil {
						t.Fatal(err)
					}
				}
				if err := second(m.Grant(ctx, ann.ID, r.ID)); !errors.Is(err, shopclient.ErrRefundState) {
					t.Errorf("the seller, when it is the operator's: %v", err)
				}
				if err := second(m.Decide(ctx, ann.ID, r.ID, false, "No.")); !errors.Is(err, fault.ErrForbidden) {
					t.Errorf("the seller decides: %v", err)
				}
				if err := second(m.Decide(ctx, olga.ID, r.ID, grant, "The picture shows it.")); err != nil {
					t.Fatal(err)
				}
				m.work()
				m.settled(o)
				now := m.refundNow(r.ID)
				if (now.State == Granted) != grant || now.Answer != "It was whole." || now.Decision != "The picture shows it." {
					t.Errorf("it is %+v", now)
				}
				if sh := m.shipmentsNow(o)[0]; (sh.State == Refunded) != grant || sh.OpenRefund != "" {
					t.Errorf("the shipment is %+v", sh)
				}
			})
		})
	}
}

// While a refund is open the shipment's timer stands still.
func TestOpenRefundStopsTheTimer(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		o := m.bought(m.product(5))
		sh := m.shipped(o)
		day := 24 * time.Hour
		m.forward(m.terms.ConfirmAfter - day)
		r := m.asked(sh, nil)
		m.forward(2 * day) // not answered yet, and past the time to confirm
		m.work()
		if got := m.shipmentsNow(o)[0].State; got != Shipped {
			t.Fatalf("with an open refund it is %s", got)
		}
		if err := second(m.Refuse(ctx, ann.ID, r.ID, "No.")); err != nil {
			t.Fatal(err)
		}
		m.forward(day - time.Hour)
		m.work()
		if got := m.shipmentsNow(o)[0].State; got != Shipped {
			t.Errorf("before the day that was left is over it is %s", got)
		}
		m.forward(confirmPause + time.Hour)
		m.work()
		if got := m.shipmentsNow(o)[0].State; got != Received {
			t.Errorf("after it, it is %s", got)
		}
	})
}

func TestWhatCannotBeRefunded(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		sh := m.shipmentsNow(m.bought(m.product(50)))[0]
		ask := func(in NewRefund) error { return second(m.AskRefund(ctx, bob.ID, sh.ID, in, "")) }
		for name, c := range map[string]struct{ got, want error }{
			"no reason":           {ask(NewRefund{}), shopclient.ErrReason},
			"more than it cost":   {ask(NewRefund{Amount: yuan(1201), Reason: "x"}), shopclient.ErrRefundAmount},
			"nothing":             {ask(NewRefund{Amount: yuan(0), Reason: "x"}), shopclient.ErrRefundAmount},
			"in another currency": {ask(NewRefund{Amount: &money.Amount{Minor: 1, Currency: "USD"}, Reason: "x"}), shopclient.ErrRefundAmount},
			"the seller asks":     {second(m.AskRefund(ctx, ann.ID, sh.ID, NewRefund{Reason: "x"}, "")), fault.ErrForbidden},
			"a stranger asks":     {second(m.AskRefund(ctx, cara.ID, sh.ID, NewRefund{Reason: "x"}, "")), shopclient.ErrNoShipment},
		} {
			if !errors.Is(c.got, c.want) {
				t.Errorf("%s: got %v, want %v", name, c.got, c.want)
			}
		}
		r := m.asked(sh, yuan(1))
		if err := ask(NewRefund{Reason: "x"}); !errors.Is(err, shopclient.ErrRefundOpen) {
			t.Errorf("two at once: %v", err)
		}
		if err := second(m.Ship(ctx, ann.ID, sh.ID, "SF", "1")); !errors.Is(err, shopclient.ErrRefundOpen) {
			t.Errorf("ship what is asked back: %v", err)
		}
		if err := second(m.GiveBack(ctx, ann.ID, sh.ID, "x")); !errors.Is(err, shopclient.ErrRefundOpen) {
			t.Errorf("give back what is asked back: %v", err)
		}
		if err := second(m.Withdraw(ctx, ann.ID, r.ID)); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("the seller withdraws it: %v", err)
		}
		for range 2 {
			if err := second(m.Withdraw(ctx, bob.ID, r.ID)); err != nil {
				t.Fatal(err)
			}
		}
		if err := second(m.Refuse(ctx, ann.ID, r.ID, "x")); !errors.Is(err, shopclient.ErrRefundState) {
			t.Errorf("refuse what was withdrawn: %v", err)
		}
		for range maxRequests - 1 {
			if err := second(m.Withdraw(ctx, bob.ID, m.asked(sh, yuan(1)).ID)); err != nil {
				t.Fatal(err)
			}
		}
		if err := ask(NewRefund{Reason: "x"}); !errors.Is(err, shopclient.ErrRefundRequests) {
			t.Errorf("once more: %v", err)
		}
		got := m.shipped(m.bought(m.product(5)))
		if err := second(m.Receive(ctx, bob.ID, got.ID)); err != nil {
			t.Fatal(err)
		}
		m.forward(m.terms.RefundWindow)
		if _, err := m.AskRefund(ctx, bob.ID, got.ID, NewRefund{Reason: "x"}, ""); !errors.Is(err, shopclient.ErrRefundWindow) {
			t.Errorf("too late: %v", err)
		}
		m.work()
	})
}

// Twenty times the same form is one request.
func TestOneFormIsOneRefund(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		sh, key := m.shipmentsNow(m.bought(m.product(50)))[0], token()
		got := at(20, func(int) RefundID {
			r, err := m.AskRefund(t.Context(), bob.ID, sh.ID, NewRefund{Reason: "x"}, key)
			if err != nil {
				t.Error(err)
			}
			return r.ID
		})
		for _, rid := range got {
			if rid != got[0] || rid == "" {
				t.Errorf("refunds %s and %s", got[0], rid)
			}
		}
	})
}

// A key gives its request also when nothing is left that could be asked for.
func TestTheSameRefundAfterItWasGranted(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		sh, key := m.shipmentsNow(m.bought(m.product(5)))[0], token()
		ask := func() (RefundDetail, error) {
			return m.AskRefund(t.Context(), bob.ID, sh.ID, NewRefund{Reason: "x"}, key)
		}
		first, err := ask()
		if err == nil {
			_, err = m.Grant(t.Context(), ann.ID, first.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ask(); err != nil || again.ID != first.ID || again.State != Granted {
			t.Errorf("the same again: %s %s, %v; want %s, granted", again.ID, again.State, err, first.ID)
		}
		if err := second(m.AskRefund(t.Context(), bob.ID, sh.ID, NewRefund{Reason: "x"}, token())); !errors.Is(err, shopclient.ErrShipmentState) {
			t.Errorf("another one: %v", err)
		}
		m.work()
	})
}

// A seller who refuses when the time to ask is over doesn't have the last word: the buyer has
// as long to take it to the operator as the seller had to answer.
func TestAppealAfterTheWindow(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		refused := func() (Refund, Order) {
			o := m.bought(m.product(5))
			sh := m.shipped(o)
			if err := second(m.Receive(ctx, bob.ID, sh.ID)); err != nil {
				t.Fatal(err)
			}
			m.forward(m.terms.RefundWindow - time.Hour)
			r := m.asked(sh, nil)
			m.forward(m.terms.AnswerTime - time.Hour)
			if err := second(m.Refuse(ctx, ann.ID, r.ID, "No.")); err != nil {
				t.Fatal(err)
			}
			return r, o
		}
		may := func(o Order) bool {
			d, err := m.See(ctx, bob.ID, o.ID)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(d.Shipments[0].Refunds[0].Actions, shopclient.ActAppeal)
		}
		r, o := refused()
		m.forward(m.terms.AnswerTime - time.Minute)
		if !may(o) {
			t.Error("in time the buyer is not told of the operator")
		}
		if err := second(m.Appeal(ctx, bob.ID, r.ID)); err != nil {
			t.Errorf("in time: %v", err)
		}
		r, o = refused()
		m.forward(m.terms.AnswerTime)
		if may(o) {
			t.Error("too late the buyer is told of the operator")
		}
		if err := second(m.Appeal(ctx, bob.ID, r.ID)); !errors.Is(err, shopclient.ErrRefundWindow) {
			t.Errorf("too late: %v", err)
		}
		if got := m.refundNow(r.ID).State; got != Refused {
			t.Errorf("it is %s, want refused", got)
		}
	})
}
