// Package pages_test visits every page of the market as everybody who may see it: empty
// and filled, as a phone and as a desktop, in both languages and themes. It finds what is
// wrong with a page whatever it is about; with -shots it also takes a picture of each.
package pages_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"jishi/tests/browser"
	"jishi/tests/harness"
	"jishi/tests/site"
)

var shots = flag.String("shots", "", "directory for a screenshot of every page in every variant")

func TestMain(m *testing.M) {
	flag.Parse()
	harness.Main(m)
}

// variant is a way to look at a page.
type variant struct {
	width       int64
	lang, theme string
}

// Every page, on a phone and on a desktop, in both languages and themes, fits its window and
// can be used without seeing it.
func TestPages(t *testing.T) {
	walk(t, []variant{{375, "zh", "dark"}, {375, "en", "light"}, {1280, "zh", "light"}, {1280, "en", "dark"}}, func(b *browser.Tab, _ scene, v variant) {
		for _, fault := range browser.Ask[[]string](b, inspect) {
			b.Errorf("%s: %s", v, fault)
		}
	})
}

// TestShots writes page-width-lang-theme.png for every page.
func TestShots(t *testing.T) {
	if *shots == "" {
		t.Skip("no -shots DIR was given, so no screenshots are taken")
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		t.Fatal(err)
	}
	var all []variant
	for _, width := range []int64{1280, 375} {
		for _, lang := range []string{"zh", "en"} {
			for _, theme := range []string{"light", "dark"} {
				all = append(all, variant{width, lang, theme})
			}
		}
	}
	walk(t, all, func(b *browser.Tab, s scene, v variant) {
		file := filepath.Join(*shots, s.name+"-"+v.String()+".png")
		if err := os.WriteFile(file, b.Screenshot(), 0o644); err != nil {
			b.Fatalf("%v", err)
		}
	})
}

// walk shows every scene in every variant to look.
func walk(t *testing.T, variants []variant, look func(*browser.Tab, scene, variant)) {
	full, away := furnish(t), abandon(t)
	b := browser.Open(t, browser.Config{Script: true, Language: "zh-CN"})
	for _, act := range append(full, away...) {
		b.Forget()
		if act.as != "" {
			logIn(b, act.market, act.as)
		}
		for _, s := range act.scenes {
			t.Run(s.name, func(t *testing.T) {
				defer b.For(t)()
				for _, v := range variants {
					b.Resize(v.width)
					b.Cookie(act.market.Shop, site.LanguageCookie, v.lang)
					b.Cookie(act.market.Shop, site.ThemeCookie, v.theme)
					if s.status >= 400 {
						b.Expect(s.status)
					}
					b.Go(s.address)
					if s.then != nil {
						s.then(b)
					}
					look(b, s, v)
				}
				b.Problems()
			})
		}
	}
}

func logIn(b *browser.Tab, m *harness.Market, identifier string) {
	b.Go(m.Shop + site.HomePath)
	b.Fill(site.Field(site.LoginForm, "identifier"), identifier)
	b.Fill(site.Field(site.LoginForm, "password"), harness.Password)
	b.Follow(site.Submit(site.LoginForm))
	b.At(site.HomePath)
}
