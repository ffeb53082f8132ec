package web_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jishi/kit/web"
)

// A file that breaks off is an error for who reads it, though its status was sent.
func TestAFileIsWholeOrAnError(t *testing.T) {
	for name, broken := range map[string]error{"whole": nil, "broken": errors.New("the database went away")} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(web.File{Name: "a b.csv", Type: "text/csv", Write: func(w io.Writer) error {
				_, err := io.WriteString(w, strings.Repeat("x", 10000))
				return errors.Join(err, broken)
			}})
			defer s.Close()
			res, err := http.Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if (err != nil) != (broken != nil) {
				t.Errorf("got %d bytes, %v", len(b), err)
			}
			if got := res.Header.Get("Content-Disposition"); got != `attachment; filename="a b.csv"` {
				t.Errorf("saved as %s", got)
			}
		})
	}
}
