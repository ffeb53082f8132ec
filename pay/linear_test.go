package pay_test

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay"
	"jishi/pay/payclient"
)

const (
	clients      = 6
	opsPerClient = 10
	ordersShared = 4 // by the clients of a history
)

// seen is what a client saw.
type seen struct {
	answer  string
	unknown bool // nobody answered: it may have happened, or will
}

func (s seen) short() string {
	if s.unknown {
		return "unknown"
	}
	said, _, _ := strings.Cut(s.answer, ":")
	return said
}

// refused tells an answer from the lack of one.
func refused(err error) bool {
	switch fault.Of(err).Kind {
	case fault.Internal, fault.Busy, fault.Unknown:
		return false
	}
	return true
}

// books is the model between two requests of a history.
type books struct {
	*model
	whole   string // all of it as text, to be compared
	answers int    // of requests that are still to come
}

func newBooks(m *model) *books {
	b := &books{model: m}
	b.whole = b.describe()
	return b
}

// describe is String, with what is not seen yet but makes a difference later.
func (b *books) describe() string {
	name := map[*modelWallet]string{}
	for user, wallets := range b.wallets {
		for i, w := range wallets {
			name[w] = fmt.Sprint(user, i)
		}
	}
	text := b.String()
	for _, order := range slices.Sorted(maps.Keys(b.payments)) {
		p := b.payments[order]
		text += fmt.Sprint("\n", order, p.payer, p.hold, name[p.wallet], p.refunds, p.given)
		for _, payee := range slices.Sorted(maps.Keys(p.to)) {
			text += " " + payee + name[p.to[payee]]
		}
	}
	return text + fmt.Sprint("\n", b.fees, b.topUps)
}

// read is all that a payment says.
func (m *model) read(order string) (string, error) {
	p := m.payments[order]
	if p == nil {
		return "", payclient.ErrNoPayment
	}
	return fmt.Sprint(payment(order, p.state, p.expired, p.shares),
		p.sum(func(s pay.Share) int64 { return s.Captured }),
		p.sum(func(s pay.Share) int64 { return s.Refunded }),
		p.sum(func(s pay.Share) int64 { return s.Released })), nil
}

func (m *model) purse(user authclient.UserID) (string, error) {
	var text string
	for _, w := range m.wallets[user] {
		text += fmt.Sprintf("%d, %d held; ", w.posted, w.held)
	}
	return text, nil
}

var seed = maphash.MakeSeed()

// linearModel does requests one after the other.
func linearModel(begin *books) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return begin },
		Step: func(state, input, output any) (bool, any) {
			b, r, got := state.(*books), input.(*request), output.(seen)
			next := *b
			if !got.unknown {
				next.answers--
			}
			if r.reads {
				return answer(r.model(b.model)) == got.answer, &next
			}
			next.model = b.clone()
			want := answer(r.model(next.model))
			if !got.unknown && got.answer != want {
				return false, b
			}
			next.whole = next.describe()
			// What nobody saw the end of, and changes nothing here, may as well come last: else
			// each of them would double what there is to try.
			late := got.unknown && next.whole == b.whole && b.answers > 0
			return !late, &next
		},
		Equal: func(a, b any) bool { return a.(*books).whole == b.(*books).whole },
		Hash:  func(state any) uint64 { return maphash.String(seed, state.(*books).whole) },
	}
}

// What many clients see of payments and wallets, who charge, hold, pay at the cashier,
// capture, close, withdraw, refund, release, top up, read, send again and give up, is what they would
// see one after the other (linearizability).
func TestPaymentHistoriesAreLinear(t *testing.T) {
	histories := 25
	if dbtest.Long() {
		histories = 1000
	}
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		dbtest.NoTurns(t, db, "charges")
		b := newBench(t, db)
		b.config.Fee = 1000
		replicas := b.replicas()
		answers := map[string]int{}
		for n := range histories {
			h := newHistory(t, n, b, replicas)
			h.run(t)
			h.wantLinear(t)
			for _, o := range h.ops {
				answers[o.Input.(*request).verb()+" "+o.Output.(seen).short()]++
			}
		}
		for _, verb := range []string{"charge", "pay", "capture", "close", "withdraw", "refund", "release", "top-up"} {
			if answers[verb+" done"] == 0 {
				t.Errorf("no %s has succeeded, so this shows less than it should", verb)
			}
		}
		if answers["charge unknown"] == 0 {
			t.Error("no client has given up, so this shows less than it should")
		}
		t.Logf("%d histories of %d requests: %v", histories, clients*opsPerClient, answers)
		b.verify(t)
	}, pay.Migrate)
}

