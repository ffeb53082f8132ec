package pay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/pay"
	"jishi/pay/payclient"
)

// captured is a payment of two shares of 100 whose money was taken.
func (b *bench) captured(t testing.TB, order string) pay.Payment {
	t.Helper()
	b.wallet(t, alice, 200)
	wallets, err := b.Purse(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Charge(t.Context(), shop(alice), pay.NewPayment{
		Order: order, Wallet: wallets.Wallets[len(wallets.Wallets)-1].ID, Parties: []pay.Party{{"usr_bob", 100}, {"usr_carol", 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// held is an authorized payment of those shares.
func (b *bench) held(t testing.TB, order string) (pay.Payment, pay.Wallet) {
	t.Helper()
	w := b.wallet(t, alice, 200)
	p, err := b.Charge(t.Context(), shop(alice), pay.NewPayment{
		Order: order, Wallet: w.ID, Hold: true, Parties: []pay.Party{{"usr_bob", 100}, {"usr_carol", 100}},
	})
	if err != nil || p.State != payclient.Authorized || p.Authorized.Minor != 200 || p.Captured.Minor != 0 || !p.SettledAt.IsZero() {
		t.Fatalf("%+v, %v", p, err)
	}
	return p, w
}

func (b *bench) available(t testing.TB, user authclient.UserID, id pay.WalletID) int64 {
	t.Helper()
	w, err := b.Wallet(t.Context(), user, id)
	if err != nil {
		t.Fatal(err)
	}
	return w.Available.Minor
}

// What its payer has agreed to is held until the merchant says otherwise: the payer can't
// lift it, by whichever client.
func TestThePayerCantLiftAHold(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p, w := b.held(t, "ord_1")
		for _, payer := range []pay.Caller{shop(alice), {User: alice, Merchant: "cli"}} {
			if _, err := b.Close(t.Context(), payer, p.ID); !errors.Is(err, payclient.ErrHeld) {
				t.Errorf("%s closes: %v", payer.Merchant, err)
			}
		}
		if _, err := b.CloseOrder(t.Context(), shop(alice), "ord_1"); !errors.Is(err, payclient.ErrHeld) {
			t.Errorf("closes by order: %v", err)
		}
		if got := b.available(t, alice, w.ID); got != 0 {
			t.Errorf("%d are available", got)
		}
		if p, err := b.Capture(t.Context(), merchant, p.ID, nil); err != nil || p.State != payclient.Captured {
			t.Errorf("captured: %+v, %v", p, err)
		}
		if p, err := b.Close(t.Context(), shop(alice), p.ID); err != nil || p.State != payclient.Captured {
			t.Errorf("closed after that: %+v, %v", p, err)
		}
	})
}

// Refunds and releases of one share that come together take what there is, and nothing of
// another share.
func TestRefundsAndReleasesRaceForAShare(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := b.captured(t, "ord_1")
		var fromEscrow atomic.Int64
		race(t, 30, func(i int) error {
			if i%2 == 0 {
				r, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: fmt.Sprint("r", i), Payee: "usr_bob", Amount: 10})
				if r.From == payclient.FromEscrow {
					fromEscrow.Add(1)
				}
				return err
			}
			r, err := b.Release(t.Context(), merchant, p.ID, pay.NewRelease{ID: fmt.Sprint("r", i), Payee: "usr_bob", Amount: 10})
			if r.ID != "" {
				fromEscrow.Add(1)
			}
			return err
		}, payclient.ErrTooMuch, database.ErrBusy)
		p, err := b.Payment(t.Context(), merchant, p.ID)
		if err != nil || p.Shares[0].Refunded+p.Shares[0].Released != 10*fromEscrow.Load() || fromEscrow.Load() > 10 || p.Shares[1].Refunded+p.Shares[1].Released != 0 {
			t.Errorf("%d out of escrow: %+v, %v", fromEscrow.Load(), p, err)
		}
	})
}

