package pay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/kit/rapidtest"
	"jishi/pay"
	"jishi/pay/payclient"
)

const (
	// sequencesPerDatabase is how many sequences share one, each with users of its own, so that
	// making databases isn't most of the work, nor looking at what others have left there.
	sequencesPerDatabase = 4
	ordersPerSequence    = 12
)

// Any sequence of verbs, each of them asked again, does and answers what the model does, and
// after each that changed something every invariant holds. How many sequences of how many verbs:
// -rapid.checks, -rapid.steps.
func TestPayIsItsModel(t *testing.T) {
	rapidtest.Brief(t)
	dbtest.EachKind(t, func(t *testing.T, fresh func(testing.TB) string) {
		db := dbtest.Open(t, fresh(t), pay.Migrate)
		n, steps, answers := 0, 0, map[string]int{}
		rapid.Check(t, func(rt *rapid.T) {
			if n > 0 && n%sequencesPerDatabase == 0 {
				db = dbtest.Open(t, fresh(t), pay.Migrate)
			}
			n++
			b := newBench(t, db)
			b.config.Fee, b.config.Provider = 333, halting{}
			b.Service = pay.New(b.config)
			s := &sequence{
				ctx: t.Context(), b: b, m: newModel(b.clock.now(), b.config.Fee), name: fmt.Sprint(n),
				ids: map[string]pay.PaymentID{}, answers: answers,
			}
			for _, i := range []int{0, 0, 1} { // the third one has no wallet yet
				s.openWallet(rt, s.users()[i], 100)
			}
			verbs, verified := s.verbs(), ""
			verbs[""] = func(rt *rapid.T) {
				steps++
				if got, want := b.look(t, maps.Keys(s.m.wallets), s.payments(rt)), s.m.String(); got != want {
					rt.Fatalf("there is\n%s\nthe model has\n%s", got, want)
				}
				if now := newBooks(s.m).whole; now != verified { // most of the work
					verified = now
					s.verify(rt)
				}
			}
			rt.Repeat(verbs)
			s.verify(rt)
		})
		for _, verb := range []string{"charge", "pay", "capture", "close", "withdraw", "refund", "release", "top-up", "confirm"} {
			if answers[verb+" done"] == 0 && dbtest.Long() {
				t.Errorf("no %s has succeeded, so this shows less than it should", verb)
			}
		}
		if steps < 5*n {
			t.Errorf("%d sequences had %d steps only: rapid has ended them early", n, steps)
		}
		t.Logf("%d sequences, %d steps: %v", n, steps, answers)
	})
}

// sequence is a run of verbs on a service and on its model.
type sequence struct {
	ctx     context.Context
	b       *bench
	m       *model
	name    string
	ids     map[string]pay.PaymentID // by order
	topUps  []pay.TopUp              // by their keys
	answers map[string]int
}

// ask asks twice: what was done is answered again, and what was refused refused.
func (s *sequence) ask(rt *rapid.T, r *request) {
	for range 2 {
		want := answer(r.model(s.m))
		got := answer(r.do(s.ctx, s.b.Service))
		if got != want {
			rt.Fatalf("%s: got %s, the model says %s", r.name, got, want)
		}
		s.answers[r.verb()+" "+seen{answer: got}.short()]++
	}
}

// standing are the payments as they stand: to look at one that is too late would end it.
func (s *sequence) standing(rt *rapid.T) []pay.Payment {
	prefix := "ord_" + s.name + "_"
	var all []pay.Payment
	err := s.b.EachPayment(s.ctx, merchant.Merchant, prefix, prefix+"~", func(p pay.Payment) { all = append(all, p) })
	if err != nil {
		rt.Fatal(err)
	}
	return all
}

// payments are the payments when each has been looked at, which ends those that are too late:
// these one by one, and the others all at once, since this is done after each verb.
func (s *sequence) payments(rt *rapid.T) []pay.Payment {
	all := s.standing(rt)
	for i, p := range all {
		if (p.State == payclient.Open || p.State == payclient.Authorized) && !p.ExpiresAt.After(s.m.now) {
			var err error
			if all[i], err = s.b.PaymentOf(s.ctx, merchant, p.Order); err != nil {
				rt.Fatal(err)
			}
		}
	}
	s.m.found()
	return all
}

func (s *sequence) verify(rt *rapid.T) {
	if broken, err := s.b.broken(s.ctx); err != nil || len(broken) > 0 {
		rt.Fatalf("invariants: %q, %v", broken, err)
	}
}

// oneOf is one of those that there are. A verb that can't be done is skipped before anything
// is drawn for it: rapid soon ends sequences in which it is skipped later.
func oneOf[T any](rt *rapid.T, what string, all []T) T {
	if len(all) == 0 {
		rt.Skip("there is no " + what)
	}
	return rapid.SampledFrom(all).Draw(rt, what)
}

