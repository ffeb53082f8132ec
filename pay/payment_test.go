package pay_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"jishi/kit/fault"
	"jishi/pay"
	"jishi/pay/payclient"
)

func TestAPaymentIsCapturedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 1000)
		in := pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{"usr_z", 100}, {"usr_a", 200}}}
		p, err := b.Charge(t.Context(), shop(alice), in)
		if err != nil {
			t.Fatal(err)
		}
		if p.State != payclient.Captured || p.Amount.Minor != 300 || p.Captured.Minor != 300 || p.Wallet != w.ID ||
			p.Merchant != "shop" || p.Payer != alice || p.ReturnURL != "http://shop.test/orders/ord_1/return" {
			t.Errorf("%+v", p)
		}
		again, err := b.Charge(t.Context(), shop(alice), pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{"usr_a", 200}, {"usr_z", 100}}})
		if err != nil || again.ID != p.ID || b.balance(t, alice, w.ID) != 700 {
			t.Errorf("again: %+v, %v", again, err)
		}
	})
}

// Fifty captures of one payment, some by the merchant and some at the cashier, take the
// money once.
func TestFiftyCapturesTakeTheMoneyOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		s, _ := payclient.ShortageOf(err)
		wallets := []pay.Wallet{b.wallet(t, alice, 1000), b.wallet(t, alice, 1000)}
		won := race(t, 50, func(i int) error {
			w := wallets[i%2].ID
			var p pay.Payment
			var err error
			if i%4 < 2 {
				p, err = b.Pay(t.Context(), alice, pay.PaymentID(s.Payment), w)
			} else {
				in := order("ord_1", 300)
				in.Wallet = w
				p, err = b.Charge(t.Context(), shop(alice), in)
			}
			if err == nil && p.State != payclient.Captured {
				return fmt.Errorf("state %s", p.State)
			}
			return err
		})
		left := b.balance(t, alice, wallets[0].ID) + b.balance(t, alice, wallets[1].ID)
		if won != 50 || left != 1700 {
			t.Errorf("%d answers, %d left; want 50 and 1700", won, left)
		}
	})
}

func TestANewOrderIsChargedOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 10_000)
		for i := range 5 {
			charge := func(int) error {
				_, err := b.Charge(t.Context(), shop(alice), order(fmt.Sprintf("ord_%d", i), 100))
				return err
			}
			race(t, 10, charge)
			race(t, 10, charge) // none of which can be with the first in a batch
		}
		if got := b.balance(t, alice, w.ID); got != 9500 {
			t.Errorf("balance %d, want 9500", got)
		}
	})
}

// However many ask for one order at once, each is written once: those that meet another one
// find its payment, and don't wait for a transaction each.
func TestManyChargesOfOneOrderShareTransactions(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const n = 200
		w := b.wallet(t, alice, 1000)
		var transactions, places atomic.Int64
		b.config.Observe = func(size int, _, _ time.Duration) {
			transactions.Add(1)
			places.Add(int64(size))
		}
		b.Service = pay.New(b.config)
		race(t, n, func(int) error {
			_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 100))
			return err
		})
		t.Logf("%d transactions", transactions.Load())
		if got := b.balance(t, alice, w.ID); got != 900 || places.Load() != n {
			t.Errorf("%d left, %d places in %d transactions", got, places.Load(), transactions.Load())
		}
	})
}

// Who meets a charge that is refused without leaving a payment comes after it.
func TestAChargeThatMeetsARefusedOneIsMade(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		won := race(t, 50, func(i int) error {
			in := order("ord_1", 100)
			if i > 0 {
				in.Wallet = "wal_none"
			}
			_, err := b.Charge(t.Context(), shop(alice), in)
			return err
		}, payclient.ErrNotFound)
		if won != 1 {
			t.Errorf("%d were made, want the one with a wallet", won)
		}
	})
}

