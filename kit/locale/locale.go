// Package locale chooses a reader's language and finds its texts.
//
// Texts live beside the code that shows them, in flat files locales/en.json and
// locales/zh.json: {"cart.title": "Cart"}, or with plural forms
// {"cart.items": {"one": "{{.count}} item", "other": "{{.count}} items"}}, chosen by the
// datum "count". The package knows how amounts, times and refusals look to a reader; it
// doesn't know pages.
package locale

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/bojanz/currency"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// languages are those that every text exists in; the first one is spoken to readers
// who ask for none of them.
var languages = []string{"zh", "en"}

// Cookie is the name of the cookie with a reader's choice, "zh" or "en".
const Cookie = "lang"

// Known tells whether there are texts in the language.
func Known(lang string) bool { return slices.Contains(languages, lang) }

// Bundle is all texts of a market in all languages.
type Bundle struct {
	speakers map[string]*speaker
}

// speaker is one language's side of a bundle.
type speaker struct {
	language  string
	plain     map[string]string // texts without data or plural: most of them, and no template is run for these
	localizer *i18n.Localizer
	money     *currency.Formatter
}

// New reads locales/en.json and locales/zh.json of each file system. A key that is
// missing in one language, or that stands in two file systems, is an error.
func New(fsys ...fs.FS) (*Bundle, error) {
	b := &Bundle{speakers: map[string]*speaker{}}
	texts := i18n.NewBundle(language.Chinese)
	texts.RegisterUnmarshalFunc("json", json.Unmarshal)
	for _, lang := range languages {
		s := &speaker{language: lang, plain: map[string]string{}, money: formatter(lang)}
		seen := map[string]bool{}
		for _, f := range fsys {
			file, err := texts.LoadMessageFileFS(f, "locales/"+lang+".json")
			if err != nil {
				return nil, fmt.Errorf("read texts: %w", err)
			}
			for _, m := range file.Messages {
				if seen[m.ID] {
					return nil, fmt.Errorf("text %q stands twice in %s", m.ID, lang)
				}
				seen[m.ID] = true
				if m.One == "" && !strings.Contains(m.Other, "{{") {
					s.plain[m.ID] = m.Other
				}
			}
		}
		if key, err := missing(seen, fsys); err != nil {
			return nil, err
		} else if key != "" {
			return nil, fmt.Errorf("text %q is missing in %s", key, lang)
		}
		s.localizer = i18n.NewLocalizer(texts, lang)
		b.speakers[lang] = s
	}
	return b, nil
}

// missing names a key that a file of any language has and seen hasn't.
func missing(seen map[string]bool, fsys []fs.FS) (string, error) {
	for _, other := range languages {
		for _, f := range fsys {
			keys, err := Keys(f, other)
			if err != nil {
				return "", err
			}
			for _, k := range keys {
				if !seen[k] {
					return k, nil
				}
			}
		}
	}
	return "", nil
}

// Keys lists the keys of one language in a file system, as they stand there. A key that
// stands twice is an error.
func Keys(fsys fs.FS, lang string) ([]string, error) {
	name := "locales/" + lang + ".json"
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("read texts of %s: %w", name, err)
	}
	keys := make([]string, 0, len(entries))
	d := json.NewDecoder(bytes.NewReader(data))
	_, _ = d.Token() // the brace; that all of it can be read is known by now
	for d.More() {
		token, _ := d.Token()
		key := fmt.Sprint(token)
		if _, ok := entries[key]; !ok {
			return nil, fmt.Errorf("text %q stands twice in %s", key, name)
		}
		delete(entries, key)
		keys = append(keys, key)
		_ = d.Decode(new(json.RawMessage))
	}
	return keys, nil
}

type contextKey struct{}

// In is a context whose reader speaks the language; an unknown one becomes the default.
func (b *Bundle) In(ctx context.Context, lang string) context.Context {
	s, ok := b.speakers[lang]
	if !ok {
		s = b.speakers[languages[0]]
	}
	return context.WithValue(ctx, contextKey{}, s)
}

// Middleware chooses the reader's language: the cookie, else what the browser asks
// for, else Chinese.
func (b *Bundle) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(b.In(r.Context(), b.choose(r))))
	})
}

func (b *Bundle) choose(r *http.Request) string {
	if c, err := r.Cookie(Cookie); err == nil && Known(c.Value) {
		return c.Value
	}
	asked, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // what can't be read asks for nothing
	for _, tag := range asked {
		// By the base alone: who reads zh-TW reads zh with less effort than English.
		if base, _ := tag.Base(); Known(base.String()) {
			return base.String()
		}
	}
	return languages[0]
}

func from(ctx context.Context) *speaker {
	s, _ := ctx.Value(contextKey{}).(*speaker)
	return s
}

// Language is the reader's language, "zh" or "en".
func Language(ctx context.Context) string {
	if s := from(ctx); s != nil {
		return s.language
	}
	return languages[0]
}