// mostly is what makes sense, if there is something, and now and then anything.
func mostly[T any](rt *rapid.T, what string, sense, all []T) T {
	if len(sense) > 0 && rapid.IntRange(0, 4).Draw(rt, "any") > 0 {
		all = sense
	}
	return oneOf(rt, what, all)
}

func (s *sequence) users() []authclient.UserID {
	return []authclient.UserID{authclient.UserID("usr_a_" + s.name), authclient.UserID("usr_b_" + s.name), authclient.UserID("usr_c_" + s.name)}
}

// owners have a wallet.
func (s *sequence) owners() []authclient.UserID { return slices.Sorted(maps.Keys(s.m.wallets)) }

// order is one that nobody has asked for, as long as there are any.
func (s *sequence) order(rt *rapid.T) target {
	if n := len(s.ids); n < ordersPerSequence {
		return target{order: fmt.Sprintf("ord_%s_%02d", s.name, n)}
	}
	return s.asked(rt)
}

// asked is an order that there is a payment for, mostly in one of these states, which may be
// too late by now. It is known by its id: looking it up would close it, which is for the verb
// to do.
func (s *sequence) asked(rt *rapid.T, states ...string) target {
	all := slices.Sorted(maps.Keys(s.ids))
	sense := slices.DeleteFunc(slices.Clone(all), func(order string) bool { return !slices.Contains(states, s.m.payments[order].state) })
	order := mostly(rt, "payment", sense, all)
	if rapid.IntRange(0, 9).Draw(rt, "a while ago") == 9 {
		s.pass(rt)
	}
	return target{order, s.ids[order]}
}

func (s *sequence) pass(rt *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute
	s.m.pass(d)
	s.b.clock.pass(d)
}

// payer is mostly an order's.
func (s *sequence) payer(rt *rapid.T, x target) authclient.UserID {
	return mostly(rt, "payer", slices.DeleteFunc(s.users(), func(u authclient.UserID) bool { return u != s.m.payments[x.order].payer }), s.users())
}

// payee is mostly one of an order's.
func (s *sequence) payee(rt *rapid.T, x target) string {
	var theirs, all []string
	for _, share := range s.m.payments[x.order].shares {
		theirs = append(theirs, share.Payee)
	}
	for _, user := range s.users() {
		all = append(all, string(user))
	}
	return mostly(rt, "payee", theirs, all)
}

// wallet is one of the user's by its number, or -1 for the default one.
func (s *sequence) wallet(rt *rapid.T, user authclient.UserID) (int, pay.WalletID) {
	i := rapid.IntRange(-1, len(s.m.wallets[user])-1).Draw(rt, "wallet")
	if i < 0 {
		return i, ""
	}
	return i, s.walletID(rt, user, i)
}

// named is a wallet of somebody who has one.
func (s *sequence) named(rt *rapid.T) (authclient.UserID, int, pay.WalletID) {
	user := oneOf(rt, "owner", s.owners())
	i := rapid.IntRange(0, len(s.m.wallets[user])-1).Draw(rt, "wallet")
	return user, i, s.walletID(rt, user, i)
}

func (s *sequence) walletID(rt *rapid.T, user authclient.UserID, i int) pay.WalletID {
	purse, err := s.b.Purse(s.ctx, user)
	if err != nil {
		rt.Fatal(err)
	}
	return purse.Wallets[i].ID
}

func (s *sequence) openWallet(rt *rapid.T, user authclient.UserID, amount int64) {
	n := len(s.m.wallets[user])
	want := s.m.openWallet(user, amount)
	for range 2 {
		w, err := s.b.OpenWallet(s.ctx, user, pay.NewWallet{TopUp: amount}, fmt.Sprint("w", n))
		if !errors.Is(err, want) || err == nil && (w.Balance.Minor != amount || w.Default != (n == 0)) {
			rt.Fatalf("open a wallet: got %+v, %v, the model says %v", w, err, want)
		}
	}
}

// parties are up to two of the users.
func (s *sequence) parties(rt *rapid.T) []pay.Party {
	users := s.users()
	var parties []pay.Party
	for _, payee := range rapid.SampledFrom([][]authclient.UserID{users[:1], users[1:2], users[1:]}).Draw(rt, "payees") {
		parties = append(parties, pay.Party{Payee: string(payee), Amount: rapid.Int64Range(1, 40).Draw(rt, "amount")})
	}
	return parties
}

// part is what is captured of an order: everything, the same or a little less for each of its
// payees, or anything.
func (s *sequence) part(rt *rapid.T, x target) []pay.Party {
	var parties []pay.Party
	switch rapid.IntRange(0, 3).Draw(rt, "part") {
	case 0:
		return nil
	case 1:
		return s.parties(rt)
	}
	for _, share := range s.m.payments[x.order].shares {
		parties = append(parties, pay.Party{Payee: share.Payee, Amount: max(1, share.Amount-rapid.Int64Range(0, 5).Draw(rt, "less"))})
	}
	return parties
}

