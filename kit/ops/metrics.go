package ops

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are those of a process. Labels come from small fixed sets: routes, statuses,
// never ids or paths.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	batches  batchMetrics
}

// batchMetrics are those of group commit, by module.
type batchMetrics struct{ size, wait, took *prometheus.HistogramVec }

func newBatchMetrics() batchMetrics {
	histogram := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"module"})
	}
	seconds := prometheus.ExponentialBuckets(0.0005, 2, 14)
	return batchMetrics{
		size: histogram("jishi_commit_batch_size", "Requests that were written in one transaction.", prometheus.ExponentialBuckets(1, 2, 11)),
		wait: histogram("jishi_commit_wait_seconds", "How long the oldest request of a transaction waited for it to begin.", seconds),
		took: histogram("jishi_commit_seconds", "How long a transaction of many requests took.", seconds),
	}
}

// NewMetrics gives the metrics of a process that has just started.
func NewMetrics() *Metrics {
	m := &Metrics{
		batches:  newBatchMetrics(),
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jishi_http_requests_total",
			Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "jishi_http_request_seconds",
			Help:    "Time to answer a request, by route.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.batches.size, m.batches.wait, m.batches.took,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Reading is a metric with a value for each of its label's values, which are read when
// somebody looks. What can't be read then is left out.
type Reading struct {
	Name, Help, Label string
	Counter           bool // its values never fall while the process lives
	Read              func(context.Context) (map[string]float64, error)
}

// Add shows a reading of a module.
func (m *Metrics) Add(module string, r Reading) {
	kind := prometheus.GaugeValue
	if r.Counter {
		kind = prometheus.CounterValue
	}
	labels := prometheus.Labels{"module": module}
	m.registry.MustRegister(reader{r, prometheus.NewDesc(r.Name, r.Help, []string{r.Label}, labels), kind})
}

// readFor bounds how long a reading takes.
const readFor = 2 * time.Second

type reader struct {
	Reading
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func (r reader) Describe(to chan<- *prometheus.Desc) { to <- r.desc }

func (r reader) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readFor)
	defer cancel()
	values, err := r.Read(ctx)
	if err != nil {
		return // the other metrics are wanted all the more
	}
	for label, value := range values {
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, value, label)
	}
}

// Batches is told of a module's group commits, as the committer's observer.
func (m *Metrics) Batches(module string) func(size int, waited, took time.Duration) {
	size, wait, seconds := m.batches.size.WithLabelValues(module), m.batches.wait.WithLabelValues(module), m.batches.took.WithLabelValues(module)
	return func(n int, waited, took time.Duration) {
		size.Observe(float64(n))
		wait.Observe(waited.Seconds())
		seconds.Observe(took.Seconds())
	}
}

// Private is the operator's own listener: /healthz (the process runs), /readyz (it can
// serve: its databases answer), /metrics and /debug/pprof/.
func (m *Metrics) Private(ready func(context.Context) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
