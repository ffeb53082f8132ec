package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const serveVariable = "LOAD_TEST_SERVE" // makes this process the server of the benchmark

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() { // until the benchmark is over
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	order := `{"id":"ord_1","state":"paid","items":"` + strings.Repeat("x", 800) + `"}`
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		_, _ = io.WriteString(w, order)
	})))
}

// BenchmarkRequest is what a purchase costs the driver: processor time of this process
// alone, against a server in another one that does nothing.
func BenchmarkRequest(b *testing.B) {
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serveVariable+"=1")
	alive, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = alive.Close(), server.Wait() }()
	var address string
	if _, err := fmt.Fscan(out, &address); err != nil {
		b.Fatal(err)
	}
	for _, clients := range []int{64, 1000} {
		b.Run(fmt.Sprint(clients, " clients"), func(b *testing.B) {
			d := &driver{world: &world{tokens: make([]string, clients), products: []string{"prd_1"}}, tally: newTally()}
			for i := range d.world.tokens {
				d.world.tokens[i] = strings.Repeat("t", 700) // as long as a token is
			}
			d.mix, _ = newMix(map[string]int{"buy": 1})
			for i := range clients {
				d.clients = append(d.clients, &client{driver: d, number: i, host: address, conn: &conn{address: address}})
			}
			d.run(b.Context(), phase{count: int64(clients), buyers: clients}) // connects
			b.ResetTimer()
			took := d.run(b.Context(), phase{count: int64(b.N), buyers: clients})
			b.ReportMetric(float64(d.tally.cpu.Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(b.N)/took.Seconds(), "requests/s")
			for _, c := range d.clients {
				c.conn.close()
			}
			if n := d.tally.orders.ends[paid].Load(); n != int64(b.N+clients) {
				b.Errorf("%d of %d were paid: %v", n, b.N+clients, d.tally.errors)
			}
		})
	}
}
