package ui

import (
	"context"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"

	"jishi/kit/locale"
)

// htmxConfig keeps htmx from adding a style sheet of its own; the classes are in app.css.
const htmxConfig = `{"includeIndicatorCSS":false}`

// Option is one choice of several: what is sent, and what is shown.
type Option struct{ Value, Text string }

func htmlLanguage(ctx context.Context) string {
	if locale.Language(ctx) == "zh" {
		return "zh-CN"
	}
	return locale.Language(ctx)
}

// themeName is the stylesheet's name of a theme; "" leaves the choice to the device.
func themeName(ctx context.Context) string {
	switch From(ctx).Theme {
	case "light":
		return "jishi"
	case "dark":
		return "jishi-dark"
	}
	return ""
}

func themeChoice(v *Visitor) string {
	if v.Theme == "" {
		return "auto"
	}
	return v.Theme
}

// languages are named in themselves, so that whoever can't read the page finds theirs.
func languages() []Option { return []Option{{"zh", "中文"}, {"en", "English"}} }

func otherLanguage(v *Visitor) string {
	if v.Language == "zh" {
		return "EN"
	}
	return "中文"
}

// refreshing lets htmx send the preferences and swap the same page in, so that nothing
// is loaded twice and the reader stays where they scrolled to. A page that answers a
// POST can't be had again without sending it again.
func refreshing(v *Visitor) templ.Attributes {
	if !v.read {
		return nil
	}
	return templ.Attributes{"hx-post": PreferencesPath, "hx-target": "body", "hx-swap": "innerHTML"}
}

func loginURL(v *Visitor) string {
	sep := "?"
	if strings.Contains(v.Login, "?") {
		sep = "&"
	}
	return v.Login + sep + "return=" + url.QueryEscape(v.Path)
}

// searched is the query of the page that is shown, so that it can be changed.
func searched(v *Visitor) string {
	u, err := url.Parse(v.Path)
	if err != nil {
		return ""
	}
	return u.Query().Get("q")
}

func isHere(v *Visitor, link string) bool {
	path, _, _ := strings.Cut(v.Path, "?")
	return strings.TrimPrefix(link, v.site.Shop) == path
}

// firstLetter skips quotation marks and the like, which say nothing of a title.
func firstLetter(title string) string {
	i := strings.IndexFunc(title, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
	if i < 0 {
		return "·"
	}
	return initial(title[i:])
}

func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	if r == utf8.RuneError {
		return "?"
	}
	return strings.ToUpper(string(r))
}
