// Package localetest checks a package's texts against the code that shows them.
package localetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jishi/kit/locale"
)

// Sources is where texts are shown.
type Sources struct {
	Dirs    []string // folders with .go and .templ files, not searched deeper
	Shared  []fs.FS  // texts of other packages that these sources show too
	Dynamic []string // beginnings of keys that are put together while running, such as "order.state."
}

var (
	// shown matches the literal key of a text: locale.T(ctx, "key"…), web.SetFlash(w, r, "key"…).
	shown = regexp.MustCompile(`(?:\bT\([^"\n]*?\s*,\s*|\bSetFlash\([^"\n]*?,\s*)"([^"]+)"`)
	// declared matches the code of a refusal: fault.New(fault.Conflict, "code"…), in package fault New(Conflict, "code"…).
	declared = regexp.MustCompile(`(?:\bfault\.|[^.\w])New\(\s*[\w.]+,\s*"([^"]+)"`)
	literal  = regexp.MustCompile(`"([^"\\\n]+)"`)
)

// Check fails the test for every key that is shown or declared in the sources and has
// no text, that lacks a text in one language, or whose text nothing shows. Texts of
// refusals ("fault.…") may be of other packages' refusals, and count as shown.
func Check(t testing.TB, texts fs.FS, sources Sources) {
	t.Helper()
	if _, err := locale.New(append([]fs.FS{texts}, sources.Shared...)...); err != nil {
		t.Error(err)
	}
	own := keys(t, texts)
	known := map[string]bool{}
	for _, k := range own {
		known[k] = true
	}
	for _, f := range sources.Shared {
		for _, k := range keys(t, f) {
			known[k] = true
		}
	}
	used := map[string]bool{}
	for _, dir := range sources.Dirs {
		for name, text := range read(t, dir) {
			for _, m := range shown.FindAllStringSubmatch(text, -1) {
				if !known[m[1]] && !sources.dynamic(m[1]) {
					t.Errorf("%s shows %q, which has no text", name, m[1])
				}
			}
			for _, m := range declared.FindAllStringSubmatch(text, -1) {
				if !known["fault."+m[1]] {
					t.Errorf("%s declares %q, and there is no text \"fault.%s\"", name, m[1], m[1])
				}
			}
			for _, m := range literal.FindAllStringSubmatch(text, -1) {
				used[m[1]] = true
			}
		}
	}
	for _, k := range own {
		if !used[k] && !sources.dynamic(k) && !strings.HasPrefix(k, "fault.") {
			t.Errorf("nothing shows %q", k)
		}
	}
}

func (s Sources) dynamic(key string) bool {
	return slices.ContainsFunc(s.Dynamic, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

func keys(t testing.TB, texts fs.FS) []string {
	t.Helper()
	k, err := locale.Keys(texts, "zh")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(k)
	return k
}

// read gives the sources of a folder by name, without tests and generated code.
func read(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, e := range entries {
		n := e.Name()
		if e.IsDir() || strings.HasSuffix(n, "_test.go") || strings.HasSuffix(n, "_templ.go") ||
			!strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, ".templ") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Join(dir, n)] = string(b)
	}
	return texts
}
