package pay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/racetest"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payclient"
)

const (
	alice = authclient.UserID("usr_alice")
	bob   = authclient.UserID("usr_bob")
	carol = authclient.UserID("usr_carol")
)

// merchant is the shop on its own behalf.
var merchant = pay.Caller{Merchant: "shop"}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type bench struct {
	*pay.Service
	db     *database.DB
	config pay.Config
	clock  *clock
}

// each runs a test on both databases, and checks every invariant when it ends.
func each(t *testing.T, fn func(t *testing.T, b *bench)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		b := newBench(t, db)
		fn(t, b)
		b.verify(t)
	}, pay.Migrate)
}

func newBench(t *testing.T, db *database.DB) *bench {
	t.Helper()
	clock := &clock{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	c := pay.Config{
		DB: db, Ledger: ledger.New(db, clock.now), Jobs: job.New(db, clock.now), Now: clock.now, Currency: money.CNY, Provider: pay.Sandbox{},
		BaseURL: "http://pay.test", Returns: map[string]string{"shop": "http://shop.test/orders/{order}/return"}, Programs: []string{"cli"},
	}
	b := &bench{pay.New(c), db, c, clock}
	if err := b.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// replicas are the service anew, after a change of its configuration, and another one on its
// database.
func (b *bench) replicas() []*pay.Service {
	other := b.config
	other.Ledger, other.Jobs = ledger.New(b.db, b.clock.now), job.New(b.db, b.clock.now)
	b.Service = pay.New(b.config)
	return []*pay.Service{b.Service, pay.New(other)}
}

// verify checks every invariant.
func (b *bench) verify(t *testing.T) {
	t.Helper()
	broken, err := b.broken(t.Context())
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, problem := range broken {
		t.Errorf("invariant: %s", problem)
	}
}

// broken is every invariant that doesn't hold.
func (b *bench) broken(ctx context.Context) ([]string, error) {
	var broken []string
	_, err := b.Check(ctx, func(invariant, id, found string) {
		broken = append(broken, invariant+": "+id+": "+found)
	})
	return broken, err
}

// wallet makes a wallet with that much in it.
func (b *bench) wallet(t testing.TB, user authclient.UserID, minor int64) pay.Wallet {
	t.Helper()
	w, err := b.OpenWallet(t.Context(), user, pay.NewWallet{TopUp: minor}, "")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (b *bench) balance(t testing.TB, user authclient.UserID, id pay.WalletID) int64 {
	t.Helper()
	w, err := b.Wallet(t.Context(), user, id)
	if err != nil {
		t.Fatal(err)
	}
	return w.Balance.Minor
}

func shop(user authclient.UserID) pay.Caller { return pay.Caller{User: user, Merchant: "shop"} }

func order(id string, minor int64) pay.NewPayment {
	return pay.NewPayment{Order: id, Parties: []pay.Party{{Payee: "usr_seller", Amount: minor}}}
}

// race runs n of them at the same moment and counts those that ended without an error; the
// others must have ended with one of the refusals.
func race(t *testing.T, n int, do func(i int) error, refusals ...error) int {
	t.Helper()
	errs := make([]error, n)
	racetest.Together(n, func(i int) { errs[i] = do(i) })
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
		case !isOneOf(err, refusals):
			t.Errorf("%d: %v", i, err)
		}
	}
	return won
}

func isOneOf(err error, refusals []error) bool {
	for _, r := range refusals {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

func TestTheFirstWalletIsTheDefault(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		first, second := b.wallet(t, alice, 100), b.wallet(t, alice, 0)
		if !first.Default || second.Default {
			t.Errorf("default: first %t, second %t", first.Default, second.Default)
		}
		name := "  Groceries 菜 "
		changed, err := b.ChangeWallet(t.Context(), alice, second.ID, pay.WalletChange{Name: &name, Default: true})
		if err != nil || !changed.Default || changed.Name != "Groceries 菜" {
			t.Errorf("%+v, %v", changed, err)
		}
		purse, err := b.Purse(t.Context(), alice)
		if err != nil || len(purse.Wallets) != 2 || purse.Wallets[0].Default || purse.Total.Minor != 100 {
			t.Errorf("%+v, %v", purse, err)
		}
	})
}

func TestOfFirstWalletsOneIsTheDefault(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		race(t, 8, func(int) error {
			_, err := b.OpenWallet(t.Context(), alice, pay.NewWallet{}, "")
			return err
		})
		purse, err := b.Purse(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		if n := defaults(purse); n != 1 {
			t.Errorf("%d defaults to begin with", n)
		}
		race(t, 8, func(i int) error {
			_, err := b.ChangeWallet(t.Context(), alice, purse.Wallets[i].ID, pay.WalletChange{Default: true})
			return err
		})
		if purse, err = b.Purse(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		numbers := map[string]bool{}
		for _, w := range purse.Wallets {
			numbers[w.Number] = true
		}
		if n := defaults(purse); n != 1 || len(numbers) != 8 {
			t.Errorf("%d defaults, %d numbers", n, len(numbers))
		}
	})
}

func defaults(p pay.Purse) int {
	n := 0
	for _, w := range p.Wallets {
		if w.Default {
			n++
		}
	}
	return n
}

func TestWalletsOfOthersAreNotThere(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 100)
		b.wallet(t, bob, 0)
		name := "mine"
		_, err1 := b.Wallet(t.Context(), bob, w.ID)
		_, err2 := b.ChangeWallet(t.Context(), bob, w.ID, pay.WalletChange{Name: &name, Default: true})
		_, err3 := b.TopUp(t.Context(), bob, pay.NewTopUp{Wallet: w.ID, Amount: 1}, "")
		_, err4 := b.Statement(t.Context(), bob, w.ID, database.Page{})
		pays := order("ord_1", 50)
		pays.Wallet = w.ID
		_, err5 := b.Charge(t.Context(), shop(bob), pays)
		for i, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, payclient.ErrNotFound) {
				t.Errorf("%d: %v", i+1, err)
			}
		}
		if purse, err := b.Purse(t.Context(), bob); err != nil || !purse.Wallets[0].Default {
			t.Errorf("bob's own default is gone: %+v, %v", purse, err)
		}
	})
}

func TestWalletsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		_, err := b.OpenWallet(t.Context(), alice, pay.NewWallet{Name: strings.Repeat("x", 41), Currency: "USD", TopUp: 100_000_001}, "")
		for _, want := range []error{payclient.ErrName, payclient.ErrCurrency, payclient.ErrTopUpRange} {
			if !errors.Is(err, want) {
				t.Errorf("%v: not refused as %v", err, want)
			}
		}
		for range 50 {
			b.wallet(t, alice, 0)
		}
		if _, err := b.OpenWallet(t.Context(), alice, pay.NewWallet{}, ""); !errors.Is(err, payclient.ErrTooMany) {
			t.Errorf("51st wallet: %v", err)
		}
	})
}

func TestAWalletIsOpenedOncePerKey(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var mu sync.Mutex
		ids := map[pay.WalletID]bool{}
		race(t, 20, func(int) error {
			w, err := b.OpenWallet(t.Context(), alice, pay.NewWallet{Name: "n", TopUp: 700}, "key")
			mu.Lock()
			defer mu.Unlock()
			ids[w.ID] = true
			return err
		})
		purse, err := b.Purse(t.Context(), alice)
		if err != nil || len(ids) != 1 || len(purse.Wallets) != 1 || purse.Total.Minor != 700 {
			t.Errorf("%d answers, %+v, %v", len(ids), purse, err)
		}
		_, err = b.OpenWallet(t.Context(), alice, pay.NewWallet{Name: "other"}, "key")
		if !errors.Is(err, database.ErrMismatch) {
			t.Errorf("other content: %v", err)
		}
		if _, err = b.OpenWallet(t.Context(), bob, pay.NewWallet{}, "key"); err != nil {
			t.Errorf("another user's key: %v", err)
		}
	})
}

func TestATopUpHappensOncePerKey(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 0)
		if n := race(t, 20, func(int) error {
			_, err := b.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "key")
			return err
		}); n != 20 {
			t.Errorf("%d answers, want 20", n)
		}
		if got := b.balance(t, alice, w.ID); got != 500 {
			t.Errorf("balance %d, want 500", got)
		}
	})
}

// late is a provider whose money comes later, and which can fail.
type late struct{ err error }

func (late) Name() string { return "late" }
func (late) Play() bool   { return false }
func (l late) Collect(context.Context, pay.TopUp) (pay.Receipt, error) {
	return pay.Receipt{}, l.err
}

func TestNewsOfMoneyIsCreditedOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.config.Provider = late{}
		s := pay.New(b.config)
		w := b.wallet(t, alice, 0)
		var topUps [2]pay.TopUp
		for i := range topUps {
			var err error
			topUps[i], err = s.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "")
			if err != nil || topUps[i].State != payclient.Created {
				t.Fatalf("%+v, %v", topUps[i], err)
			}
		}
		receipt := pay.Receipt{Reference: "ref-1", Amount: topUps[0].Amount}
		race(t, 10, func(int) error {
			_, err := s.Confirm(t.Context(), topUps[0].ID, receipt)
			return err
		})
		if _, err := s.Confirm(t.Context(), topUps[1].ID, receipt); err == nil {
			t.Error("one reference was credited to two top-ups")
		}
		if _, err := s.Confirm(t.Context(), topUps[0].ID, pay.Receipt{Reference: "ref-2", Amount: receipt.Amount}); err == nil {
			t.Error("another reference was accepted for the same top-up")
		}
		if _, err := s.Confirm(t.Context(), topUps[1].ID, pay.Receipt{Reference: "ref-3", Amount: money.Amount{Minor: 501, Currency: money.CNY}}); err == nil {
			t.Error("another amount was accepted")
		}
		if got := b.balance(t, alice, w.ID); got != 500 {
			t.Errorf("balance %d, want 500", got)
		}
	})
}

// A provider that fails after the wallet was written leaves a wish that the same key ends.
func TestAHalfOpenedWalletIsFinished(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		in := pay.NewWallet{Name: "n", TopUp: 900}
		b.config.Provider = broken{pay.Sandbox{}}
		if _, err := pay.New(b.config).OpenWallet(t.Context(), alice, in, "key"); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		w, err := b.OpenWallet(t.Context(), alice, in, "key")
		if err != nil || w.Balance.Minor != 900 {
			t.Errorf("%+v, %v", w, err)
		}
		if purse, err := b.Purse(t.Context(), alice); err != nil || len(purse.Wallets) != 1 {
			t.Errorf("%+v, %v", purse, err)
		}
	})
}

// A top-up whose asker is gone for good, after a crash or while the provider is away, comes
// to its end by itself; one that came to its end is left alone.
func TestATopUpThatNobodyAsksForAgainIsCollected(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 300)
		b.config.Provider = broken{pay.Sandbox{}}
		away := pay.New(b.config)
		if _, err := away.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "key"); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		b.clock.pass(time.Minute)
		for i, s := range []*pay.Service{away, b.Service} {
			if err := s.CatchUp(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			if got, want := b.balance(t, alice, w.ID), int64(300+500*i); got != want {
				t.Errorf("after %d: balance %d, want %d", i, got, want)
			}
			b.clock.pass(time.Minute)
		}
		if left, err := b.config.Jobs.List(t.Context(), job.Waiting); err != nil || len(left) != 0 {
			t.Errorf("jobs are left: %v, %v", left, err)
		}
	})
}

var errBroken = errors.New("provider is down")

type broken struct{ pay.Sandbox }

func (broken) Collect(context.Context, pay.TopUp) (pay.Receipt, error) {
	return pay.Receipt{}, errBroken
}

func TestTopUpsCanBeOff(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.config.Provider = nil
		s := pay.New(b.config)
		w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{}, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := s.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 500}, "")
		_, err2 := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 500}, "")
		if !errors.Is(err1, payclient.ErrTopUpsOff) || !errors.Is(err2, payclient.ErrTopUpsOff) || s.TopUpRules().On {
			t.Errorf("%v, %v", err1, err2)
		}
	})
}

func TestAStatementAddsUp(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		w := b.wallet(t, alice, 1000)
		for i := range 5 {
			if _, err := b.Charge(t.Context(), shop(alice), order(fmt.Sprintf("ord_%d", i), int64(i+1))); err != nil {
				t.Fatal(err)
			}
		}
		var all []pay.Entry
		page := database.Page{Limit: 2}
		for {
			s, err := b.Statement(t.Context(), alice, w.ID, page)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s.Entries...)
			if page.Cursor = s.Next; page.Cursor == "" {
				break
			}
		}
		if len(all) != 6 || all[0].Order != "ord_4" || all[5].Kind != "topup" {
			t.Fatalf("%+v", all)
		}
		for i, e := range all {
			before := int64(0)
			if i < 5 {
				before = all[i+1].Balance.Minor
			}
			if e.Balance.Minor != before+e.Amount.Minor {
				t.Errorf("entry %d: %d %+d gives %d", i, before, e.Amount.Minor, e.Balance.Minor)
			}
		}
		if all[0].Balance.Minor != 985 || b.balance(t, alice, w.ID) != 985 {
			t.Errorf("ends with %d", all[0].Balance.Minor)
		}
	})
}
