package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const sample = `<!doctype html><html lang="en"><head><title>x</title></head><body style="margin:0"><main>
<h1>%s</h1><p id="mode">no script</p><script src="/script.js"></script>
<form id="f" method="post" action="/next" enctype="multipart/form-data">
<input name="text" value="old"><input name="n" type="number" value="1"><input name="file" type="file"><button>Go</button></form>
<div style="height:3000px"></div><a id="end" href="/next">end</a></main></body></html>`

// server has a form that leads to what was typed.
func server(t *testing.T) string {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		title := "first"
		if r.Method == http.MethodPost {
			_, file, err := r.FormFile("file")
			if err != nil {
				t.Error(err)
				return
			}
			title = r.FormValue("text") + " " + r.FormValue("n") + " " + file.Filename
		}
		_, _ = fmt.Fprintf(w, sample, title)
	})
	mux.HandleFunc("/script.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = fmt.Fprint(w, `document.getElementById("mode").textContent = "script"`)
	})
	mux.HandleFunc("/favicon.ico", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/wrong", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `<h1>wrong</h1><img src="/x.png"><script>1</script>`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

func TestAPersonUsesAPage(t *testing.T) {
	for name, script := range map[string]bool{"script": true, "no script": false} {
		t.Run(name, func(t *testing.T) {
			base := server(t)
			file := filepath.Join(t.TempDir(), "a.txt")
			if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			b := Open(t, Config{Script: script, Language: "zh-CN"})
			b.Go(base)
			b.See("#mode", name)
			b.Fill("[name=text]", "new 茶壶")
			b.Fill("[name=n]", "42")
			b.Upload("[name=file]", file)
			b.Follow("#f button")
			b.See("h1", "new 茶壶 42 a.txt")
			b.At("/next")
			b.Follow("#end") // below the window
			b.See("h1", "first")
			if n := len(b.Screenshot()); n < 1000 {
				t.Errorf("screenshot of %d bytes", n)
			}
		})
	}
}

func TestAProblemIsSeen(t *testing.T) {
	base := server(t)
	b := Open(t, Config{Script: true})
	b.Go(base + "/wrong")
	b.See("h1", "wrong")
	b.problems.mu.Lock()
	defer b.problems.mu.Unlock()
	all := strings.Join(b.problems.texts, "\n")
	for _, want := range []string{"status 404 of", "Content-Security-Policy"} {
		if !strings.Contains(all, want) {
			t.Errorf("problems are %q, want one with %q", all, want)
		}
	}
	b.problems.texts = nil
}
