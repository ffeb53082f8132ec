package ops

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// line is what is known of a request that is under way.
type line struct {
	mu    sync.Mutex // guards the rest: handlers may note from several goroutines
	route string
	attrs []slog.Attr
	gone  bool // it failed at nothing but that its context ended
}

type lineKey struct{}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// Note adds to the line of the request that ctx belongs to.
func Note(ctx context.Context, attrs ...slog.Attr) {
	if l := lineOf(ctx); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.attrs = append(l.attrs, attrs...)
	}
}

// Failed notes at what the request that ctx belongs to failed.
func Failed(ctx context.Context, err error) {
	if l := lineOf(ctx); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.attrs = append(l.attrs, slog.String("err", err.Error()))
		l.gone = isCancel(err)
	}
}

// isCancel tells whether an error says nothing but that a context was canceled; of errors that
// are joined each has to.
func isCancel(err error) bool {
	if all, joined := err.(interface{ Unwrap() []error }); joined {
		return !slices.ContainsFunc(all.Unwrap(), func(e error) bool { return !isCancel(e) })
	}
	if inner := errors.Unwrap(err); inner != nil {
		return isCancel(inner)
	}
	return errors.Is(err, context.Canceled)
}

// Route names the route pattern of the request that ctx belongs to: the label of its
// line and of its metrics, which a path with its ids could not be.
func Route(ctx context.Context, pattern string) {
	if l := lineOf(ctx); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.route = pattern
	}
}

// statusLeft is what a request counts with whose sender left before there was an answer, and
// which failed at nothing else. Nobody gets it; nginx's log has the same number for it.
const statusLeft = 499

// hung is how long a sender waits who leaves because something hangs: less than the modules' own
// clients do.
const hung = 5 * time.Second

// Requests writes one line per request and counts it. Answers of 500 and more are
// errors, a sender who waited for long and left is a warning, the rest is information.
func Requests(log *slog.Logger, m *Metrics) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			l := &line{}
			rec := &recorder{ResponseWriter: w, status: http.StatusOK}
			ctx := context.WithValue(r.Context(), lineKey{}, l)
			cut := true
			// Also when an answer is cut off by a panic. One of which nothing was sent never was.
			defer func() {
				if cut && !rec.sent {
					rec.status = http.StatusInternalServerError
				}
				m.request(ctx, log, r.Method, l, rec, time.Since(start))
			}()
			next.ServeHTTP(rec, r.WithContext(ctx))
			cut = false
		})
	}
}

// request counts a request that is over, and writes its line.
func (m *Metrics) request(ctx context.Context, log *slog.Logger, method string, l *line, rec *recorder, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.route == "" {
		l.route = "other"
	}
	// While it is answered nothing but its sender's leaving cancels a request itself.
	if l.gone && rec.status >= http.StatusInternalServerError && errors.Is(ctx.Err(), context.Canceled) {
		rec.status = statusLeft
	}
	m.requests.WithLabelValues(l.route, strconv.Itoa(rec.status)).Inc()
	m.seconds.WithLabelValues(l.route).Observe(took.Seconds())
	level := slog.LevelInfo
	switch {
	case rec.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case rec.status == statusLeft && took >= hung:
		level = slog.LevelWarn
	}
	log.LogAttrs(ctx, level, "request", append(l.attrs,
		slog.String("method", method),
		slog.String("route", l.route),
		slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes),
		slog.Duration("took", took),
	)...)
}

// recorder keeps what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
	sent   bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.sent {
		r.status, r.sent = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.sent = true
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
