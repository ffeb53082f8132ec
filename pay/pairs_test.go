package pay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/racetest"
	"jishi/pay"
	"jishi/pay/payclient"
)

// beginning is what two verbs meet: a payment of 100, asked for or not, and a wallet of its
// payer's. News of 75 more for it have not come yet.
type beginning struct {
	name              string
	asked, hold, paid bool
	money             int64
}

var beginnings = []beginning{
	{name: "not asked for", money: 1000},
	{name: "not asked for, to be held", hold: true, money: 1000},
	{name: "open", asked: true, money: 1000},
	{name: "open, to be held", asked: true, hold: true, money: 1000},
	{name: "open, for too little money", asked: true, money: 50},
	{name: "authorized", asked: true, hold: true, paid: true, money: 1000},
	{name: "captured", asked: true, paid: true, money: 1000},
}

// meeting is a beginning with users of its own.
type meeting struct {
	target
	beginning
	m            *model
	in           pay.NewPayment
	payer, payee authclient.UserID
	news         pay.TopUp
}

const (
	news    = 75
	newsKey = "news"
)

func (x *meeting) part() []pay.Party { return []pay.Party{{Payee: string(x.payee), Amount: 80}} }

// racer is a verb that races.
type racer struct {
	name string
	of   func(b *bench, x *meeting) *request
}

var racers = []racer{
	{"charge", func(_ *bench, x *meeting) *request { return x.charge(x.payer, x.in, -1) }},
	{"pay", func(_ *bench, x *meeting) *request { return x.pay(x.payer, -1, "") }},
	{"capture", func(_ *bench, x *meeting) *request { return x.capture(x.part()) }},
	{"close", func(_ *bench, x *meeting) *request { return x.close() }},
	{"withdraw", func(_ *bench, x *meeting) *request { return x.withdraw(x.payer) }},
	{"expire", func(b *bench, _ *meeting) *request {
		return &request{
			do: func(ctx context.Context, s *pay.Service) (string, error) {
				b.clock.pass(time.Hour)
				return "", s.CatchUp(ctx, slog.New(slog.DiscardHandler))
			},
			model: func(m *model) (string, error) { m.pass(time.Hour); m.found(); return "", nil },
		}
	}},
	{"refund", func(_ *bench, x *meeting) *request {
		return x.refund(pay.NewRefund{ID: "refund", Payee: string(x.payee), Amount: 60})
	}},
	{"release", func(_ *bench, x *meeting) *request {
		return x.release(pay.NewRelease{ID: "release", Payee: string(x.payee), Amount: 70})
	}},
	{"confirm", func(_ *bench, x *meeting) *request { return confirm(x.news, newsKey) }},
}

// Two verbs of two replicas that meet a payment, each of them with each and with itself, end as
// one after the other would, in either order: with the same answers, the same counters and the
// same money. Either is let go first, with any lead from none to all of its statements. Those by
// which nothing can change don't race.
func TestPairsRace(t *testing.T) {
	rounds := 6
	if dbtest.Long() {
		rounds = 200
	}
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		dbtest.NoTurns(t, db, "charges")
		b := newBench(t, db)
		b.config.Provider = halting{}
		a := &arena{b: b, replicas: b.replicas(), pace: newPace(t, db)}
		races, bothWays := 0, 0
		var oneWay []string
		for _, begin := range beginnings {
			a.statements = map[string]int{}
			for i, first := range racers {
				for _, second := range racers[i:] {
					pair := [2]racer{first, second}
					x := newMeeting(b, begin, 0)
					can, there := a.serial(x, pair), x.m.String()
					if can[0].there == there && can[1].there == there {
						continue
					}
					races++
					name := begin.name + "/" + first.name + " against " + second.name
					t.Run(name, func(t *testing.T) {
						came := a.race(t, begin, pair, rounds)
						switch {
						case can[0] == can[1]:
						case came[0] > 0 && came[1] > 0:
							bothWays++
						default:
							oneWay = append(oneWay, name)
							if dbtest.Long() {
								t.Errorf("in %d rounds the first came first %d times, and the second %d times, so this shows less than it should", rounds, came[0], came[1])
							}
						}
					})
				}
			}
		}
		t.Logf("%d races of %d rounds; where it matters who is first %d ended both ways and %d one way: %q", races, rounds, bothWays, len(oneWay), oneWay)
		b.verify(t)
	}, pay.Migrate)
}

// newMeeting is one that there is in the model only.
func newMeeting(b *bench, begin beginning, n int) *meeting {
	x := &meeting{
		target: target{order: fmt.Sprint("ord_", n)}, beginning: begin, m: newModel(b.clock.now(), b.config.Fee),
		payer: authclient.UserID(fmt.Sprint("usr_payer_", n)), payee: authclient.UserID(fmt.Sprint("usr_payee_", n)),
	}
	x.in = pay.NewPayment{
		Order: x.order, Hold: x.hold, Parties: []pay.Party{{Payee: string(x.payee), Amount: 100}},
		ExpiresAt: b.clock.now().Add(time.Hour), // whenever it is asked for
	}
	if x.asked && !x.paid { // without a wallet it is refused, and stays open
		_ = x.m.charge(x.payer, x.in, -1)
	}
	_ = x.m.openWallet(x.payer, x.money)
	x.m.topUp(x.payer, 0, news, newsKey)
	if x.paid {
		_ = x.m.charge(x.payer, x.in, -1)
	}
	return x
}