func TestTwoPaymentsRaceForTheLastMoney(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for i := range 10 {
			w := b.wallet(t, alice, 100)
			won := race(t, 2, func(k int) error {
				in := order(fmt.Sprintf("ord_%d_%d", i, k), 80)
				in.Wallet = w.ID
				_, err := b.Charge(t.Context(), shop(alice), in)
				return err
			}, payclient.ErrInsufficient)
			if got := b.balance(t, alice, w.ID); won != 1 || got != 20 {
				t.Fatalf("%d winners, %d left", won, got)
			}
		}
	})
}

func TestCloseRacesCharge(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 100_000)
		captured := 0
		for i := range 20 {
			id := fmt.Sprintf("ord_%d", i)
			var closed pay.Payment
			var chargeErr error
			race(t, 2, func(k int) error {
				var err error
				if k == 0 {
					closed, err = b.CloseOrder(t.Context(), pay.Caller{Merchant: "shop"}, id)
					return err
				}
				_, chargeErr = b.Charge(t.Context(), shop(alice), order(id, 100))
				return chargeErr
			}, payclient.ErrClosed)
			final, err := b.PaymentOf(t.Context(), pay.Caller{Merchant: "shop"}, id)
			if err != nil {
				t.Fatal(err)
			}
			if (chargeErr == nil) != (final.State == payclient.Captured) || closed.State != final.State {
				t.Errorf("%s: charge %v, close says %s, it is %s", id, chargeErr, closed.State, final.State)
			}
			if final.State == payclient.Captured {
				captured++
			}
		}
		if got := b.balance(t, alice, w.ID); got != 100_000-100*int64(captured) {
			t.Errorf("%d captured, balance %d", captured, got)
		}
	})
}

// An open payment that is closed and paid at the same time ends as one of the two.
func TestCloseRacesPay(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 10)
		for i := range 20 {
			id := fmt.Sprintf("ord_%d", i)
			_, err := b.Charge(t.Context(), shop(alice), order(id, 100))
			short, ok := payclient.ShortageOf(err)
			if !ok {
				t.Fatal(err)
			}
			if _, err := b.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 100}, ""); err != nil {
				t.Fatal(err)
			}
			var state string
			won := race(t, 2, func(k int) error {
				if k == 1 {
					_, err := b.Pay(t.Context(), alice, pay.PaymentID(short.Payment), w.ID)
					return err
				}
				p, err := b.Close(t.Context(), pay.Caller{Merchant: "shop"}, pay.PaymentID(short.Payment))
				state = p.State
				return err
			}, payclient.ErrClosed)
			if (won == 2) != (state == payclient.Captured) {
				t.Errorf("close says %s, %d succeeded", state, won)
			}
			if state == payclient.Closed { // take the money away again
				if _, err := b.Charge(t.Context(), shop(alice), order(id+"_rest", 100)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := b.balance(t, alice, w.ID); got != 10 {
			t.Errorf("balance %d, want 10", got)
		}
	})
}

func TestARefusalLeavesItPayable(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		none, ok := payclient.ShortageOf(err)
		if !errors.Is(err, payclient.ErrNoWallet) || !ok || none.Missing.Minor != 300 || none.CheckoutURL != "http://pay.test/pay/checkout/"+none.Payment {
			t.Fatalf("%+v, %v", none, err)
		}
		w := b.wallet(t, alice, 100)
		for range 3 {
			_, err = b.Charge(t.Context(), shop(alice), order("ord_1", 300))
			short, _ := payclient.ShortageOf(err)
			if !errors.Is(err, payclient.ErrInsufficient) || short.Available.Minor != 100 || short.Missing.Minor != 200 || short.Payment != none.Payment {
				t.Fatalf("%+v, %v", short, err)
			}
		}
		if p, err := b.PaymentOf(t.Context(), shop(alice), "ord_1"); err != nil || p.State != payclient.Open || p.Captured.Minor != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		rich := b.wallet(t, alice, 300)
		in := order("ord_1", 300)
		in.Wallet = rich.ID
		p, err := b.Charge(t.Context(), shop(alice), in)
		if err != nil || p.State != payclient.Captured || string(p.ID) != none.Payment || p.Wallet != rich.ID {
			t.Errorf("%+v, %v", p, err)
		}
		if b.balance(t, alice, w.ID) != 100 || b.balance(t, alice, rich.ID) != 0 {
			t.Error("the wrong wallet paid")
		}
	})
}