// A refund or release that is asked for thirty times at once is done once, and everybody
// gets it; the same id with other content is refused.
func TestTheSameRefundAndReleaseAreDoneOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := b.captured(t, "ord_1")
		race(t, 30, func(i int) error {
			if i%2 == 0 {
				r, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "one", Payee: "usr_bob", Reason: "broken", Amount: 10})
				if err == nil && (r.Amount.Minor != 10 || r.From != payclient.FromEscrow || r.Order != "ord_1") {
					return fmt.Errorf("%+v", r)
				}
				return err
			}
			r, err := b.Release(t.Context(), merchant, p.ID, pay.NewRelease{ID: "one", Payee: "usr_carol"})
			if err == nil && (r.Amount.Minor != 100 || r.Net.Minor != 100 || r.Wallet == "") {
				return fmt.Errorf("%+v", r)
			}
			return err
		})
		if got, err := b.Payment(t.Context(), merchant, p.ID); err != nil || got.Refunded.Minor != 10 || got.Released.Minor != 100 {
			t.Errorf("%+v, %v", got, err)
		}
		for _, in := range []pay.NewRefund{{ID: "one", Payee: "usr_carol", Reason: "broken"}, {ID: "one", Payee: "usr_bob"}, {ID: "one", Payee: "usr_bob", Reason: "broken", Amount: 99}, {ID: "one", Payee: "usr_bob", Reason: "broken"}} {
			if _, err := b.Refund(t.Context(), merchant, p.ID, in); !errors.Is(err, payclient.ErrMismatch) {
				t.Errorf("%+v: %v", in, err)
			}
		}
		for _, amount := range []int64{99, 100} { // also what "all" came to
			if _, err := b.Release(t.Context(), merchant, p.ID, pay.NewRelease{ID: "one", Payee: "usr_carol", Amount: amount}); !errors.Is(err, payclient.ErrMismatch) {
				t.Errorf("another release: %v", err)
			}
		}
	})
}

// Of many first sales at once one makes the payee's wallet, which is the default one, and
// all of them go there.
func TestTheFirstSaleMakesAWallet(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const hands, sellers = 8, 6
		var parties []pay.Party
		for i := range sellers {
			parties = append(parties, pay.Party{Payee: fmt.Sprint("usr_seller_", i), Amount: 100})
		}
		b.wallet(t, alice, hands*sellers*100)
		var payments []pay.Payment
		for i := range hands {
			p, err := b.Charge(t.Context(), shop(alice), pay.NewPayment{Order: fmt.Sprint("ord_", i), Parties: parties})
			if err != nil {
				t.Fatal(err)
			}
			payments = append(payments, p)
		}
		for _, seller := range parties {
			race(t, hands, func(i int) error {
				_, err := b.Release(t.Context(), merchant, payments[i].ID, pay.NewRelease{ID: seller.Payee, Payee: seller.Payee})
				return err
			})
			purse, err := b.Purse(t.Context(), authclient.UserID(seller.Payee))
			if err != nil || len(purse.Wallets) != 1 || !purse.Wallets[0].Default || purse.Total.Minor != hands*100 {
				t.Errorf("%+v, %v", purse, err)
			}
		}
	})
}

// What was released comes back out of the wallet that got it, as long as there is enough
// in it; the fee stays with the market.
func TestARefundAfterTheRelease(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.config.Fee = 250
		b.Service = pay.New(b.config)
		p := b.captured(t, "ord_1")
		for i, fee := range map[int64]int64{39: 0, 41: 1} {
			r, err := b.Release(t.Context(), merchant, p.ID, pay.NewRelease{ID: fmt.Sprint(i), Payee: "usr_bob", Amount: i})
			if err != nil || r.Fee.Minor != fee || r.Net.Minor != i-fee {
				t.Errorf("%+v, %v", r, err)
			}
		}
		if _, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "too-much", Payee: "usr_bob", Amount: 21}); !errors.Is(err, payclient.ErrTooMuch) || fault.Of(err).Extra["left"] == nil {
			t.Errorf("more than is in escrow: %v", err)
		}
		if r, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "rest", Payee: "usr_bob"}); err != nil || r.Amount.Minor != 20 || r.From != payclient.FromEscrow {
			t.Errorf("the rest of escrow: %+v, %v", r, err)
		}
		if _, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "all", Payee: "usr_bob"}); !errors.Is(err, payclient.ErrPayeeShort) {
			t.Errorf("80 of 79: %v", err)
		}
		r, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "all", Payee: "usr_bob", Amount: 79})
		if err != nil || r.From != payclient.FromPayee {
			t.Errorf("all that is there: %+v, %v", r, err)
		}
		if p, err = b.Payment(t.Context(), merchant, p.ID); err != nil || p.Refunded.Minor != 99 || p.Released.Minor != 1 || b.balance(t, alice, p.Wallet) != 99 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// A hold is given back when its payment is closed, when its time is over, and as far as it