// make does the same with pay.
func (x *meeting) make(t *testing.T, b *bench) {
	t.Helper()
	if x.asked && !x.paid {
		_, _ = b.Charge(t.Context(), shop(x.payer), x.in)
	}
	w := b.wallet(t, x.payer, x.money)
	var err error
	if x.news, err = b.TopUp(t.Context(), x.payer, pay.NewTopUp{Wallet: w.ID, Amount: news}, newsKey); err != nil {
		t.Fatal(err)
	}
	if x.paid {
		_, _ = b.Charge(t.Context(), shop(x.payer), x.in)
	}
	if !x.asked {
		return
	}
	p, err := b.PaymentOf(t.Context(), merchant, x.order)
	if err != nil {
		t.Fatal(err)
	}
	x.id = p.ID
}

// arena is where pairs meet.
type arena struct {
	b          *bench
	replicas   []*pay.Service
	pace       *pace
	n          int            // meetings so far
	statements map[string]int // that a verb needs with this beginning, as far as is known
}

// race has a pair meet so many times, and counts who seems to have been first, of those times
// when the one who was let go later was so before the other was done.
func (a *arena) race(t *testing.T, begin beginning, pair [2]racer, rounds int) (came [2]int) {
	from := rand.Int()
	for round := range rounds {
		a.n++
		x := newMeeting(a.b, begin, a.n)
		x.make(t, a.b)
		first, lead := round%2, math.MaxInt
		verb := pair[first].name
		if needs, known := a.statements[verb]; known {
			lead = (from + round/2) % (needs + 2)
		}
		took, was := a.meet(t, x, pair, first, lead)
		if took < lead {
			a.statements[verb] = took
			continue
		}
		a.statements[verb] = max(took, a.statements[verb])
		came[was]++
	}
	return came
}

// meet has one of a pair begin, and the other so many statements later, or when it is done. It
// gives how many statements there were until then, and who seems to have been first: who began
// first, where both may be.
func (a *arena) meet(t *testing.T, x *meeting, pair [2]racer, first, lead int) (took, was int) {
	t.Helper()
	can := a.serial(x, pair)
	var got outcome
	begun := a.pace.after(lead)
	racetest.Together(2, func(i int) {
		if i != first {
			<-begun
		}
		got.answers[i] = answer(pair[i].of(a.b, x).do(t.Context(), a.replicas[i]))
		if i == first {
			took = lead - a.pace.stop()
		}
	})
	var payments []pay.Payment
	switch p, err := a.b.PaymentOf(t.Context(), merchant, x.order); {
	case err == nil:
		payments = []pay.Payment{p}
	case !errors.Is(err, payclient.ErrNoPayment):
		t.Fatal(err)
	}
	got.there = a.b.look(t, slices.Values([]authclient.UserID{x.payer, x.payee}), payments)
	switch {
	case got == can[first]:
		return took, first
	case got == can[1-first] && took == lead:
		return took, 1 - first
	}
	t.Fatalf("%s began, and the other %d statements later: got %s\nwant one of\n%s\n%s", pair[first].name, took, got, can[0], can[1])
	return 0, 0
}

// outcome is the two answers and what there is afterwards.
type outcome struct {
	answers [2]string
	there   string
}

func (o outcome) String() string { return fmt.Sprintf("%q:\n%s", o.answers, o.there) }

// serial is what comes of a pair, by who is first.
func (a *arena) serial(x *meeting, pair [2]racer) (can [2]outcome) {
	for first := range can {
		m := x.m.clone()
		for _, i := range []int{first, 1 - first} {
			can[first].answers[i] = answer(pair[i].of(a.b, x).model(m))
		}
		can[first].there = m.String()
	}
	return can
}

// pace counts the statements of one who is alone, to let another one go.
type pace struct {
	left  atomic.Int64
	begin func() // once
}

func newPace(t *testing.T, db *database.DB) *pace {
	t.Helper()
	p := &pace{begin: func() {}}
	reads := db.NewSelect().DB()
	reads.AddQueryHook(p)
	err := db.InTx(t.Context(), func(_ context.Context, tx bun.Tx) error {
		if writes := tx.NewSelect().DB(); writes != reads { // on SQLite
			writes.AddQueryHook(p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// after is closed when so many more statements were answered, or by stop.
func (p *pace) after(statements int) <-chan struct{} {
	begun := make(chan struct{})
	p.begin = sync.OnceFunc(func() { close(begun) })
	p.left.Store(int64(statements))
	if statements == 0 {
		p.begin()
	}
	return begun
}

// stop gives how many statements were missing.
func (p *pace) stop() int {
	missing := max(0, int(p.left.Load()))
	p.begin()
	return missing
}

func (*pace) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (p *pace) AfterQuery(context.Context, *bun.QueryEvent) {
	if p.left.Add(-1) == 0 {
		p.begin()
	}
}
