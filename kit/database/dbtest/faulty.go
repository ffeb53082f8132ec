package dbtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"jishi/kit/fault"
)

// Faulty is a way to a MariaDB on which happens what can happen to a transaction: at a
// rate, drawn by a seed, a statement is answered by one of the errors that mean "run again"
// of MySQL, MariaDB and TiDB, or the connection is lost, before COMMIT or in it. It speaks
// just enough of the protocol, so that the real driver meets the faults and the program
// knows nothing of them.
type Faulty struct {
	URL string // of the database on this way

	server string
	rate   float64
	quiet  atomic.Bool

	mu     sync.Mutex
	rand   *rand.Rand     // guarded by mu
	counts map[string]int // guarded by mu; faults by name
	next   string         // guarded by mu; see Deadlock
	last   int            // guarded by mu; see GoAway: COMMITs until then, 0 for never
	how    Leave          // guarded by mu
	away   bool           // guarded by mu

	cut func(before, statement string) bool // guarded by mu; see Cut
}

// NewFaulty is a way to the database at url; rate is the part of statements that fail.
func NewFaulty(tb testing.TB, address string, seed uint64, rate float64) *Faulty {
	tb.Helper()
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	f := &Faulty{server: u.Host, rate: rate, rand: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	u.Host = l.Addr().String()
	f.URL = u.String()
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			connections.Go(func() { f.serve(client) })
		}
	})
	tb.Cleanup(func() { // after the databases that use it are closed
		_ = l.Close()
		connections.Wait()
	})
	return f
}

// UnderFaults runs a test on ways to MariaDB, each with a seed and a rate of its own between 1 and
// 10 %: so many in the short form, 100 in the long one. A way on which nothing happened fails it,
// and in the long form a fault that happened on none of them.
func UnderFaults(t *testing.T, ways uint64, fn func(t *testing.T, address string, way *Faulty)) {
	t.Helper()
	if Long() {
		ways = 100
	}
	all, ran := map[string]int{}, uint64(0)
	for seed := range ways {
		rate := 0.01 + 0.09*rand.New(rand.NewPCG(seed, 1)).Float64()
		t.Run(fmt.Sprintf("seed %d, %.3f", seed, rate), func(t *testing.T) {
			address := MariaDB(t)
			way := NewFaulty(t, address, seed, rate)
			fn(t, address, way)
			counts := way.Counts()
			t.Logf("faults: %v", counts)
			if len(counts) == 0 {
				t.Error("there was no fault, so this shows nothing")
			}
			for name, n := range counts {
				all[name] += n
			}
			ran++
		})
	}
	for _, name := range FaultNames() {
		if Long() && ran == ways && all[name] == 0 {
			t.Errorf("%s has happened on none of %d ways", name, ways)
		}
	}
}

// Insist asks until it is known how it ended: neither busy nor unknown.
func Insist[T any](ask func() (T, error)) (T, error) {
	for {
		got, err := ask()
		if f := fault.Of(err); err == nil || (f.Kind != fault.Busy && f.Kind != fault.Unknown) {
			return got, err
		}
	}
}

// Quiet ends the faults, so that something can be made ready or looked at, or has them go on.
func (f *Faulty) Quiet(quiet bool) { f.quiet.Store(quiet) }

// Deadlock has the next statement that begins so end its transaction with 1213, quiet or not.
func (f *Faulty) Deadlock(statement string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = statement
}

// Cut has each statement for which when is true end its connection, done or not, quiet or
// not; nil ends that. It is asked with the statement before it on that connection too.
func (f *Faulty) Cut(how Leave, when func(before, statement string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.how, f.cut = how, when
}

// Leave is what becomes of the statement with which a database goes away, or a connection ends.
type Leave string

// The ways to leave.
const (
	NotDone  Leave = "not done"
	Unheard  Leave = "done, and not answered"
	Answered Leave = "done and answered"
)

// GoAway has the database be away from the nth COMMIT on, or with 0 from now on, whatever
// comes, until Return.
func (f *Faulty) GoAway(n int, how Leave) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.how, f.away = n, how, n == 0
}

// Return brings the database back, and tells whether it was away.
func (f *Faulty) Return() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.away
	f.last, f.away = 0, false
	return was
}

func (f *Faulty) isAway() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.away
}

// leave tells whether the database goes away with this statement, or its connection does.
func (f *Faulty) leave(before, statement []byte) (how Leave, now bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut != nil && f.cut(string(before), string(statement)) {
		return f.how, true
	}
	if f.last == 0 || string(statement) != "COMMIT" {
		return "", false
	}
	f.last--
	f.away = f.last == 0
	return f.how, f.away
}

// Counts are the faults so far, by their names.
func (f *Faulty) Counts() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[string]int{}
	for name, n := range f.counts {
		counts[name] = n
	}
	return counts
}

// mishap is what can happen to a statement.
type mishap struct {
	name string
	// code is the error that the server would give; 0 is a lost connection.
	code uint16
	// instead is done in place of the statement: what the server would do as well.
	instead string
	// deliver has a COMMIT done whose reply is lost.
	deliver bool
}

const rollback = "ROLLBACK"