// isn't captured.
func TestAHoldEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			do                  func(p pay.Payment) error
			state               string
			balance, afterwards int64
		}{
			"captured whole": {func(p pay.Payment) error { _, err := b.Capture(t.Context(), merchant, p.ID, nil); return err }, payclient.Captured, 0, 0},
			"captured in part": {func(p pay.Payment) error {
				_, err := b.Capture(t.Context(), merchant, p.ID, []pay.Party{{"usr_carol", 70}})
				return err
			}, payclient.Captured, 130, 130},
			"closed":                  {func(p pay.Payment) error { _, err := b.Close(t.Context(), merchant, p.ID); return err }, payclient.Closed, 200, 200},
			"too late, and looked at": {func(pay.Payment) error { b.clock.pass(time.Hour); return nil }, payclient.Closed, 200, 200},
			"too late, and nobody asks": {func(pay.Payment) error {
				b.clock.pass(time.Hour)
				return b.CatchUp(t.Context(), slog.New(slog.DiscardHandler))
			}, payclient.Closed, 200, 200},
		} {
			p, w := b.held(t, "ord_"+strings.ReplaceAll(name, " ", "_"))
			if has, can := b.balance(t, alice, w.ID), b.available(t, alice, w.ID); has != 200 || can != 0 {
				t.Errorf("held: %d, %d available", has, can)
			}
			if err := c.do(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if name == "too late, and nobody asks" && b.available(t, alice, w.ID) != 200 {
				t.Error("the job didn't give it back")
			}
			got, err := b.Payment(t.Context(), merchant, p.ID)
			if err != nil || got.State != c.state || b.balance(t, alice, w.ID) != c.balance || b.available(t, alice, w.ID) != c.afterwards {
				t.Errorf("%s: %+v, %v; %d, %d available", name, got, err, b.balance(t, alice, w.ID), b.available(t, alice, w.ID))
			}
		}
	})
}

// What was read is as old as its reading: a payment that is closed meanwhile is not
// captured, and one that is captured not closed.
func TestCapturesRace(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p, w := b.held(t, "ord_1")
		race(t, 20, func(i int) error {
			_, err := b.Capture(t.Context(), merchant, p.ID, []pay.Party{{"usr_bob", int64(1 + i%4)}})
			return err
		}, payclient.ErrMismatch)
		got, err := b.Payment(t.Context(), merchant, p.ID)
		if err != nil || got.State != payclient.Captured || got.Captured.Minor > 4 || b.balance(t, alice, w.ID) != 200-got.Captured.Minor || b.available(t, alice, w.ID) != 200-got.Captured.Minor {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Only the merchant on its own behalf captures, refunds and releases.
func TestWhoMaySettle(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := b.captured(t, "ord_1")
		for name, c := range map[string]struct {
			caller pay.Caller
			want   error
		}{
			"the payer":               {shop(alice), fault.ErrForbidden},
			"the payee":               {shop(bob), fault.ErrForbidden},
			"another merchant":        {pay.Caller{Merchant: "other"}, payclient.ErrNoPayment},
			"nobody":                  {pay.Caller{}, payclient.ErrNoPayment},
			"a user of no merchant's": {pay.Caller{User: alice}, fault.ErrForbidden},
		} {
			_, err1 := b.Capture(t.Context(), c.caller, p.ID, nil)
			_, err2 := b.Refund(t.Context(), c.caller, p.ID, pay.NewRefund{ID: "r", Payee: "usr_bob"})
			_, err3 := b.Release(t.Context(), c.caller, p.ID, pay.NewRelease{ID: "r", Payee: "usr_bob"})
			_, _, err4 := b.Refunds(t.Context(), c.caller, p.ID, database.Page{})
			_, _, err5 := b.Releases(t.Context(), c.caller, p.ID, database.Page{})
			for i, err := range []error{err1, err2, err3, err4, err5} {
				if !errors.Is(err, c.want) {
					t.Errorf("%s, %d: %v", name, i+1, err)
				}
			}
		}
	})
}

