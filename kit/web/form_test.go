package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

// A file that was sent with a form lies on disk until it is answered, and no longer.
func TestFilesOfAFormAreDeleted(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	files := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		return len(entries)
	}
	page := Page(func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := FileForm(r); err != nil || files() != 1 {
			t.Errorf("%d files, %v; want one", files(), err)
		}
		return nil
	})
	// As in the market, what stands before the page passes a copy of the request on.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page.ServeHTTP(w, r.WithContext(r.Context())) }))
	t.Cleanup(s.Close)
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("image", "large.png")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(make([]byte, 11<<20)); err != nil { // net/http adds 10 MiB to what may be in memory
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(s.URL, form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	s.Close() // waits for the page
	if n := files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}
