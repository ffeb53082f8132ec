package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

const (
	clients      = 6
	opsPerClient = 10
)

// op is what a client asks for. Sent by two clients, with one number, it happens once.
type op struct {
	number   int // of the transfer
	kind     Kind
	from, to int // accounts
	amount   int64
	hold     int // number of the hold that it ends
}

const read Kind = "read"

// outcome is what a client saw: refusal nil is done; of a read the balance.
type outcome struct {
	refusal      error
	posted, held int64
	unknown      bool // nobody answered: it may have happened, or will
}

// books is the state of the model: comparable, so small and without pointers.
type books struct {
	posted, held [3]int64
	done         [clients * opsPerClient]bool
	holds        [clients * opsPerClient]struct {
		amount   int64
		from, to int
		ended    bool
	}
}

// step does o, as one who does one thing after the other would.
func (b books) step(o op) (books, outcome) {
	if o.kind == read {
		return b, outcome{posted: b.posted[o.from], held: b.held[o.from]}
	}
	h := b.holds[o.hold]
	ends := o.kind == Post || o.kind == Void
	switch {
	case ends && h.amount == 0:
		return b, outcome{refusal: ErrNotHeld}
	case o.kind == Post && o.amount > h.amount:
		return b, outcome{refusal: ErrTransfer}
	case b.done[o.number]:
		return b, outcome{}
	case ends && h.ended:
		return b, outcome{refusal: ErrNotHeld}
	case !ends && b.posted[o.from]-b.held[o.from] < o.amount:
		return b, outcome{refusal: ErrInsufficient}
	}
	b.done[o.number] = true
	switch o.kind {
	case Move:
		b.posted[o.from] -= o.amount
		b.posted[o.to] += o.amount
	case Hold:
		b.held[o.from] += o.amount
		b.holds[o.number].amount, b.holds[o.number].from, b.holds[o.number].to = o.amount, o.from, o.to
	case Post, Void:
		b.holds[o.hold].ended = true
		b.held[h.from] -= h.amount
		if o.kind == Post {
			b.posted[h.from] -= o.amount
			b.posted[h.to] += o.amount
		}
	}
	return b, outcome{}
}

var linearModel = porcupine.Model{
	Init: func() any { return books{posted: [3]int64{100, 100, 0}} },
	Step: func(state, input, output any) (bool, any) {
		b, o, seen := state.(books), input.(op), output.(outcome)
		next, want := b.step(o)
		return seen.unknown || seen == want, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
}

// What many clients see, who move, hold, capture, void, read, send again and give up, is
// what they would see one after the other (linearizability); and the numbers that accounts
// give their transfers fit one order, in which nothing that was over comes after what began
// later (strict serialisability).
func TestHistoriesAreLinear(t *testing.T) {
	histories := 25
	if dbtest.Long() {
		histories = 1000
	}
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		l, other := New(db, time.Now), New(db, time.Now) // as two replicas have
		dbtest.NoTurns(t, db, "transfers")
		open(t, l, Account{ID: "world", Unit: cny, Kind: Open})
		unknown := 0
		for n := range histories {
			h := newHistory(t, n, l, other)
			h.run(t, rand.New(rand.NewPCG(uint64(n), 7)))
			if got := porcupine.CheckOperationsTimeout(linearModel, h.ops, time.Minute); got != porcupine.Ok {
				t.Fatalf("history %d is not linear (%s):\n%s", n, got, h)
			}
			h.wantOrder(t)
			for _, o := range h.ops {
				if o.Output.(outcome).unknown {
					unknown++
				}
			}
		}
		if unknown == 0 {
			t.Error("no client has given up, so this shows less than it should")
		}
		t.Logf("%d histories of %d operations, %d of them with an unknown end", histories, clients*opsPerClient, unknown)
		wantSound(t, l)
	}, Migrate)
}

// history is what clients did with accounts of their own, and when.
type history struct {
	replicas []*Ledger
	name     string
	accounts [3]AccountID
	start    time.Time
	mu       sync.Mutex
	ops      []porcupine.Operation // guarded by mu
}

func newHistory(t *testing.T, n int, replicas ...*Ledger) *history {
	t.Helper()
	h, l := &history{replicas: replicas, name: fmt.Sprint("h", n, "-"), start: time.Now()}, replicas[0]
	for i := range h.accounts {
		h.accounts[i] = AccountID(fmt.Sprint(h.name, i))
		open(t, l, Account{ID: h.accounts[i], Unit: cny, Kind: Guarded})
	}
	must(t, l, move(h.name+"fund0", "world", h.accounts[0], 100), move(h.name+"fund1", "world", h.accounts[1], 100))
	return h
}

