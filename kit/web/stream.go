package web

import (
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"jishi/kit/ops"
)

// File is an answer that is written while it is made, whatever its length: something to
// be saved under a name.
type File struct {
	Name, Type string
	Write      func(io.Writer) error
}

// standstill is how long the reader of a file may take nothing of it.
const standstill = time.Minute

// ServeHTTP sends it. Where it can't be written to its end the connection is cut, so that
// nobody takes a part for the whole.
func (f File) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", f.Type)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	w.Header().Set("Cache-Control", "no-store")
	out := patient{w, http.NewResponseController(w)}
	if err := f.Write(out); err != nil {
		ops.Failed(r.Context(), err)
		panic(http.ErrAbortHandler)
	}
	out.goOn() // what is still in buffers goes out after this
}

// patient gives each piece of an answer the time that the server has for a whole one.
type patient struct {
	io.Writer
	control *http.ResponseController
}

func (p patient) Write(b []byte) (int, error) {
	p.goOn()
	return p.Writer.Write(b)
}

// goOn leaves a connection alone that has no deadlines, as one in memory.
func (p patient) goOn() { _ = p.control.SetWriteDeadline(time.Now().Add(standstill)) }

// Stream is a File as a call of an API answers with it.
type Stream = huma.StreamResponse

// NewStream makes one.
func NewStream(f File) *Stream {
	return &Stream{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		f.ServeHTTP(w, r)
	}}
}