// history is what clients did with wallets and orders of their own, and when: all of them
// hang together, so there is nothing to be checked apart.
type history struct {
	seed     int
	rand     *rand.Rand
	replicas []*pay.Service
	name     string
	users    []authclient.UserID // the last one has no wallet until something is released to it
	wallets  map[authclient.UserID][]pay.WalletID
	payers   []authclient.UserID // of the orders
	asked    []pay.NewPayment    // for the orders
	topUps   int
	begin    *books
	start    time.Time
	mu       sync.Mutex
	ops      []porcupine.Operation // guarded by mu
}

func newHistory(t *testing.T, n int, b *bench, replicas []*pay.Service) *history {
	t.Helper()
	h := &history{
		seed: n, rand: rand.New(rand.NewPCG(uint64(n), 11)), replicas: replicas, name: fmt.Sprint("h", n, "_"),
		wallets: map[authclient.UserID][]pay.WalletID{},
	}
	m := newModel(b.clock.now(), b.config.Fee)
	for i, amounts := range [][]int64{{60, 30}, {50}, nil} {
		user := authclient.UserID(fmt.Sprint("usr_", h.name, i))
		h.users = append(h.users, user)
		for _, amount := range amounts {
			h.wallets[user] = append(h.wallets[user], b.wallet(t, user, amount).ID)
			m.openWallet(user, amount)
		}
	}
	for i := range ordersShared {
		payer := h.rand.IntN(2)
		in := pay.NewPayment{Order: fmt.Sprint("ord_", h.name, i), Hold: i%2 == 0}
		for _, payee := range h.rand.Perm(len(h.users))[:1+h.rand.IntN(2)] {
			in.Parties = append(in.Parties, pay.Party{Payee: string(h.users[payee]), Amount: 5 + h.rand.Int64N(25)})
		}
		h.payers, h.asked = append(h.payers, h.users[payer]), append(h.asked, in)
	}
	h.begin = newBooks(m)
	return h
}

// run has the clients do what they have in mind. Some of them have little patience.
func (h *history) run(t *testing.T) {
	t.Helper()
	plans := make([][]*request, clients)
	patience := make([][]time.Duration, clients)
	for c := range plans {
		for i := range opsPerClient {
			r := h.draw()
			if i == 0 {
				r = h.charge(c % ordersShared) // or there would be little to do for the others
			}
			if c > 0 && h.rand.IntN(6) == 0 {
				r = plans[c-1][i] // what another one sends at about the same time
			}
			wait := time.Minute
			if h.rand.IntN(8) == 0 {
				wait = time.Duration(h.rand.IntN(8000)) * time.Microsecond
			}
			plans[c], patience[c] = append(plans[c], r), append(patience[c], wait)
		}
	}
	h.start = time.Now()
	var wg sync.WaitGroup
	for c := range plans {
		wg.Go(func() {
			for i, r := range plans[c] {
				h.send(t, c, r, patience[c][i])
			}
		})
	}
	wg.Wait()
}

func (h *history) send(t *testing.T, client int, r *request, patience time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	call := time.Since(h.start)
	said, err := r.do(ctx, h.replicas[client%len(h.replicas)])
	ret := time.Since(h.start)
	out := seen{answer: answer(said, err)}
	switch {
	case err == nil || refused(err):
	case ctx.Err() == nil && time.Now().Before(deadline): // a dialer may notice the end before ctx does
		t.Errorf("history %d: %s: %v", h.seed, r.name, err)
	case r.reads:
		return // it told nobody anything
	default:
		out, ret = seen{unknown: true}, math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: r, Call: int64(call), Output: out, Return: int64(ret)})
}

// draw is something to ask for, of what a history's orders and wallets allow, and a little more.
func (h *history) draw() *request {
	order := h.rand.IntN(ordersShared)
	switch h.rand.IntN(17) {
	case 0, 1, 2:
		return h.charge(order)
	case 3, 4:
		return h.pay(order)
	case 5, 6:
		return h.capture(order)
	case 7:
		return h.target(order).close()
	case 8, 9:
		return h.refund(order)
	case 10, 11:
		return h.release(order)
	case 12:
		return h.topUp()
	case 13, 14:
		return h.read(order)
	case 15:
		return h.target(order).withdraw(h.payers[order])
	}
	return h.purse()
}

