package load

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jishi/shop/shopclient"
)

// Percentiles are at most a hundredth above what sorting gives, and never below.
func TestHistogram(t *testing.T) {
	var h histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond)).Truncate(time.Microsecond)
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	got := h.latency()
	for share, got := range map[float64]float64{0.5: got.P50, 0.95: got.P95, 0.99: got.P99, 0.999: got.P999, 1: got.Max} {
		want := float64(all[int(share*float64(len(all)))-1].Microseconds()) / 1000
		if got < want || got > want*1.01 {
			t.Errorf("p%g is %g ms, want %g", 100*share, got, want)
		}
	}
	for v := int64(1); v < 1<<longest; v = v*17/16 + 1 {
		if b := bucket(v); above(b) < v || above(b-1) >= v {
			t.Errorf("%d is in the bucket from %d to %d", v, above(b-1)+1, above(b))
		}
	}
}

// The connection reads whatever a Go server sends, and gets a new one where it has to.
func TestReplies(t *testing.T) {
	long := strings.Repeat("0123456789", 1000)
	mux := http.NewServeMux()
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "short") })
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, long) })
	mux.HandleFunc("/nothing", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/last", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(409)
		fmt.Fprint(w, `{"code":"shop.sold_out"}`)
	})
	mux.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
	server := httptest.NewServer(mux)
	defer server.Close()
	c := &conn{address: server.Listener.Addr().String()}
	defer c.close()
	for _, x := range []struct {
		path, body string
		status     int
		err        error
	}{
		{"/length", "short", 200, nil},
		{"/chunks", long, 200, nil},
		{"/nothing", "", 204, nil},
		{"/length", "short", 200, nil},
		{"/last", `{"code":"shop.sold_out"}`, 409, nil},
		{"/gone", "", 0, errNoReply},
		{"/length", "short", 200, nil},
	} {
		a := action{line: "GET " + x.path}
		r, err := c.do(a.write(nil, "host", "", "", ""))
		if r.status != x.status || string(r.body) != x.body || err != x.err {
			t.Errorf("%s: got %d %q %v, want %d and %v", x.path, r.status, r.body, err, x.status, x.err)
		}
	}
	server.Close()
	if _, err := c.do([]byte("GET / HTTP/1.1\r\n\r\n")); err != errNoReply {
		t.Errorf("a server that went: got %v, want %v", err, errNoReply)
	}
	if _, err := c.do([]byte("GET / HTTP/1.1\r\n\r\n")); err != errUnsent {
		t.Errorf("no server: got %v, want %v", err, errUnsent)
	}
}

// Of a market that stalls for a second, a schedule of ten a second shows ten requests that
// were late by up to that second; who only asks after each answer sees one.
func TestAStallIsChargedToAllWhoWaited(t *testing.T) {
	for name, x := range map[string]struct {
		rate float64
		late int64
	}{"open loop": {10, 10}, "closed loop": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				go stall(theirs, time.Second, 0)
				d := &driver{world: &world{tokens: make([]string, 1), products: make([]string, 1)}, tally: newTally()}
				d.mix, _ = newMix(map[string]int{"list": 1})
				d.clients = []*client{{driver: d, conn: &conn{net: ours, in: bufio.NewReader(ours)}}}
				d.run(t.Context(), phase{count: 20, rate: x.rate, buyers: 1})
				if n := d.tally.times.count(); n != 20 {
					t.Errorf("%d requests, want 20", n)
				}
				var late int64
				for i := bucket(50_000); i < buckets; i++ {
					late += d.tally.times.counts[i].Load()
				}
				if late != x.late || d.tally.times.latency().Max != 1000 {
					t.Errorf("%d were late, by up to %v ms; want %d by up to 1000", late, d.tally.times.latency().Max, x.late)
				}
				_ = ours.Close()
			})
		})
	}
}