// InnoDB takes back the transaction with 1213, and only the statement with 1205 and 1020.
var (
	anywhere = []mishap{
		{"1213 deadlock", 1213, rollback, false},
		{"1205 lock wait timeout", 1205, "DO 0", false},
		{"1020 record has changed", 1020, "DO 0", false},
		{"TiDB 9007 write conflict", 9007, rollback, false},
		{"TiDB 8002 for update", 8002, rollback, false},
		{"TiDB 8005 write conflict", 8005, rollback, false},
		{"TiDB 9004 resolve lock timeout", 9004, rollback, false},
		{"pessimistic lock retry limit reached", 1105, "DO 0", false}, // TiDB knows it by this text only
		{"lost before COMMIT", 0, "", false},
	}
	inCommit = []mishap{
		{"TiDB 9007 in COMMIT", 9007, rollback, false},
		{"TiDB 8022 in COMMIT", 8022, rollback, false},
		{"TiDB 8028 in COMMIT", 8028, rollback, false},
		{"TiDB 8005 in COMMIT", 8005, rollback, false},
		{"TiDB 9004 in COMMIT, not done", 9004, rollback, false},
		{"TiDB 9004 in COMMIT, but done", 9004, "", true},
		{"1598 binary log failed, not done", 1598, rollback, false},
		{"1598 binary log failed, but done", 1598, "", true},
		{"lost in COMMIT, not done", 0, "", false},
		{"lost in COMMIT, but done", 0, "", true},
	}
)

// FaultNames are those that [Faulty.Counts] can have.
func FaultNames() []string {
	var names []string
	for _, f := range append(anywhere, inCommit...) {
		names = append(names, f.name)
	}
	return names
}

// commit is so much rarer than other statements that its faults come more often, to be of
// about the same number.
const commitWeight = 4

// draw says what happens to a statement; nil is nothing.
func (f *Faulty) draw(statement []byte) *mishap {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next != "" && bytes.HasPrefix(statement, []byte(f.next)) {
		f.next = ""
		f.counts[anywhere[0].name]++
		return &anywhere[0]
	}
	faults, rate := anywhere, f.rate
	switch {
	case f.quiet.Load():
		return nil
	case string(statement) == "COMMIT":
		faults, rate = inCommit, min(f.rate*commitWeight, 0.5)
	case string(statement) == rollback, len(statement) > 3 && string(statement[:3]) == "SET":
		return nil // of the driver itself; a failure there is as if the connection were lost
	}
	if f.rand.Float64() >= rate {
		return nil
	}
	what := &faults[f.rand.IntN(len(faults))]
	f.counts[what.name]++
	return what
}

// query is the first byte of a packet that has a statement.
const query = 3

func (f *Faulty) serve(client net.Conn) {
	defer client.Close()
	if f.isAway() {
		return
	}
	server, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer server.Close()
	// replace is the fault whose packet goes to the client in place of the server's next one.
	// It is set while the server has nothing to say, and asked when it says something.
	var replace atomic.Pointer[mishap]
	var replies sync.WaitGroup
	replies.Go(func() {
		defer client.Close()
		for {
			packet, err := readPacket(server)
			if err != nil {
				return
			}
			if what := replace.Swap(nil); what != nil {
				if what.code == 0 {
					return
				}
				packet = errorPacket(what)
			}
			if _, err := client.Write(packet); err != nil {
				return
			}
		}
	})
	defer replies.Wait()
	defer server.Close()
	var before []byte
	for {
		packet, err := readPacket(client)
		if err != nil || f.isAway() {
			return
		}
		if len(packet) > 5 && packet[4] == query {
			switch how, now := f.leave(before, packet[5:]); {
			case now && how == NotDone:
				return
			case now && how == Unheard:
				replace.Store(&mishap{name: "lost in COMMIT, but done", deliver: true})
			}
			before = packet[5:]
			if what := f.draw(packet[5:]); what != nil {
				if what.code == 0 && !what.deliver {
					return
				}
				replace.Store(what)
				if what.instead != "" {
					packet = statementPacket(what.instead)
				}
			}
		}
		if _, err := server.Write(packet); err != nil {
			return
		}
	}
}

// A packet begins with three bytes of length and one that counts; see
// https://mariadb.com/kb/en/0-packet/
const header = 4

func readPacket(from io.Reader) ([]byte, error) {
	packet := make([]byte, header)
	if _, err := io.ReadFull(from, packet); err != nil {
		return nil, err
	}
	length := int(packet[0]) | int(packet[1])<<8 | int(packet[2])<<16
	if length == 1<<24-1 {
		return nil, errors.New("a statement that long is in several packets, which isn't foreseen here")
	}
	packet = append(packet, make([]byte, length)...)
	_, err := io.ReadFull(from, packet[header:])
	return packet, err
}

func packetOf(count byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), count}, payload...)
}

func statementPacket(statement string) []byte {
	return packetOf(0, append([]byte{query}, statement...))
}

func errorPacket(what *mishap) []byte {
	payload := binary.LittleEndian.AppendUint16([]byte{0xff}, what.code)
	return packetOf(1, append(payload, "#HY000"+what.name...))
}