// wallet is one of the user's by its number, or -1 for the default one.
func (h *history) wallet(user authclient.UserID) (int, pay.WalletID) {
	i := h.rand.IntN(len(h.wallets[user])+1) - 1
	if i < 0 {
		return i, ""
	}
	return i, h.wallets[user][i]
}

func (h *history) payee(order int) string {
	if h.rand.IntN(12) == 0 {
		return string(h.users[h.rand.IntN(len(h.users))]) // perhaps no party
	}
	parties := h.asked[order].Parties
	return parties[h.rand.IntN(len(parties))].Payee
}

// some is a part of a share, or 0 for all that is left of it.
func (h *history) some() int64 {
	if h.rand.IntN(3) == 0 {
		return 0
	}
	return 1 + h.rand.Int64N(15)
}

func (h *history) charge(order int) *request {
	user, in := h.payers[order], h.asked[order]
	if h.rand.IntN(10) == 0 {
		in.Hold = !in.Hold // not what others ask for
	}
	i, wallet := h.wallet(user)
	in.Wallet = wallet
	return h.target(order).charge(user, in, i)
}

func (h *history) target(order int) target { return target{order: h.asked[order].Order} }

func (h *history) pay(order int) *request {
	user := h.payers[order]
	i, wallet := h.wallet(user)
	return h.target(order).pay(user, i, wallet)
}

func (h *history) capture(order int) *request {
	parties := slices.Clone(h.asked[order].Parties)
	if h.rand.IntN(2) == 0 {
		parties = nil // all of it
	} else {
		parties[0].Amount = 1 + h.rand.Int64N(parties[0].Amount)
	}
	return h.target(order).capture(parties)
}

func (h *history) refund(order int) *request {
	return h.target(order).refund(pay.NewRefund{ID: fmt.Sprint(h.rand.IntN(3)), Payee: h.payee(order), Amount: h.some()})
}

func (h *history) release(order int) *request {
	return h.target(order).release(pay.NewRelease{ID: fmt.Sprint(h.rand.IntN(3)), Payee: h.payee(order), Amount: h.some()})
}

func (h *history) topUp() *request {
	user := h.users[h.rand.IntN(2)]
	i := h.rand.IntN(len(h.wallets[user]))
	h.topUps++
	return topUp(user, i, pay.NewTopUp{Wallet: h.wallets[user][i], Amount: 2 * (1 + h.rand.Int64N(10))}, fmt.Sprint(h.topUps))
}

func (h *history) read(order int) *request {
	name := h.asked[order].Order
	return &request{
		name: "read " + name, reads: true,
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			p, err := s.PaymentOf(ctx, merchant, name)
			return fmt.Sprint(payment(name, p.State, p.Expired, p.Shares), p.Captured.Minor, p.Refunded.Minor, p.Released.Minor), err
		},
		model: func(m *model) (string, error) { return m.read(name) },
	}
}

func (h *history) purse() *request {
	user := h.users[h.rand.IntN(len(h.users))]
	return &request{
		name: "purse " + string(user), reads: true,
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			purse, err := s.Purse(ctx, user)
			var text string
			for _, w := range purse.Wallets {
				text += fmt.Sprintf("%d, %d held; ", w.Balance.Minor, w.Balance.Minor-w.Available.Minor)
			}
			return text, err
		},
		model: func(m *model) (string, error) { return m.purse(user) },
	}
}

// wantLinear looks for an order of the requests that explains every answer.
func (h *history) wantLinear(t *testing.T) {
	t.Helper()
	for _, o := range h.ops {
		if !o.Output.(seen).unknown {
			h.begin.answers++
		}
	}
	got, info := porcupine.CheckOperationsVerbose(linearModel(h.begin), h.ops, 5*time.Minute)
	if got == porcupine.Ok {
		return
	}
	var longest []porcupine.Operation
	for _, some := range info.PartialLinearizationsOperations()[0] {
		if len(some) > len(longest) {
			longest = some
		}
	}
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	t.Fatalf("the history of seed %d is not linear (%s). It begins with\n%s\nThe requests:\n%s\nAs many as one order explains:\n%s",
		h.seed, got, h.begin, lines(h.ops), lines(longest))
}

func lines(ops []porcupine.Operation) string {
	var text strings.Builder
	for _, o := range ops {
		fmt.Fprintf(&text, "%d-%d client %d: %s: %+v\n", o.Call, o.Return, o.ClientId, o.Input.(*request).name, o.Output)
	}
	return text.String()
}