// know learns the id of an order's payment.
func (s *sequence) know(rt *rapid.T, order string) {
	p, err := s.b.PaymentOf(s.ctx, merchant, order)
	if err != nil {
		rt.Fatal(err)
	}
	s.ids[order] = p.ID
}

func (s *sequence) verbs() map[string]func(*rapid.T) {
	ctx, b, m := s.ctx, s.b, s.m
	someone := rapid.SampledFrom(s.users())
	reference := rapid.SampledFrom([]string{"1", "2", "3", "4"})
	some := rapid.OneOf(rapid.Just[int64](0), rapid.Int64Range(1, 30)) // 0 is all that is left
	charge := func(rt *rapid.T, x target) {
		user := mostly(rt, "user", s.owners(), s.users())
		i, id := s.wallet(rt, user)
		in := pay.NewPayment{Order: x.order, Parties: s.parties(rt), Wallet: id, Hold: rapid.Bool().Draw(rt, "hold")}
		s.ask(rt, x.charge(user, in, i))
		s.know(rt, x.order)
	}
	return map[string]func(*rapid.T){
		"open a wallet": func(rt *rapid.T) {
			s.openWallet(rt, someone.Draw(rt, "user"), 2*rapid.Int64Range(0, 30).Draw(rt, "amount"))
		},
		"prefer a wallet": func(rt *rapid.T) {
			user, i, id := s.named(rt)
			m.prefer(user, i)
			for range 2 {
				w, err := b.ChangeWallet(ctx, user, id, pay.WalletChange{Default: true})
				if err != nil || w.ID != id || !w.Default || w.Balance.Minor != m.wallet(user, i).posted {
					rt.Fatalf("prefer a wallet: got %+v, %v", w, err)
				}
			}
		},
		"top up": func(rt *rapid.T) {
			user, i, id := s.named(rt)
			in, key := pay.NewTopUp{Wallet: id, Amount: rapid.Int64Range(1, 60).Draw(rt, "amount")}, fmt.Sprint(len(s.topUps))
			s.ask(rt, topUp(user, i, in, key))
			t, err := b.TopUp(ctx, user, in, key)
			if err != nil {
				rt.Fatal(err)
			}
			s.topUps = append(s.topUps, t)
		},
		"confirm a top-up": func(rt *rapid.T) {
			t := oneOf(rt, "top-up", s.topUps)
			s.ask(rt, confirm(t, fmt.Sprint(slices.Index(s.topUps, t))))
		},
		"charge":                   func(rt *rapid.T) { charge(rt, s.order(rt)) },
		"charge for what is there": func(rt *rapid.T) { charge(rt, s.asked(rt)) },
		"charge for the same": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Open)
			p := m.payments[x.order]
			if p.payer == "" {
				return // it was closed before anybody asked
			}
			in := pay.NewPayment{Order: x.order, Hold: p.hold}
			for _, share := range p.shares {
				in.Parties = append(in.Parties, share.Party)
			}
			s.ask(rt, x.charge(p.payer, in, -1))
		},
		"pay": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Open)
			user := s.payer(rt, x)
			i, wallet := s.wallet(rt, user)
			s.ask(rt, x.pay(user, i, wallet))
		},
		"capture": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Authorized)
			s.ask(rt, x.capture(s.part(rt, x)))
		},
		"close": func(rt *rapid.T) {
			var x target
			if len(s.ids) == 0 || rapid.IntRange(0, 5).Draw(rt, "unasked") == 5 {
				x = s.order(rt)
			} else {
				x = s.asked(rt, payclient.Open, payclient.Authorized)
			}
			s.ask(rt, x.close())
			s.know(rt, x.order)
		},
		"withdraw": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Open, payclient.Authorized)
			s.ask(rt, x.withdraw(s.payer(rt, x)))
		},
		"refund": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Captured)
			s.ask(rt, x.refund(pay.NewRefund{ID: reference.Draw(rt, "id"), Payee: s.payee(rt, x), Amount: some.Draw(rt, "amount")}))
		},
		"release": func(rt *rapid.T) {
			x := s.asked(rt, payclient.Captured)
			s.ask(rt, x.release(pay.NewRelease{ID: reference.Draw(rt, "id"), Payee: s.payee(rt, x), Amount: some.Draw(rt, "amount")}))
		},
		"time passes": func(rt *rapid.T) {
			s.pass(rt)
			if !rapid.Bool().Draw(rt, "jobs run") { // who looks finds it done as well
				return
			}
			if err := b.CatchUp(ctx, slog.New(slog.DiscardHandler)); err != nil {
				rt.Fatal(err)
			}
			for _, p := range s.standing(rt) {
				x := target{order: p.Order}
				if got, want := x.told(p), x.modelled(m); got != want {
					rt.Fatalf("after the jobs %s is %s, the model says %s", p.Order, got, want)
				}
			}
		},
	}
}
