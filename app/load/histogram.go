package load

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// Times are counted in microseconds, in buckets that are exact up to 2^precision of them
// and then as wide as 1/2^precision of what they hold, up to 2^longest, some 19 hours.
const (
	precision = 7
	longest   = 36
	buckets   = (longest-precision-1)<<precision + 2<<precision
)

// histogram counts times; any number of clients may add to it at once. Its zero value
// is empty.
type histogram struct {
	counts [buckets]atomic.Int64
	most   atomic.Int64 // microseconds
}

func (h *histogram) add(d time.Duration) {
	v := min(max(d.Microseconds(), 0), 1<<longest-1)
	h.counts[bucket(v)].Add(1)
	for {
		most := h.most.Load()
		if v <= most || h.most.CompareAndSwap(most, v) {
			return
		}
	}
}

func bucket(v int64) int {
	shift := max(bits.Len64(uint64(v))-precision-1, 0) // #nosec G115 -- not negative
	return shift<<precision + int(v>>shift)
}

// above is the largest time of a bucket, in microseconds.
func above(bucket int) int64 {
	shift := max(bucket>>precision-1, 0)
	return int64(bucket-shift<<precision+1)<<shift - 1
}

// count is how many times there are.
func (h *histogram) count() int64 {
	var n int64
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Latency is how long requests took, in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

func (h *histogram) latency() Latency {
	n := h.count()
	at := func(share float64) float64 {
		rank, seen := int64(math.Ceil(share*float64(n))), int64(0)
		for i := range h.counts {
			if seen += h.counts[i].Load(); seen >= rank {
				return float64(min(above(i), h.most.Load())) / 1000
			}
		}
		return 0
	}
	if n == 0 {
		return Latency{}
	}
	return Latency{P50: at(0.50), P95: at(0.95), P99: at(0.99), P999: at(0.999), Max: float64(h.most.Load()) / 1000}
}