// One of two targets that refuses connections is seen in the errors and nowhere else: its
// client tries ten times a second, and what was never sent is no request and has no time.
func TestATargetThatRefusesIsOnlyAnError(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go stall(theirs, 100*time.Millisecond, 100*time.Millisecond)
		d := &driver{world: &world{tokens: make([]string, 1), products: make([]string, 1)}, tally: newTally()}
		d.mix, _ = newMix(map[string]int{"list": 1})
		d.clients = []*client{
			{driver: d, conn: &conn{net: ours, in: bufio.NewReader(ours)}},
			{driver: d, conn: &conn{address: closed.Addr().String()}},
		}
		// The count ends what would go on for ever: without pauses no time passes here.
		took := d.run(t.Context(), phase{length: time.Second, count: 1000, buyers: 1})
		r := d.result(Options{}, took)
		refused := r.Errors["no connection"]
		if r.Requests != 10 || refused != 10 || r.PerSecond != 10 || r.Latency.P50 != 100 {
			t.Errorf("%d requests, %g a second, half of them in %g ms, errors %v", r.Requests, r.PerSecond, r.Latency.P50, r.Errors)
		}
		if a := r.Actions["list"]; a.Done != r.Requests || a.Failed != refused {
			t.Errorf("%+v", a)
		}
		_ = ours.Close()
	})
}

// stall answers the first request after a while and each other after another.
func stall(c net.Conn, first, others time.Duration) {
	in := bufio.NewReader(c)
	for {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		time.Sleep(first)
		first = others
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

// Who waits for an answer that never comes has waited for all of the client's patience.
func TestNoReplyIsChargedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		d := &driver{world: &world{tokens: make([]string, 1), products: make([]string, 1)}, tally: newTally()}
		d.mix, _ = newMix(map[string]int{"list": 1})
		d.clients = []*client{{driver: d, conn: &conn{net: ours, in: bufio.NewReader(ours)}}}
		r := d.result(Options{}, d.run(t.Context(), phase{count: 1, buyers: 1}))
		if want := float64(patience.Milliseconds()); r.Requests != 1 || r.Errors["no reply"] != 1 || r.Latency.Max != want || r.Actions["list"].Latency.Max != want {
			t.Errorf("%d requests, errors %v, by up to %v ms; want one, of %v", r.Requests, r.Errors, r.Latency.Max, want)
		}
	})
}

// A purchase is done when it is paid: the shop says 201 to an order that it took while pay
// was away, too.
func TestAnOrderThatIsNotPaidIsNotDone(t *testing.T) {
	for state, want := range map[string]struct {
		done   int64
		errors map[string]int64
	}{
		"paid":    {3, map[string]int64{}},
		"pending": {0, map[string]int64{"201 pending": 3}},
	} {
		t.Run(state, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(201)
				fmt.Fprintf(w, `{"id":"ord_1","state":%q}`, state)
			}))
			defer server.Close()
			d := &driver{world: &world{tokens: make([]string, 1), products: []string{"prd_1"}}, tally: newTally()}
			d.mix, _ = newMix(map[string]int{"buy": 1})
			d.clients = []*client{{driver: d, host: "host", conn: &conn{address: server.Listener.Addr().String()}}}
			r := d.result(Options{}, d.run(t.Context(), phase{count: 3, buyers: 1}))
			if a := r.Actions["buy"]; a.Done != want.done || a.Failed != 3-want.done || !maps.Equal(r.Errors, want.errors) {
				t.Errorf("%+v, errors %v; want %d done and errors %v", a, r.Errors, want.done, want.errors)
			}
			d.clients[0].conn.close()
		})
	}
}

// What an answer to a purchase means.
func TestOutcomes(t *testing.T) {
	for want, answers := range map[outcome][]reply{
		paid:    {{201, []byte(`{"id":"ord_1","state":"paid"}`)}},
		unpaid:  {{201, []byte(`{"id":"ord_1","state":"pending"}`)}, {402, []byte(`{"code":"shop.unpaid"}`)}},
		soldOut: {{409, []byte(`{"available":0,"code":"shop.sold_out","detail":"…"}`)}},
		refused: {{503, []byte(`{"code":"busy"}`)}, {409, []byte(`{"code":"shop.unavailable"}`)}, {429, nil}},
		unknown: {{504, []byte(`{"code":"unknown"}`)}, {500, nil}},
	} {
		for _, r := range answers {
			if got := outcomeOf(r, nil); got != want {
				t.Errorf("%d %s: got %d, want %d", r.status, r.body, got, want)
			}
		}
	}
	if got := outcomeOf(reply{}, errUnsent); got != refused {
		t.Errorf("a request that never left: got %d, want %d", got, refused)
	}
	if got := outcomeOf(reply{}, errNoReply); got != unknown {
		t.Errorf("no reply: got %d, want %d", got, unknown)
	}
}

