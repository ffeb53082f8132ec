package pay_test

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/pay"
	"jishi/pay/payclient"
)

// Wallets and payments are exact while statements and commits fail in every way that is
// known of servers, for callers that ask again with the same key or order.
func TestPaymentsUnderFaults(t *testing.T) {
	dbtest.UnderFaults(t, 1, func(t *testing.T, address string, way *dbtest.Faulty) {
		sound := newBench(t, dbtest.Open(t, address, pay.Migrate))
		way.Quiet(true)
		through := newBench(t, dbtest.Open(t, way.URL))
		way.Quiet(false)
		var buyers sync.WaitGroup
		for i := range 6 {
			user := authclient.UserID(fmt.Sprint("usr_", i))
			w := sound.wallet(t, user, 1000)
			buyers.Go(func() { tradeUnderFaults(t, through, sound, user, w.ID) })
		}
		buyers.Wait()
		sound.verify(t)
	})
}

// tradeUnderFaults tops up, and has orders paid of which some are called off at the same
// time; in the end there is exactly the money that the answers make.
func tradeUnderFaults(t *testing.T, through, sound *bench, user authclient.UserID, wallet pay.WalletID) {
	ctx := t.Context()
	merchant := pay.Caller{Merchant: "shop"}
	money := int64(1000)
	for n := range 12 {
		topUp, err := dbtest.Insist(func() (pay.TopUp, error) {
			return through.TopUp(ctx, user, pay.NewTopUp{Wallet: wallet, Amount: 100}, fmt.Sprint("key-", n))
		})
		if err != nil {
			t.Errorf("%s: top up: %v", user, err)
			return
		}
		if again, err := sound.TopUp(ctx, user, pay.NewTopUp{Wallet: wallet, Amount: 100}, fmt.Sprint("key-", n)); err != nil || again.ID != topUp.ID {
			t.Errorf("%s: the same top-up again: %s, %v, want %s", user, again.ID, err, topUp.ID)
		}
		money += 100

		asked := order(fmt.Sprint("ord-", user, "-", n), 150)
		var closing sync.WaitGroup
		if n%3 == 0 {
			closing.Go(func() {
				_, err := dbtest.Insist(func() (pay.Payment, error) { return through.CloseOrder(ctx, merchant, asked.Order) })
				if err != nil {
					t.Errorf("%s: close: %v", user, err)
				}
			})
		}
		_, err = dbtest.Insist(func() (pay.Payment, error) { return through.Charge(ctx, shop(user), asked) })
		closing.Wait()
		there, lookErr := sound.PaymentOf(ctx, merchant, asked.Order)
		if lookErr != nil {
			t.Errorf("%s: look: %v", user, lookErr)
			return
		}
		captured := there.State == payclient.Captured
		if captured {
			money -= 150
		}
		refused := errors.Is(err, payclient.ErrClosed) || errors.Is(err, payclient.ErrInsufficient)
		if captured != (err == nil) || (err != nil && !refused) {
			t.Errorf("%s: %s was answered with %v and is %s", user, asked.Order, err, there.State)
		}
	}
	if got := sound.balance(t, user, wallet); got != money {
		t.Errorf("%s has %d, want %d", user, got, money)
	}
}

// A deadlock takes the whole transaction back. What is written after it without a transaction
// stays: a payment that its payer turns out to have too little for would be without the job that
// ends it.
func TestAPaymentThatMeetsADeadlockStillEnds(t *testing.T) {
	address := dbtest.MariaDB(t)
	way := dbtest.NewFaulty(t, address, 0, 0)
	b := newBench(t, dbtest.Open(t, way.URL, pay.Migrate))
	w := b.wallet(t, alice, 100)
	_, err := b.Charge(t.Context(), shop(alice), order("order-1", 300))
	short, ok := payclient.ShortageOf(err)
	if !ok {
		t.Fatal(err)
	}
	way.Deadlock("UPDATE `payment_parties`")
	if _, err := b.Pay(t.Context(), alice, pay.PaymentID(short.Payment), w.ID); !errors.Is(err, payclient.ErrInsufficient) {
		t.Errorf("got %v, want %v", err, payclient.ErrInsufficient)
	}
	if n := way.Counts()["1213 deadlock"]; n != 1 {
		t.Errorf("there were %d deadlocks", n)
	}
	b.clock.pass(time.Hour)
	if err := b.CatchUp(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	// As they stand: to read one would end it.
	all, _, err := b.Payments(t.Context(), merchant, payclient.OrderRange{}, database.Page{})
	if err != nil || len(all) != 1 || all[0].State != payclient.Closed {
		t.Errorf("%+v, %v, want one that is closed", all, err)
	}
	b.verify(t)
}

// On a full disk a payment is refused and takes nothing; with room again it is made.
func TestPaymentOnAFullDisk(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), pay.Migrate)
	b := newBench(t, db)
	w := b.wallet(t, alice, 1_000_000)
	money := int64(1_000_000)
	full := 0
	for n := range 400 {
		dbtest.LimitPages(t, db, 0)
		o := order(fmt.Sprint("ord-", n), 100)
		_, err := b.Charge(t.Context(), shop(alice), o)
		if errors.Is(err, database.ErrFull) {
			full++
			if got := b.balance(t, alice, w.ID); got != money {
				t.Errorf("order %d: there are %d, want %d", n, got, money)
			}
			dbtest.LimitPages(t, db, -1)
			_, err = b.Charge(t.Context(), shop(alice), o)
		}
		if err != nil {
			t.Fatalf("order %d: %v", n, err)
		}
		money -= 100
	}
	if got := b.balance(t, alice, w.ID); got != money || full < 10 {
		t.Errorf("there are %d, want %d; the disk was full %d times", got, money, full)
	}
	b.verify(t)
}