func TestWhatIsAskedOfSharesIsChecked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p := b.captured(t, "ord_1")
		_, err := b.Charge(t.Context(), shop(carol), order("ord_2", 300))
		open, _ := payclient.ShortageOf(err)
		for name, c := range map[string]struct {
			payment pay.PaymentID
			in      pay.NewRefund
			want    error
		}{
			"no id":             {p.ID, pay.NewRefund{Payee: "usr_bob"}, payclient.ErrReference},
			"an id of 65":       {p.ID, pay.NewRefund{ID: strings.Repeat("x", 65), Payee: "usr_bob"}, payclient.ErrReference},
			"a negative amount": {p.ID, pay.NewRefund{ID: "r", Payee: "usr_bob", Amount: -1}, payclient.ErrAmount},
			"a long reason":     {p.ID, pay.NewRefund{ID: "r", Payee: "usr_bob", Reason: strings.Repeat("因", 201)}, payclient.ErrReason},
			"nobody's share":    {p.ID, pay.NewRefund{ID: "r", Payee: "usr_x"}, payclient.ErrNoParty},
			"too much":          {p.ID, pay.NewRefund{ID: "r", Payee: "usr_bob", Amount: 101}, payclient.ErrTooMuch},
			"no payment":        {"pay_x", pay.NewRefund{ID: "r", Payee: "usr_bob"}, payclient.ErrNoPayment},
			"nothing taken yet": {pay.PaymentID(open.Payment), pay.NewRefund{ID: "r", Payee: "usr_seller"}, payclient.ErrNotCaptured},
		} {
			if _, err := b.Refund(t.Context(), merchant, c.payment, c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for i := range 3 {
			if _, err := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: fmt.Sprint("r", i), Payee: "usr_bob", Amount: int64(i + 1), Reason: " ok "}); err != nil {
				t.Fatal(err)
			}
		}
		first, next, err1 := b.Refunds(t.Context(), merchant, p.ID, database.Page{Limit: 2})
		rest, end, err2 := b.Refunds(t.Context(), merchant, p.ID, database.Page{Limit: 2, Cursor: next})
		if err := errors.Join(err1, err2); err != nil || len(first) != 2 || first[0].ID != "r2" || first[0].Reason != "ok" || len(rest) != 1 || rest[0].Amount.Minor != 1 || end != "" {
			t.Errorf("%+v, %+v, %v", first, rest, err)
		}
	})
}

// Payer and payee find in their statements what happened, in order.
func TestStatementsTellTheWholeStory(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.config.Fee = 1000
		b.Service = pay.New(b.config)
		kept, w := b.held(t, "ord_1")
		_, err1 := b.Close(t.Context(), merchant, kept.ID)
		in := pay.NewPayment{Order: "ord_2", Wallet: w.ID, Hold: true, Parties: []pay.Party{{"usr_bob", 100}}}
		p, err2 := b.Charge(t.Context(), shop(alice), in)
		_, err3 := b.Capture(t.Context(), merchant, p.ID, nil)
		_, err4 := b.Release(t.Context(), merchant, p.ID, pay.NewRelease{ID: "r", Payee: "usr_bob"})
		_, err5 := b.Refund(t.Context(), merchant, p.ID, pay.NewRefund{ID: "r", Payee: "usr_bob", Amount: 50})
		if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
			t.Fatal(err)
		}
		story := func(user authclient.UserID, wallet pay.WalletID) (told []string) {
			s, err := b.Statement(t.Context(), user, wallet, database.Page{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range slices.Backward(s.Entries) {
				told = append(told, fmt.Sprintf("%s %s %d %d %d %d", e.Kind, e.Order, e.Amount.Minor, e.Reserved.Minor, e.Balance.Minor, e.Held.Minor))
			}
			return told
		}
		want := []string{"topup  200 0 200 0", "hold ord_1 0 200 200 200", "void ord_1 0 200 200 0", "hold ord_2 0 100 200 100", "payment ord_2 -100 0 100 0", "refund ord_2 50 0 150 0"}
		if got := story(alice, w.ID); !slices.Equal(got, want) {
			t.Errorf("the payer's: %q", got)
		}
		purse, err := b.Purse(t.Context(), bob)
		if err != nil {
			t.Fatal(err)
		}
		want = []string{"sale ord_2 100 0 100 0", "fee ord_2 -10 0 90 0", "refund ord_2 -50 0 40 0"}
		if got := story(bob, purse.Wallets[0].ID); !slices.Equal(got, want) {
			t.Errorf("the payee's: %q", got)
		}
	})
}

