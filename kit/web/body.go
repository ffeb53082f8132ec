package web

import (
	"io"
	"net/http"
)

// ReadBody is the whole body of a request. One of more than limit bytes is refused.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, unreadable(err)
	}
	return b, nil
}
