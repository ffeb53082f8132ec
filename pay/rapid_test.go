package pay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/pay"
)

// Any sequence of verbs, asked again or not, does what the model does, and after each of them
// the invariants hold. How many sequences of how many verbs: -rapid.checks, -rapid.steps.
func TestPayIsItsModel(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { isItsModel(t, dbtest.SQLite) })
	t.Run("mariadb", func(t *testing.T) {
		if !dbtest.Long() {
			t.Skip("only in the long form: TEST_LONG=1")
		}
		isItsModel(t, dbtest.MariaDB)
	})
}

// sequencesPerDatabase is how many sequences share one, each with users of its own, so that
// making databases isn't most of the work.
const sequencesPerDatabase = 20

func isItsModel(t *testing.T, address func(testing.TB) string) {
	var db *database.DB
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n%sequencesPerDatabase == 0 {
			db = dbtest.Open(t, address(t), pay.Migrate)
		}
		n++
		b := newBench(t, db)
		b.config.Fee = 333
		b.Service = pay.New(b.config)
		s := &sequence{ctx: t.Context(), b: b, m: newModel(b.clock.now(), b.config.Fee), name: fmt.Sprint(n)}
		rt.Repeat(s.verbs(t))
	})
	t.Logf("%d sequences", n)
}

// sequence is a run of verbs on a service and on its model.
type sequence struct {
	ctx  context.Context
	b    *bench
	m    *model
	name string
	done int
}

func (s *sequence) user(rt *rapid.T, what string) authclient.UserID {
	return authclient.UserID(rapid.SampledFrom([]string{"usr_a_", "usr_b_", "usr_c_"}).Draw(rt, what) + s.name)
}

func (s *sequence) order(rt *rapid.T) string {
	return fmt.Sprintf("ord_%s_%d", s.name, rapid.IntRange(1, 6).Draw(rt, "order"))
}

// asked is an order that there is a payment for.
func (s *sequence) asked(rt *rapid.T) (string, pay.PaymentID) {
	order := s.order(rt)
	if s.m.payments[order] == nil {
		rt.Skip("nobody has asked for it")
	}
	p, err := s.b.PaymentOf(s.ctx, merchant, order)
	if err != nil {
		rt.Fatal(err)
	}
	return order, p.ID
}

// wallet is one of the user's by its number, or -1 for the default one.
func (s *sequence) wallet(rt *rapid.T, user authclient.UserID) (int, pay.WalletID) {
	i := rapid.IntRange(-1, len(s.m.wallets[user])-1).Draw(rt, "wallet")
	if i < 0 {
		return i, ""
	}
	purse, err := s.b.Purse(s.ctx, user)
	if err != nil {
		rt.Fatal(err)
	}
	return i, purse.Wallets[i].ID
}

// payees are up to two of the users.
func (s *sequence) parties(rt *rapid.T, least int) []pay.Party {
	var parties []pay.Party
	for _, name := range rapid.SampledFrom([][]string{{}, {"usr_a_"}, {"usr_b_"}, {"usr_c_", "usr_b_"}}[least:]).Draw(rt, "payees") {
		parties = append(parties, pay.Party{Payee: name + s.name, Amount: rapid.Int64Range(1, 40).Draw(rt, "amount")})
	}
	return parties
}

func (s *sequence) same(rt *rapid.T, what string, got, want error) {
	if (got == nil) != (want == nil) || want != nil && !errors.Is(got, want) {
		rt.Fatalf("%s: got %v, the model says %v", what, got, want)
	}
}