// A minute passes whenever pay looks at the clock, so for some payment time is over after it
// was seen to be open, and before it is taken.
func TestTimePassesWhileAPaymentIsTaken(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 0)
		rich := b.wallet(t, alice, 1000)
		c := b.config
		c.Now = func() time.Time {
			b.clock.pass(time.Minute)
			return b.clock.now()
		}
		ticking := pay.New(c)
		ends := map[string]int{}
		for n := range 10 {
			in := order(fmt.Sprint("ord_", n), 100)
			in.ExpiresAt = b.clock.now().Add(time.Duration(n+1) * time.Minute)
			_, err := b.Charge(t.Context(), shop(alice), in)
			short, _ := payclient.ShortageOf(err)
			p, err := ticking.Pay(t.Context(), alice, pay.PaymentID(short.Payment), rich.ID)
			if err != nil && !errors.Is(err, payclient.ErrExpired) {
				t.Errorf("%d: %v", n, err)
			}
			if err == nil && !p.SettledAt.Before(p.ExpiresAt) {
				t.Errorf("%d: taken at %s, although its time was over at %s", n, p.SettledAt, p.ExpiresAt)
			}
			if now, err := b.Payment(t.Context(), shop(alice), p.ID); p.ID != "" && (err != nil || !now.SettledAt.Equal(p.SettledAt)) {
				t.Errorf("%d: taken at %s, and later at %s, %v", n, p.SettledAt, now.SettledAt, err)
			}
			ends[p.State]++
		}
		if len(ends) != 2 {
			t.Errorf("ends: %v, want some in time and some too late", ends)
		}
	})
}

// The clock steps back after a payment's job was claimed and before pay looks at it, so that its
// time isn't over any more: the job comes back when it is.
func TestTheClockStepsBackWhileAPaymentEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		p, w := b.held(t, "order-1")
		var step sync.Once
		c := b.config
		c.Now = func() time.Time {
			step.Do(func() { b.clock.pass(-time.Hour) })
			return b.clock.now()
		}
		s, quiet := pay.New(c), slog.New(slog.DiscardHandler)
		b.clock.pass(time.Hour)
		if err := s.CatchUp(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
		left, err := c.Jobs.List(t.Context(), job.Waiting)
		if err != nil || len(left) != 1 || left[0].Key != string(p.ID) || !left[0].At.Equal(p.ExpiresAt) {
			t.Errorf("jobs are left: %v, %v, want one that ends %s at %s", left, err, p.ID, p.ExpiresAt)
		}
		if got := b.available(t, alice, w.ID); got != 0 {
			t.Errorf("%d are available before the payment's time is over", got)
		}
		b.clock.pass(p.ExpiresAt.Sub(b.clock.now()))
		if err := s.CatchUp(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
		if got := b.available(t, alice, w.ID); got != 200 {
			t.Errorf("%d are available after it, want 200", got)
		}
	})
}

// Where nobody works, or who did has died, a payment that is past its deadline is no violation: it
// ends when somebody does. One without a job would stay, whatever else is overdue.
func TestAPaymentThatNobodyWillEndIsReported(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		with, _ := b.held(t, "order-1")
		without, _ := b.held(t, "order-2")
		late := func() (ids []string) {
			_, err := b.Check(t.Context(), func(invariant, id, found string) {
				if invariant != pay.NothingLate {
					t.Errorf("%s: %s: %s", invariant, id, found)
				}
				ids = append(ids, id)
			})
			if err != nil {
				t.Error(err)
			}
			return ids
		}
		b.clock.pass(with.ExpiresAt.Sub(b.clock.now()))
		dies := func(context.Context, job.Job) error {
			if b.clock.pass(90 * time.Second); len(late()) > 0 {
				t.Errorf("reported while its job is leased: %v", late())
			}
			return job.Later(b.clock.now().Add(time.Hour))
		}
		n, err := b.config.Jobs.Drain(t.Context(), slog.New(slog.DiscardHandler), map[string]job.Handler{"pay.expire": dies})
		if err != nil || n != 2 {
			t.Errorf("%d runs, %v; want 2", n, err)
		}
		b.clock.pass(31 * 24 * time.Hour)
		if got := late(); len(got) > 0 {
			t.Errorf("reported while nobody works: %v", got)
		}
		err = b.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			return b.config.Jobs.Remove(ctx, tx, "pay.expire", string(without.ID))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := late(); !slices.Equal(got, []string{string(without.ID)}) {
			t.Errorf("reported are %v, want %s, and not %s", got, without.ID, with.ID)
		}
		if _, err := b.Payment(t.Context(), shop(alice), without.ID); err != nil { // whoever reads it ends it
			t.Error(err)
		}
	})
}