func TestOtherContentIsAMismatch(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		b.wallet(t, bob, 1000)
		if _, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300)); err != nil {
			t.Fatal(err)
		}
		payee := order("ord_1", 300)
		payee.Parties[0].Payee = "usr_other"
		_, err1 := b.Charge(t.Context(), shop(alice), order("ord_1", 301))
		_, err2 := b.Charge(t.Context(), shop(alice), payee)
		_, err3 := b.Charge(t.Context(), shop(bob), order("ord_1", 300))
		for i, err := range []error{err1, err2, err3} {
			if !errors.Is(err, payclient.ErrMismatch) {
				t.Errorf("%d: %v", i+1, err)
			}
		}
		other := pay.Caller{User: alice, Merchant: "another"}
		if _, err := b.Charge(t.Context(), other, order("ord_1", 300)); err != nil {
			t.Errorf("another merchant's order of the same name: %v", err)
		}
	})
}

func TestNewPaymentsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		past := order("ord_1", 1)
		past.ExpiresAt = b.clock.now()
		far := order("ord_1", 1)
		far.ExpiresAt = b.clock.now().Add(31 * 24 * time.Hour)
		for name, c := range map[string]struct {
			in   pay.NewPayment
			want error
		}{
			"no order":      {order("", 1), payclient.ErrOrder},
			"a space":       {order("ord 1", 1), payclient.ErrOrder},
			"nothing":       {order("ord_1", 0), payclient.ErrParties},
			"nobody":        {pay.NewPayment{Order: "ord_1"}, payclient.ErrParties},
			"one twice":     {pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{"a", 1}, {"a", 1}}}, payclient.ErrParties},
			"an overflow":   {pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{"a", 1 << 62}, {"b", 1 << 62}}}, payclient.ErrParties},
			"ends now":      {past, payclient.ErrExpiry},
			"ends too late": {far, payclient.ErrExpiry},
		} {
			if _, err := b.Charge(t.Context(), shop(alice), c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := b.Charge(t.Context(), pay.Caller{Merchant: "shop"}, order("ord_1", 1)); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("a service on its own: %v", err)
		}
	})
}

func TestTooLate(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		short, _ := payclient.ShortageOf(err)
		b.wallet(t, alice, 1000)
		b.clock.pass(30 * time.Minute)
		_, err1 := b.Pay(t.Context(), alice, pay.PaymentID(short.Payment), "")
		_, err2 := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		if !errors.Is(err1, payclient.ErrExpired) || !errors.Is(err2, payclient.ErrExpired) {
			t.Errorf("%v, %v", err1, err2)
		}
		p, err := b.Close(t.Context(), shop(alice), pay.PaymentID(short.Payment))
		if err != nil || p.State != payclient.Closed {
			t.Errorf("%+v, %v", p, err)
		}
		if _, err := b.Pay(t.Context(), alice, pay.PaymentID(short.Payment), ""); !errors.Is(err, payclient.ErrExpired) {
			t.Errorf("after closing: %v", err)
		}
	})
}

func TestWhatIsCapturedStaysCaptured(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		if _, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300)); err != nil {
			t.Fatal(err)
		}
		b.clock.pass(time.Hour)
		p, err := b.CloseOrder(t.Context(), pay.Caller{Merchant: "shop"}, "ord_1")
		if err != nil || p.State != payclient.Captured || p.Captured.Minor != 300 {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err = b.Charge(t.Context(), shop(alice), order("ord_1", 300)); err != nil || p.State != payclient.Captured {
			t.Errorf("asked again, late: %+v, %v", p, err)
		}
	})
}

