package shop

import (
	"context"
	"maps"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay/payclient"
	"jishi/shop/shoptest"
)

// changing are the shop's calls that change something. Each makes ready what it needs, in a
// market whose database is sound, and gives a call that can be repeated.
var changing = map[string]func(t *testing.T, m *market) func(m *market) error{
	"place order": func(t *testing.T, m *market) func(*market) error {
		in, key := items(m.product(5), 1), token()
		return func(m *market) error { return second(m.PlaceOrder(t.Context(), bob, in, key)) }
	},
	"pay": func(t *testing.T, m *market) func(*market) error {
		o := m.pending(m.product(5), 1)
		return func(m *market) error { return second(m.Pay(t.Context(), bob.ID, o.ID, "")) }
	},
	"ship": func(t *testing.T, m *market) func(*market) error {
		sh := m.shipmentsNow(m.bought(m.product(5)))[0]
		return func(m *market) error { return second(m.Ship(t.Context(), ann.ID, sh.ID, "SF", "SF1234")) }
	},
	"receive": func(t *testing.T, m *market) func(*market) error {
		sh := m.shipped(m.bought(m.product(5)))
		return func(m *market) error { return second(m.Receive(t.Context(), bob.ID, sh.ID)) }
	},
	"give back": func(t *testing.T, m *market) func(*market) error {
		sh := m.shipmentsNow(m.bought(m.product(5)))[0]
		return func(m *market) error { return second(m.GiveBack(t.Context(), ann.ID, sh.ID, "Sold out.")) }
	},
	"ask for a refund": func(t *testing.T, m *market) func(*market) error {
		sh, key := m.shipped(m.bought(m.product(5))), token()
		return func(m *market) error {
			return second(m.AskRefund(t.Context(), bob.ID, sh.ID, NewRefund{Reason: "It is broken."}, key))
		}
	},
	"grant": func(t *testing.T, m *market) func(*market) error {
		r := m.asked(m.shipped(m.bought(m.product(5))), nil)
		return func(m *market) error { return second(m.Grant(t.Context(), ann.ID, r.ID)) }
	},
	"refuse": func(t *testing.T, m *market) func(*market) error {
		r := m.asked(m.shipped(m.bought(m.product(5))), nil)
		return func(m *market) error { return second(m.Refuse(t.Context(), ann.ID, r.ID, "No.")) }
	},
	"appeal": func(t *testing.T, m *market) func(*market) error {
		r := m.refused(t)
		return func(m *market) error { return second(m.Appeal(t.Context(), bob.ID, r.ID)) }
	},
	"decide": func(t *testing.T, m *market) func(*market) error {
		r := m.refused(t)
		if err := second(m.Appeal(t.Context(), bob.ID, r.ID)); err != nil {
			t.Fatal(err)
		}
		return func(m *market) error { return second(m.Decide(t.Context(), olga.ID, r.ID, true, "Broken.")) }
	},
	"withdraw": func(t *testing.T, m *market) func(*market) error {
		r := m.asked(m.shipped(m.bought(m.product(5))), nil)
		return func(m *market) error { return second(m.Withdraw(t.Context(), bob.ID, r.ID)) }
	},
	"add product": func(t *testing.T, _ *market) func(*market) error {
		key := token()
		return func(m *market) error {
			return second(m.AddProduct(t.Context(), ann, NewProduct{Title: "Bowl", Price: "1.00", Stock: 5}, key))
		}
	},
	"change product": func(t *testing.T, m *market) func(*market) error {
		p, price := m.product(5), "13.00"
		return func(m *market) error {
			return second(m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Price: &price}, ""))
		}
	},
}

// leaving is a pay after whose Close something happens.
type leaving struct {
	*shoptest.Pay
	then func()
}

func (l leaving) Close(ctx context.Context, order string) (payclient.Payment, error) {
	defer l.then()
	return l.Pay.Close(ctx, order)
}

// An order whose payment was closed is not as it was, also where the shop couldn't write that
// down.
func TestTheDatabaseGoesAwayWhenAnOrderIsCanceled(t *testing.T) {
	address := dbtest.MariaDB(t)
	sound := newMarket(t, dbtest.Open(t, address, Migrate))
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := newReplica(t, dbtest.Open(t, way.URL), sound.pay)
	leave := map[string]func(){
		"in the commit, not done": func() { way.GoAway(1, dbtest.NotDone) },
		"in the commit, but done": func() { way.GoAway(1, dbtest.Unheard) },
		"before the commit":       func() { way.GoAway(0, dbtest.NotDone) },
	}
	for how, leave := range leave {
		o := sound.pending(sound.product(5), 1)
		through.payments = leaving{sound.pay, leave}
		if _, err := through.Cancel(t.Context(), bob.ID, o.ID); err == nil || fault.Of(err).Kind != fault.Unknown {
			t.Errorf("%s: %v", how, err)
		}
		way.Return()
		through.payments = sound.pay
		if now, err := through.Cancel(t.Context(), bob.ID, o.ID); err != nil || now.State != Canceled {
			t.Errorf("%s: again: %s, %v", how, now.State, err)
		}
	}
	sound.check()
}

// refused is a refund that Bob has asked for and Ann has refused.
func (m *market) refused(t *testing.T) Refund {
	t.Helper()
	r := m.asked(m.shipped(m.bought(m.product(5))), nil)
	if err := second(m.Refuse(t.Context(), ann.ID, r.ID, "No.")); err != nil {
		t.Fatal(err)
	}
	return r
}

// Where the database goes away in or after any COMMIT of a call, and stays away, the answer
// is never that nothing has changed if something has; and the same call again, when it is
// back, gives the result.
func TestTheDatabaseGoesAwayAfterACommit(t *testing.T) {
	address := dbtest.MariaDB(t)
	db := dbtest.Open(t, address, Migrate)
	sound := newMarket(t, db)
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := newReplica(t, dbtest.Open(t, way.URL), sound.pay)
	for name, ready := range changing {
		for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard, dbtest.Answered} {
			for n, reached := 1, true; reached; n++ {
				ask := ready(t, sound)
				before := dbtest.Contents(t, db)
				way.GoAway(n, how)
				err := ask(through)
				reached = way.Return()
				changed := !maps.Equal(before, dbtest.Contents(t, db))
				if !reached && err != nil || err != nil && fault.Of(err).Kind != fault.Unknown && (fault.Of(err).Kind != fault.Busy || changed) {
					t.Errorf("%s, commit %d %s, changed %t: %v", name, n, how, changed, err)
				}
				if err := ask(through); err != nil {
					t.Errorf("%s, commit %d %s: again: %v", name, n, how, err)
				}
			}
		}
	}
	sound.check()
}
