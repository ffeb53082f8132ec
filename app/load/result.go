package load

import (
	"fmt"
	"math"
	"time"
)

// Result is what a run found, as the JSON that is printed.
type Result struct {
	Targets       []string          `json:"targets"`
	Clients       int               `json:"clients"`
	Buyers        int               `json:"buyers"`
	Products      int               `json:"products"`
	Rate          float64           `json:"rate,omitempty"` // of an open loop
	SetupSeconds  float64           `json:"setup_seconds"`
	Seconds       float64           `json:"seconds"`
	Requests      int64             `json:"requests"` // that were sent, as in what follows
	PerSecond     float64           `json:"per_second"`
	Latency       Latency           `json:"latency_ms"`
	Actions       map[string]Action `json:"actions"`
	Errors        map[string]int64  `json:"errors"` // by status and code or state, or as no connection and no reply; a sold-out product is one too
	Bytes         Bytes             `json:"bytes"`
	Orders        Orders            `json:"orders"` // with those of the warm-up
	Stock         Stock             `json:"stock"`
	CPUPerRequest float64           `json:"driver_cpu_us"` // what a request cost this side
	Broken        string            `json:"broken,omitempty"`
	Note          string            `json:"note,omitempty"` // what could not be told
}

// Action is how one action did.
type Action struct {
	Done      int64   `json:"done"`
	Failed    int64   `json:"failed"`     // also those that were never sent
	PerSecond float64 `json:"per_second"` // of those that were done
	Latency   Latency `json:"latency_ms"` // of all that were sent
}

// Bytes are those of requests and replies, with their heads; not of setting up, nor of what
// was asked again afterwards.
type Bytes struct {
	Sent     int64 `json:"sent"`
	Received int64 `json:"received"`
}

// Orders is what came of purchases.
type Orders struct {
	Paid    int64 `json:"paid"`
	SoldOut int64 `json:"sold_out"`
	Unpaid  int64 `json:"unpaid"` // placed, and waiting for money
	Refused int64 `json:"refused"`
	Unknown int64 `json:"unknown"` // no answer, although asked again with the same key
}

// Stock is what is left of all products.
type Stock struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

func (d *driver) result(o Options, took time.Duration) Result {
	t := d.tally
	r := Result{
		Targets: o.Targets, Clients: o.Clients, Buyers: o.Buyers, Products: o.Products, Rate: o.Rate,
		Seconds: seconds(took), Requests: t.times.count(), Latency: t.times.latency(),
		Actions: map[string]Action{}, Errors: t.errors,
		Bytes: Bytes{t.sent.Load(), t.received.Load()},
	}
	r.PerSecond = perSecond(r.Requests, took)
	if r.Requests > 0 {
		r.CPUPerRequest = round(float64(t.cpu.Nanoseconds())/1000/float64(r.Requests), 1)
	}
	for i, a := range actions {
		s := &t.actions[i]
		if done, failed := s.done.Load(), s.failed.Load(); done+failed > 0 {
			r.Actions[a.name] = Action{done, failed, perSecond(done, took), s.times.latency()}
		}
	}
	ends := &t.orders.ends
	r.Orders = Orders{
		Paid: ends[paid].Load(), SoldOut: ends[soldOut].Load(), Unpaid: ends[unpaid].Load(), Refused: ends[refused].Load(),
		Unknown: int64(len(t.takeOpen())),
	}
	return r
}

// compare finds what can't be: that more or fewer pieces went than were paid, but for those
// of orders that wait for money, which come back when such an order is called off. Those of
// an earlier run may come back too, unless the products are new; then too few is only noted.
func (r *Result) compare(fresh bool) (broken, note string) {
	gone, o := r.Stock.Before-r.Stock.After, r.Orders
	counts := fmt.Sprintf("%d pieces were paid, %d wait for money, of %d it is unknown; but %d went", o.Paid, o.Unpaid, o.Unknown, gone)
	switch {
	case r.Stock.After < 0:
		return fmt.Sprintf("the stock is %d", r.Stock.After), ""
	case gone > o.Paid+o.Unpaid+o.Unknown || (gone < o.Paid && fresh):
		return counts, ""
	case gone < o.Paid:
		return "", counts + ": unpaid orders of an earlier run may have given theirs back; --verify tells"
	}
	return "", ""
}

func seconds(d time.Duration) float64 { return round(d.Seconds(), 3) }

func perSecond(n int64, d time.Duration) float64 { return round(float64(n)/d.Seconds(), 1) }

func round(f float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(f*unit) / unit
}
