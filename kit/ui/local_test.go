package ui

import (
	"net/url"
	"strings"
	"testing"
)

// Whatever comes as the way back, a browser stays on this origin. What browsers do to an
// address before they read it (WHATWG URL, 4.4) is done to it here: tabs and newlines are
// taken out, space is cut off, and a backslash is a slash.
func FuzzLocalPath(f *testing.F) {
	for _, path := range []string{
		"/", "/cart?x=1#y", "//evil.example", "/\\evil.example", "\\/evil.example", "/\t/evil.example", "/%2f%2fevil.example", "https:evil.example", "javascript:alert(1)",
		" //evil.example", "/.//evil.example", "/..//evil.example", "/%5cevil.example", "/\u3000/evil.example", "/\u0085/evil.example", "/@evil.example", "/:80", "/\xff/",
	} {
		f.Add(path)
	}
	base, err := url.Parse("https://market.example/auth/login")
	if err != nil {
		f.Fatal(err)
	}
	read := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/")
	f.Fuzz(func(t *testing.T, path string) {
		got := LocalPath(path, "/home")
		if got == "/home" {
			return
		}
		if got != path {
			t.Fatalf("%q became %q", path, got)
		}
		seen := strings.Trim(read.Replace(got), " \x00\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f")
		to, err := base.Parse(seen)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || strings.HasPrefix(seen, "//") {
			t.Errorf("%q leads to %v, %v", path, to, err)
		}
		if strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q can't stand in a header", got)
		}
	})
}
