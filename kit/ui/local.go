package ui

import (
	"net/url"
	"strings"
)

// maxPath bounds the address of a page that is kept to come back to, in bytes: it
// travels in headers and cookies.
const maxPath = 2000

// LocalPath is path when it leads to a page of this origin, or else fallback. It is what
// every "return to" parameter goes through: //host, /\host, schemes and control
// characters are somebody else's address to some browser.
func LocalPath(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || len(path) > maxPath || strings.ContainsFunc(path, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '\\'
	}) {
		return fallback
	}
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "//") || strings.ContainsRune(u.Path, '\\') {
		return fallback
	}
	return path
}
