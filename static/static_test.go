package static

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func fetch(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestAssetsAreKeptForEver(t *testing.T) {
	for name := range assets {
		w := fetch(t, Path(name))
		body, _ := io.ReadAll(w.Body)
		if w.StatusCode != http.StatusOK || !bytes.Equal(body, assets[name].plain) {
			t.Errorf("%s: %s, %d bytes", name, w.Status, len(body))
		}
		if cc := w.Header.Get("Cache-Control"); !strings.Contains(cc, "immutable") {
			t.Errorf("%s: Cache-Control %q", name, cc)
		}
		if w.Header.Get("Content-Type") == "" {
			t.Errorf("%s has no type", name)
		}
	}
	if cc := fetch(t, Prefix+"app.css").Header.Get("Cache-Control"); cc != "no-cache" {
		t.Errorf("without its hash: Cache-Control %q", cc)
	}
}

func TestAssetsAreCompressed(t *testing.T) {
	w := fetch(t, Path("app.css"), "Accept-Encoding", "br, gzip")
	if w.Header.Get("Content-Encoding") != "gzip" || w.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("headers %v", w.Header)
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, assets["app.css"].plain) {
		t.Errorf("unpacks to %d bytes, %v", len(plain), err)
	}
}

func TestAnAssetThatIsKnownIsNotSentAgain(t *testing.T) {
	etag := fetch(t, Prefix+"app.css").Header.Get("ETag")
	if w := fetch(t, Prefix+"app.css", "If-None-Match", etag); w.StatusCode != http.StatusNotModified {
		t.Errorf("got %s", w.Status)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, p := range []string{Prefix, Prefix + "static.go", Prefix + "../static.go", Prefix + "app.000000000000.css"} {
		if w := fetch(t, p); w.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", p, w.Status)
		}
	}
}

// The budget for a page's first visit is 60 KB; 20 KB of it are left to the document.
func TestAssetsAreLight(t *testing.T) {
	sum := 0
	for name, f := range assets {
		t.Logf("%s: %d bytes, %d compressed", name, len(f.plain), len(f.gzipped))
		sum += len(f.gzipped)
	}
	if sum > 40_000 {
		t.Errorf("%d bytes compressed, want at most 40000", sum)
	}
}

// Colours of text on their grounds reach WCAG AA, 4.5:1, in both themes.
func TestContrast(t *testing.T) {
	source, err := os.ReadFile("app.src.css")
	if err != nil {
		t.Fatal(err)
	}
	muted := regexp.MustCompile(`--muted: (#[0-9a-f]{6})`).FindAllSubmatch(source, -1)
	blocks := strings.Split(string(source), `@plugin "daisyui/theme"`)
	if len(blocks) != 3 || len(muted) != 3 {
		t.Fatalf("%d themes, %d muted colours", len(blocks)-1, len(muted))
	}
	for i, block := range blocks[1:] {
		colour := map[string]string{"muted": string(muted[i][1])}
		for _, m := range regexp.MustCompile(`--color-([a-z0-9-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(block, -1) {
			colour[m[1]] = m[2]
		}
		pairs := [][2]string{{"base-content", "base-300"}, {"neutral-content", "neutral"}}
		for _, ground := range []string{"base-100", "base-200"} {
			for _, text := range []string{"base-content", "muted", "primary", "secondary", "info", "success", "error"} {
				pairs = append(pairs, [2]string{text, ground})
			}
		}
		for _, c := range []string{"primary", "secondary", "accent", "info", "success", "warning", "error"} {
			pairs = append(pairs, [2]string{c + "-content", c})
		}
		for _, p := range pairs {
			if r := contrast(t, colour[p[0]], colour[p[1]]); r < 4.5 {
				t.Errorf("theme %d: %s on %s has %.2f:1", i, p[0], p[1], r)
			}
		}
	}
}

// contrast is the ratio of WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio.
func contrast(t *testing.T, a, b string) float64 {
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) != 7 {
		t.Fatalf("no colour %q", hex)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// What is committed is what make gen makes.
func TestTheStylesheetIsUpToDate(t *testing.T) {
	tailwind := filepath.Join("node_modules", ".bin", "tailwindcss")
	if _, err := os.Stat(tailwind); err != nil {
		t.Skip("tailwindcss isn't installed here: npm ci in static/ would")
	}
	out := filepath.Join(t.TempDir(), "app.css")
	made, err := exec.Command(tailwind, "--input", "app.src.css", "--output", out, "--minify").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	same(t, out, "app.css")
}

func TestHtmxIsThatOfThePackage(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("node_modules", "htmx.org", "dist", "htmx.min.js"))
	if err != nil {
		t.Skip("htmx isn't installed here: npm ci in static/ would")
	}
	if !bytes.HasPrefix(source, bytes.TrimSpace(assets["htmx.min.js"].plain)) {
		t.Error("htmx.min.js is another one; make gen copies it")
	}
}

func TestTheTemplatesAreUpToDate(t *testing.T) {
	sources, err := filepath.Glob("../*/*/*.templ")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	dir := t.TempDir()
	for _, s := range sources {
		text, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		// Generated code names its source's path below the root.
		to := filepath.Join(dir, strings.TrimPrefix(s, "../"))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := exec.Command("go", "tool", "templ", "generate", "-log-level", "error", "-path", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	for _, s := range sources {
		code := strings.TrimSuffix(s, ".templ") + "_templ.go"
		same(t, filepath.Join(dir, strings.TrimPrefix(code, "../")), code)
	}
}

func same(t *testing.T, made, committed string) {
	t.Helper()
	m, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	c, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m, c) {
		t.Error(fmt.Sprint(committed, " is out of date: make gen"))
	}
}
