package web

import (
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// ReadBody is the whole body of a request. One of more than limit bytes is refused.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, unreadable(err)
	}
	return b, nil
}

// received is a call's request as huma sees it.
type received struct{ humaContext }

// humaContext is embedded under this name: one of its methods is Context.
type humaContext = huma.Context

// Unwrap lets humago find the request itself.
func (r received) Unwrap() huma.Context { return r.humaContext }

// SetReadDeadline bounds how long a body may take. Where there is none net/http waits already
// for the sender to leave, takes the end of that time for it, and would cancel the call.
func (r received) SetReadDeadline(t time.Time) error {
	if request, _ := humago.Unwrap(r); request.ContentLength == 0 {
		return nil
	}
	return r.humaContext.SetReadDeadline(t)
}

// BodyReader gives the body. Huma takes any fault in reading it for one of ours, but for lateness.
func (r received) BodyReader() io.Reader { return unfinished{r.humaContext.BodyReader()} }

// unfinished is a body whose sender is late, for whatever reason it doesn't come to its end.
type unfinished struct{ io.Reader }

func (u unfinished) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = late{err}
	}
	return n, err
}

// late is a net.Error.
type late struct{ error }

func (late) Timeout() bool   { return true }
func (late) Temporary() bool { return false }