func TestAnOrderIsClosedBeforeAnybodyAsked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 1000)
		for range 2 {
			p, err := b.CloseOrder(t.Context(), pay.Caller{Merchant: "shop"}, "ord_1")
			if err != nil || p.State != payclient.Closed || p.Amount.Minor != 0 {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		if _, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300)); !errors.Is(err, payclient.ErrClosed) {
			t.Errorf("%v", err)
		}
		if b.balance(t, alice, w.ID) != 1000 {
			t.Error("money moved")
		}
	})
}

// Payer and merchant see a payment and may close it; to everybody else it isn't there.
func TestWhoMaySeeAPayment(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		short, _ := payclient.ShortageOf(err)
		id := pay.PaymentID(short.Payment)
		b.wallet(t, bob, 1000)
		for name, c := range map[string]struct {
			caller pay.Caller
			may    bool
		}{
			"the payer":                         {pay.Caller{User: alice, Merchant: "shop"}, true},
			"the payer by another client":       {pay.Caller{User: alice, Merchant: "cli"}, true},
			"the merchant":                      {pay.Caller{Merchant: "shop"}, true},
			"another merchant":                  {pay.Caller{Merchant: "other"}, false},
			"another user of the same merchant": {pay.Caller{User: bob, Merchant: "shop"}, false},
			"nobody":                            {pay.Caller{}, false},
		} {
			_, err1 := b.Payment(t.Context(), c.caller, id)
			_, err2 := b.PaymentOf(t.Context(), c.caller, "ord_1")
			if c.may != (err1 == nil && err2 == nil) || !c.may && (!errors.Is(err1, payclient.ErrNoPayment) || !errors.Is(err2, payclient.ErrNoPayment)) {
				t.Errorf("%s: %v, %v", name, err1, err2)
			}
			if !c.may {
				if _, err := b.Close(t.Context(), c.caller, id); !errors.Is(err, payclient.ErrNoPayment) {
					t.Errorf("%s closes: %v", name, err)
				}
			}
		}
		if _, err := b.Pay(t.Context(), bob, id, ""); !errors.Is(err, payclient.ErrNoPayment) {
			t.Errorf("bob pays: %v", err)
		}
		if _, err := b.CloseOrder(t.Context(), shop(bob), "ord_1"); !errors.Is(err, payclient.ErrNoPayment) {
			t.Errorf("bob closes by order: %v", err)
		}
		if p, err := b.Close(t.Context(), pay.Caller{User: alice, Merchant: "cli"}, id); err != nil || p.State != payclient.Closed {
			t.Errorf("the payer closes: %+v, %v", p, err)
		}
	})
}

// Two merchants may have orders of one name from one user. Whoever asks about theirs, or ends
// it, doesn't get at the other one's.
func TestTwoMerchantsHaveOneOrder(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		other := pay.Caller{User: alice, Merchant: "other"}
		_, err := b.Charge(t.Context(), shop(alice), order("1001", 300))
		short, _ := payclient.ShortageOf(err)
		p, err := b.CloseOrder(t.Context(), other, "1001")
		if err != nil || p.State != payclient.Closed || p.Merchant != "other" {
			t.Errorf("other closes: %+v, %v", p, err)
		}
		b.wallet(t, alice, 1000)
		if _, err := b.Charge(t.Context(), other, order("1001", 300)); !errors.Is(err, payclient.ErrClosed) {
			t.Errorf("other asks too late: %v", err)
		}
		for _, caller := range []pay.Caller{shop(alice), other} {
			if p, err := b.PaymentOf(t.Context(), caller, "1001"); err != nil || p.Merchant != caller.Merchant {
				t.Errorf("%s looks: %+v, %v", caller.Merchant, p, err)
			}
		}
		if p, err := b.Pay(t.Context(), alice, pay.PaymentID(short.Payment), ""); err != nil || p.State != payclient.Captured {
			t.Errorf("the shop's: %+v, %v", p, err)
		}
	})
}