func (h *history) run(t *testing.T, r *rand.Rand) {
	t.Helper()
	plans := make([][]op, clients)
	patience := make([][]time.Duration, clients)
	for c := range plans {
		for i := range opsPerClient {
			o := op{
				number: c*opsPerClient + i, from: r.IntN(3), amount: 1 + r.Int64N(40),
				kind: []Kind{Move, Hold, Hold, Post, Post, Void, read, read}[r.IntN(8)],
				hold: r.IntN(clients * (i + 1)), // one of those that may be there by then
			}
			if o.kind == Post { // of most holds a part
				o.amount = 1 + o.amount/3
			}
			o.to = (o.from + 1 + r.IntN(2)) % 3
			o.hold = o.hold%clients*opsPerClient + o.hold/clients
			if c > 0 && r.IntN(6) == 0 {
				o = plans[c-1][i] // what another one sends at about the same time
			}
			plans[c] = append(plans[c], o)
			wait := time.Minute
			if r.IntN(8) == 0 {
				wait = time.Duration(r.IntN(3000)) * time.Microsecond
			}
			patience[c] = append(patience[c], wait)
		}
	}
	var wg sync.WaitGroup
	for c := range plans {
		wg.Go(func() {
			for i, o := range plans[c] {
				h.do(t, c, o, patience[c][i])
			}
		})
	}
	wg.Wait()
}

func (h *history) do(t *testing.T, client int, o op, patience time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	call := time.Since(h.start)
	out, err := h.send(ctx, h.replicas[client%len(h.replicas)], o)
	ret := time.Since(h.start)
	switch {
	case err != nil && ctx.Err() == nil && time.Now().Before(deadline): // a dialer may notice the end before ctx does
		t.Errorf("%+v: %v", o, err)
	case err != nil && o.kind == read:
		return // it told nobody anything
	case err != nil:
		out, ret = outcome{unknown: true}, math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: o, Call: int64(call), Output: out, Return: int64(ret)})
}

func (h *history) id(number int) TransferID { return TransferID(fmt.Sprint(h.name, "t", number)) }

// send gives what a client saw; the error is for no answer.
func (h *history) send(ctx context.Context, l *Ledger, o op) (outcome, error) {
	if o.kind == read {
		b, err := l.Balance(ctx, h.accounts[o.from])
		return outcome{posted: b.Posted, held: b.Held}, err
	}
	t := Transfer{ID: h.id(o.number), Kind: o.kind, Debit: h.accounts[o.from], Credit: h.accounts[o.to], Unit: cny, Amount: o.amount}
	if o.kind == Post || o.kind == Void {
		t = Transfer{ID: t.ID, Kind: o.kind, Hold: h.id(o.hold), Amount: o.amount}
	}
	err := l.Post(ctx, Group{t})
	for _, refusal := range []error{ErrInsufficient, ErrNotHeld, ErrTransfer} {
		if errors.Is(err, refusal) {
			return outcome{refusal: refusal}, nil
		}
	}
	return outcome{}, err
}

func (h *history) String() string {
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var text strings.Builder
	for _, o := range h.ops {
		fmt.Fprintf(&text, "%d-%d client %d: %+v: %+v\n", o.Call, o.Return, o.ClientId, o.Input, o.Output)
	}
	return text.String()
}

// wantOrder makes the graph of what came before what: by the numbers in each account, and
// by the clients' clock. Without a circle there is one order that fits all.
func (h *history) wantOrder(t *testing.T) {
	t.Helper()
	before := map[TransferID][]TransferID{}
	for _, id := range h.accounts {
		p, err := h.replicas[0].Period(t.Context(), id, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var last TransferID
		for entries, err := range h.replicas[0].Each(t.Context(), p) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				before[e.Transfer.ID] = append(before[e.Transfer.ID], last)
				last = e.Transfer.ID
			}
		}
	}
	first := map[TransferID]int64{} // when the first client that sent it had its answer
	began := map[TransferID]int64{}
	for _, o := range h.ops {
		id := h.id(o.Input.(op).number)
		if out := o.Output.(outcome); before[id] == nil || out.refusal != nil || o.Input.(op).kind == read {
			continue
		}
		if f, ok := first[id]; !ok || o.Return < f {
			first[id] = o.Return
		}
		if b, ok := began[id]; !ok || o.Call < b {
			began[id] = o.Call
		}
	}
	for a, end := range first {
		for b, start := range began {
			if end < start {
				before[b] = append(before[b], a)
			}
		}
	}
	state := map[TransferID]int{} // 1 under way, 2 done
	var visit func(id TransferID)
	visit = func(id TransferID) {
		if state[id] == 1 {
			t.Fatalf("%s comes before itself:\n%s", id, h)
		}
		if state[id] == 0 {
			state[id] = 1
			for _, b := range before[id] {
				visit(b)
			}
			state[id] = 2
		}
	}
	for id := range before {
		visit(id)
	}
}