// More or fewer pieces than were paid is broken; those that wait for money may be either. Of
// products that an earlier run left fewer may go.
func TestCompare(t *testing.T) {
	for _, x := range []struct {
		orders Orders
		after  int64
		fresh  bool
		sound  bool
	}{
		{Orders{Paid: 3}, 7, true, true},
		{Orders{Paid: 3}, 8, true, false},
		{Orders{Paid: 3}, 6, true, false},
		{Orders{Paid: 3, Unpaid: 1, Unknown: 1}, 7, true, true},
		{Orders{Paid: 3, Unpaid: 1, Unknown: 1}, 5, true, true},
		{Orders{Paid: 3, Unpaid: 1, Unknown: 1}, 4, true, false},
		{Orders{Paid: 11}, -1, true, false},
		{Orders{Paid: 3}, 7, false, true},
		{Orders{Paid: 3}, 8, false, true},
		{Orders{Paid: 3}, 6, false, false},
		{Orders{Paid: 11}, -1, false, false},
	} {
		r := Result{Orders: x.orders, Stock: Stock{Before: 10, After: x.after}}
		broken, note := r.compare(x.fresh)
		if (broken == "") != x.sound {
			t.Errorf("%+v, %d left: %q", x.orders, x.after, broken)
		}
		if noted := 10-x.after < x.orders.Paid && !x.fresh; (note != "") != noted {
			t.Errorf("%+v, %d left: note %q", x.orders, x.after, note)
		}
	}
}

// Products are new unless an earlier run has left one of them.
func TestOfferSaysWhetherAllIsNew(t *testing.T) {
	for there, want := range map[string]bool{
		"":           true,
		"load 0000":  true,
		"load 00002": false,
	} {
		t.Run(there, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if r.Method == http.MethodPost {
					w.WriteHeader(201)
					fmt.Fprint(w, `{"id":"prd_new"}`)
					return
				}
				fmt.Fprintf(w, `{"items":[{"id":"prd_old","title":%q,"stock":5,"listed":true}]}`, there)
			}))
			defer server.Close()
			ids, fresh, err := offer(t.Context(), shopclient.New(server.URL, server.Client()), Options{Products: 2, Stock: 5})
			if err != nil || fresh != want || slices.Contains(ids, "prd_old") == want {
				t.Errorf("got %v, %t, %v; want new %t", ids, fresh, err, want)
			}
		})
	}
}

// An order that got no answer is asked for again with its key until there is one: a server
// that hangs up twice, doesn't know once and is away and busy once has placed it once.
func TestOpenOrdersAreSettled(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch len(keys) {
		case 1, 2:
			panic(http.ErrAbortHandler)
		case 3, 4, 5:
			w.WriteHeader([]int{504, 503, 429}[len(keys)-3])
			return
		}
		w.WriteHeader(201)
		fmt.Fprint(w, `{"state":"paid"}`)
	}))
	defer server.Close()
	d := &driver{world: &world{tokens: make([]string, 1), products: []string{"prd_1"}}, tally: newTally(), name: "run"}
	d.mix, _ = newMix(map[string]int{"buy": 1})
	d.clients = []*client{{driver: d, host: "host", conn: &conn{address: server.Listener.Addr().String()}}}
	d.run(t.Context(), phase{count: 1, buyers: 1})
	if n := len(d.tally.orders.open); n != 1 {
		t.Errorf("%d orders are open, want 1", n)
	}
	sent := d.tally.sent.Load()
	d.settle(t.Context())
	if n := d.tally.orders.ends[paid].Load(); n != 1 || len(d.tally.takeOpen()) > 0 {
		t.Errorf("%d orders were paid, want 1 and none open", n)
	}
	if want := []string{"run1", "run1", "run1", "run1", "run1", "run1"}; !slices.Equal(keys, want) {
		t.Errorf("keys were %v, want %v", keys, want)
	}
	if n, again := d.tally.times.count(), d.tally.sent.Load()-sent; n != 1 || again != 0 {
		t.Errorf("%d requests, and %d bytes of asking again, which isn't measured", n, again)
	}
	d.clients[0].conn.close()
}