func TestTheCashier(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.Charge(t.Context(), shop(alice), order("ord_1", 300))
		short, _ := payclient.ShortageOf(err)
		look := func() pay.Checkout {
			t.Helper()
			c, err := b.Checkout(context.Background(), alice, pay.PaymentID(short.Payment))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := look(); c.Enough || c.Missing.Minor != 300 || c.Fullest != "" {
			t.Errorf("without wallets: %+v", c)
		}
		b.wallet(t, alice, 50)
		most := b.wallet(t, alice, 100)
		if c := look(); c.Enough || c.Missing.Minor != 200 || c.Fullest != most.ID {
			t.Errorf("too little: %+v", c)
		}
		rich := b.wallet(t, alice, 400)
		if c := look(); !c.Enough || c.Missing.Minor != 0 || !c.Choices[2].Chosen || c.Choices[0].Chosen || c.Choices[2].ID != rich.ID {
			t.Errorf("enough: %+v", c)
		}
		b.clock.pass(time.Hour)
		if c := look(); !c.Payment.Expired || len(c.Choices) != 0 {
			t.Errorf("too late: %+v", c)
		}
	})
}

// What a user pays with a program can be given on or back by that user alone, and out of escrow
// alone: what its payee was given stays the payee's.
func TestTheUserOfAProgramIsItsMerchant(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 1000)
		b.wallet(t, bob, 1000)
		mine := pay.Caller{User: alice, Merchant: "cli"}
		p, err := b.Charge(t.Context(), mine, order("ord_1", 300))
		if err != nil {
			t.Fatal(err)
		}
		shops, err := b.Charge(t.Context(), shop(alice), order("ord_2", 300))
		if err != nil {
			t.Fatal(err)
		}
		seller := func(id string, amount int64) (pay.NewRefund, pay.NewRelease) {
			return pay.NewRefund{ID: id, Payee: "usr_seller", Amount: amount}, pay.NewRelease{ID: id, Payee: "usr_seller", Amount: amount}
		}
		refund, release := seller("1", 100)
		for name, c := range map[string]struct {
			caller  pay.Caller
			payment pay.PaymentID
		}{
			"another user":                {pay.Caller{User: bob, Merchant: "cli"}, p.ID},
			"the payer by another client": {shop(alice), p.ID},
			"of the shop's, its payer":    {mine, shops.ID},
		} {
			_, err1 := b.Refund(t.Context(), c.caller, c.payment, refund)
			_, err2 := b.Release(t.Context(), c.caller, c.payment, release)
			_, err3 := b.Capture(t.Context(), c.caller, c.payment, nil)
			if !errors.Is(err1, fault.ErrForbidden) || !errors.Is(err2, fault.ErrForbidden) || !errors.Is(err3, fault.ErrForbidden) {
				t.Errorf("%s: %v, %v, %v", name, err1, err2, err3)
			}
		}
		if _, err := b.Refund(t.Context(), mine, p.ID, refund); err != nil {
			t.Error(err)
		}
		if _, err := b.Release(t.Context(), mine, p.ID, pay.NewRelease{ID: "rest", Payee: "usr_seller"}); err != nil {
			t.Error(err)
		}
		more, _ := seller("2", 0)
		if _, err := b.Refund(t.Context(), mine, p.ID, more); !errors.Is(err, payclient.ErrTooMuch) {
			t.Errorf("back from the payee: %v", err)
		}
		kept := order("ord_3", 300)
		kept.Hold = true
		if held, err := b.Charge(t.Context(), mine, kept); err != nil || held.State != payclient.Authorized {
			t.Errorf("%+v, %v", held, err)
		} else if held, err = b.Close(t.Context(), mine, held.ID); err != nil || held.State != payclient.Closed {
			t.Errorf("close what is held: %+v, %v", held, err)
		}
		if got := b.balance(t, alice, w.ID); got != 1000-300-300+100 {
			t.Errorf("alice has %d", got)
		}
	})
}