func (s *sequence) verbs(t *testing.T) map[string]func(*rapid.T) {
	ctx, b, m := s.ctx, s.b, s.m
	reference := rapid.SampledFrom([]string{"1", "2", "3"})
	some := rapid.Int64Range(0, 30)
	return map[string]func(*rapid.T){
		"open a wallet": func(rt *rapid.T) {
			user, amount := s.user(rt, "user"), rapid.Int64Range(0, 60).Draw(rt, "amount")
			key := fmt.Sprint("w", len(m.wallets[user]))
			want := m.openWallet(user, amount)
			for range 2 { // asked twice, it is one
				_, err := b.OpenWallet(ctx, user, pay.NewWallet{TopUp: amount}, key)
				s.same(rt, "open a wallet", err, want)
			}
		},
		"top up": func(rt *rapid.T) {
			user := s.user(rt, "user")
			i, id := s.wallet(rt, user)
			if i < 0 {
				rt.Skip("no wallet is named")
			}
			amount := rapid.Int64Range(1, 60).Draw(rt, "amount")
			s.done++
			for range 2 {
				_, err := b.TopUp(ctx, user, pay.NewTopUp{Wallet: id, Amount: amount}, fmt.Sprint("t", s.done))
				s.same(rt, "top up", err, nil)
			}
			m.topUp(user, i, amount)
		},
		"charge": func(rt *rapid.T) {
			user := s.user(rt, "user")
			i, id := s.wallet(rt, user)
			in := pay.NewPayment{Order: s.order(rt), Parties: s.parties(rt, 1), Wallet: id, Hold: rapid.Bool().Draw(rt, "hold")}
			want := m.charge(user, in, i)
			_, err := b.Charge(ctx, shop(user), in)
			s.same(rt, "charge", err, want)
		},
		"charge again": func(rt *rapid.T) {
			order, id := s.asked(rt)
			p := m.payments[order]
			if p.payer == "" {
				rt.Skip("it was closed before anybody asked")
			}
			in := pay.NewPayment{Order: order, Hold: p.hold}
			for _, share := range p.shares {
				in.Parties = append(in.Parties, share.Party)
			}
			want := m.charge(p.payer, in, -1)
			again, err := b.Charge(ctx, shop(p.payer), in)
			s.same(rt, "charge again", err, want)
			if err == nil && again.ID != id {
				rt.Fatalf("another payment")
			}
		},
		"pay": func(rt *rapid.T) {
			order, id := s.asked(rt)
			user := s.user(rt, "user")
			i, wallet := s.wallet(rt, user)
			want := m.pay(user, order, i)
			_, err := b.Pay(ctx, user, id, wallet)
			s.same(rt, "pay", err, want)
		},
		"capture": func(rt *rapid.T) {
			order, id := s.asked(rt)
			parties := s.parties(rt, 0)
			want := m.capture(order, parties)
			if m.payments[order].payer == "" {
				rt.Skip("it was closed before anybody asked")
			}
			_, err := b.Capture(ctx, merchant, id, parties)
			s.same(rt, "capture", err, want)
		},
		"close": func(rt *rapid.T) {
			order := s.order(rt)
			want := m.closeOrder(order)
			_, err := b.CloseOrder(ctx, merchant, order)
			s.same(rt, "close", err, want)
		},
		"refund": func(rt *rapid.T) {
			order, id := s.asked(rt)
			in := pay.NewRefund{ID: reference.Draw(rt, "id"), Payee: string(s.user(rt, "payee")), Amount: some.Draw(rt, "amount")}
			want := m.refund(order, in)
			_, err := b.Refund(ctx, merchant, id, in)
			s.same(rt, "refund", err, want)
		},
		"release": func(rt *rapid.T) {
			order, id := s.asked(rt)
			in := pay.NewRelease{ID: reference.Draw(rt, "id"), Payee: string(s.user(rt, "payee")), Amount: some.Draw(rt, "amount")}
			want := m.release(order, in)
			_, err := b.Release(ctx, merchant, id, in)
			s.same(rt, "release", err, want)
		},
		"time passes": func(rt *rapid.T) {
			d := time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute
			m.pass(d)
			b.clock.pass(d)
			if rapid.Bool().Draw(rt, "jobs run") { // or else who looks finds it done as well
				if err := b.CatchUp(ctx, slog.New(slog.DiscardHandler)); err != nil {
					rt.Fatal(err)
				}
			}
		},
		"": func(rt *rapid.T) {
			// Payments are looked at first: that closes those that are too late.
			b.look(t, m)
			if got, want := b.look(t, m), m.String(); got != want {
				rt.Fatalf("there is\n%s\nthe model has\n%s", got, want)
			}
			if broken, err := b.broken(ctx); err != nil || len(broken) > 0 {
				rt.Fatalf("invariants: %q, %v", broken, err)
			}
		},
	}
}
