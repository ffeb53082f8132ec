package pay_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay"
	"jishi/pay/payclient"
)

// changes are pay's calls that change something. Each makes ready what it needs, on a bench
// whose database is sound, and gives a call that can be repeated.
var changes = []struct {
	name  string
	ready func(t *testing.T, b *bench, user authclient.UserID, order string) func(b *bench) error
}{
	{"open wallet", func(t *testing.T, _ *bench, user authclient.UserID, _ string) func(*bench) error {
		return func(b *bench) error { return second(b.OpenWallet(t.Context(), user, pay.NewWallet{TopUp: 100}, "key")) }
	}},
	{"change wallet", func(t *testing.T, b *bench, user authclient.UserID, _ string) func(*bench) error {
		w, name := b.wallet(t, user, 100), "savings"
		return func(b *bench) error {
			return second(b.ChangeWallet(t.Context(), user, w.ID, pay.WalletChange{Name: &name}))
		}
	}},
	{"top up", func(t *testing.T, b *bench, user authclient.UserID, _ string) func(*bench) error {
		w := b.wallet(t, user, 100)
		return func(b *bench) error {
			return second(b.TopUp(t.Context(), user, pay.NewTopUp{Wallet: w.ID, Amount: 100}, "key"))
		}
	}},
	{"charge", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		b.wallet(t, user, 100)
		return func(b *bench) error { return second(b.Charge(t.Context(), shop(user), order(id, 100))) }
	}},
	{"charge without money", func(t *testing.T, _ *bench, user authclient.UserID, id string) func(*bench) error {
		return func(b *bench) error {
			err := second(b.Charge(t.Context(), shop(user), order(id, 100)))
			if errors.Is(err, payclient.ErrNoWallet) {
				return nil
			}
			return err
		}
	}},
	{"charge again", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		b.unpaid(t, user, id)
		return func(b *bench) error { return second(b.Charge(t.Context(), shop(user), order(id, 100))) }
	}},
	{"pay", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.unpaid(t, user, id)
		return func(b *bench) error { return second(b.Pay(t.Context(), user, p, "")) }
	}},
	{"capture", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.taken(t, user, id, true)
		return func(b *bench) error { return second(b.Capture(t.Context(), merchant, p, nil)) }
	}},
	{"close", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.taken(t, user, id, true)
		return func(b *bench) error { return second(b.Close(t.Context(), merchant, p)) }
	}},
	{"close an order", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		b.unpaid(t, user, id)
		return func(b *bench) error { return second(b.CloseOrder(t.Context(), merchant, id)) }
	}},
	{"close an order that was never asked for", func(t *testing.T, _ *bench, _ authclient.UserID, id string) func(*bench) error {
		return func(b *bench) error { return second(b.CloseOrder(t.Context(), merchant, id)) }
	}},
	{"refund", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.taken(t, user, id, false)
		return func(b *bench) error {
			return second(b.Refund(t.Context(), merchant, p, pay.NewRefund{ID: "r", Payee: "usr_seller"}))
		}
	}},
	{"release", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.taken(t, user, id, false)
		return func(b *bench) error {
			return second(b.Release(t.Context(), merchant, p, pay.NewRelease{ID: "r", Payee: "usr_seller"}))
		}
	}},
	{"create webhook", func(t *testing.T, _ *bench, user authclient.UserID, _ string) func(*bench) error {
		return func(b *bench) error {
			return second(b.CreateWebhook(t.Context(), pay.Caller{Merchant: string(user)}, "https://shop.example/hook", "key"))
		}
	}},
	{"rotate webhook", func(t *testing.T, b *bench, user authclient.UserID, _ string) func(*bench) error {
		caller := pay.Caller{Merchant: string(user)}
		w, err := b.CreateWebhook(t.Context(), caller, "https://shop.example/hook", "")
		if err != nil {
			t.Fatal(err)
		}
		return func(b *bench) error { return second(b.RotateWebhook(t.Context(), caller, w.ID, "key")) }
	}},
	{"look at a payment whose time is over", func(t *testing.T, b *bench, user authclient.UserID, id string) func(*bench) error {
		p := b.taken(t, user, id, true)
		return func(b *bench) error {
			b.clock.pass(time.Hour)
			return second(b.Payment(t.Context(), merchant, p))
		}
	}},
}

func second[T any](_ T, err error) error { return err }

// unpaid is an open payment of 100, for which there is money by now.
func (b *bench) unpaid(t *testing.T, user authclient.UserID, id string) pay.PaymentID {
	t.Helper()
	_, err := b.Charge(t.Context(), shop(user), order(id, 100))
	s, ok := payclient.ShortageOf(err)
	if !ok {
		t.Fatal(err)
	}
	b.wallet(t, user, 100)
	return pay.PaymentID(s.Payment)
}

// taken is a payment of 100 that is captured, or held.
func (b *bench) taken(t *testing.T, user authclient.UserID, id string, hold bool) pay.PaymentID {
	t.Helper()
	b.wallet(t, user, 100)
	in := order(id, 100)
	in.Hold = hold
	p, err := b.Charge(t.Context(), shop(user), in)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

// Where the database goes away in or after any COMMIT of a call, and stays away, the answer
// is never that nothing has changed if something has; and the same call again, when it is
// back, gives the result.
func TestTheDatabaseGoesAwayAfterACommit(t *testing.T) {
	address := dbtest.MariaDB(t)
	db := dbtest.Open(t, address, pay.Migrate)
	sound := newBench(t, db)
	way := dbtest.NewFaulty(t, address, 0, 0)
	through := newBench(t, dbtest.Open(t, way.URL))
	sound.told()
	through.told()
	cases := 0
	for _, c := range changes {
		for _, how := range []dbtest.Leave{dbtest.NotDone, dbtest.Unheard, dbtest.Answered} {
			for n, reached := 1, true; reached; n++ {
				cases++
				ask := c.ready(t, sound, authclient.UserID(fmt.Sprint("usr_", cases)), fmt.Sprint("ord_", cases))
				before := dbtest.Contents(t, db)
				way.GoAway(n, how)
				err := ask(through)
				reached = way.Return()
				changed := !maps.Equal(before, dbtest.Contents(t, db))
				kind := fault.Internal
				if err != nil {
					kind = fault.Of(err).Kind
				}
				switch {
				case !reached && err != nil:
					t.Errorf("%s: %v", c.name, err)
				case err != nil && kind != fault.Unknown && (kind != fault.Busy || changed):
					t.Errorf("%s, commit %d %s, changed %t: %v", c.name, n, how, changed, err)
				}
				if err := ask(through); err != nil {
					t.Errorf("%s, commit %d %s: again: %v", c.name, n, how, err)
				}
			}
		}
	}
	t.Logf("%d cases", cases)
	sound.verify(t)
}
