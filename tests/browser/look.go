package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/page"
)

// See waits until an element that the selector finds shows text.
func (b *Tab) See(selector, text string) {
	b.t.Helper()
	b.until(func() error {
		shown, err := b.texts(selector)
		if err != nil {
			return err
		}
		for _, s := range shown {
			if strings.Contains(s, text) {
				return nil
			}
		}
		return fmt.Errorf("%s shows %q, want %q", selector, shown, text)
	})
}

// Gone waits until the selector finds nothing any more.
func (b *Tab) Gone(selector string) {
	b.t.Helper()
	b.until(func() error {
		shown, err := b.texts(selector)
		if err == nil && len(shown) > 0 {
			err = fmt.Errorf("%s still shows %q", selector, shown)
		}
		return err
	})
}

// Texts is what every element that the selector finds shows, in one line each.
func (b *Tab) Texts(selector string) []string {
	b.t.Helper()
	var shown []string
	b.until(func() (err error) {
		shown, err = b.texts(selector)
		return err
	})
	return shown
}

// Text is what the one element that the selector finds shows.
func (b *Tab) Text(selector string) string {
	b.t.Helper()
	b.See(selector, "")
	all := b.Texts(selector)
	if len(all) != 1 {
		b.t.Fatalf("there are %d of %s, want 1", len(all), selector)
	}
	return all[0]
}

func (b *Tab) texts(selector string) ([]string, error) {
	all, err := evaluate[[]string](b, fmt.Sprintf("[...document.querySelectorAll(%q)].map(e => e.innerText ?? e.textContent)", selector))
	for i := range all {
		all[i] = trimmed(all[i])
	}
	return all, err
}

// Value is what an input holds.
func (b *Tab) Value(selector string) string { return b.property(selector, "value") }

// Attribute is an attribute of an element, "" where it has none.
func (b *Tab) Attribute(selector, name string) string {
	b.t.Helper()
	return b.property(selector, fmt.Sprintf("getAttribute(%q)", name))
}

func (b *Tab) property(selector, property string) string {
	b.t.Helper()
	b.See(selector, "")
	var value string
	b.until(func() (err error) {
		value, err = evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).%s ?? ""`, selector, property))
		return err
	})
	return value
}

// At waits until the path and query of the page's address begin with prefix.
func (b *Tab) At(prefix string) {
	b.t.Helper()
	b.until(func() error {
		got, err := evaluate[string](b, "location.pathname + location.search")
		if err == nil && !strings.HasPrefix(got, prefix) {
			err = fmt.Errorf("the page is %s, want %s", got, prefix)
		}
		return err
	})
}

// Address is that of the page.
func (b *Tab) Address() string {
	b.t.Helper()
	return Ask[string](b, "location.href")
}

// Loaded waits until a picture has come and can be shown.
func (b *Tab) Loaded(selector string) {
	b.t.Helper()
	b.until(func() error {
		width, err := evaluate[int](b, fmt.Sprintf(`(selector => {
			const e = document.querySelector(selector);
			if (!e) return 0;
			e.scrollIntoView({behavior: "instant"});
			return e.complete ? e.naturalWidth : 0;
		})(%q)`, selector))
		if err == nil && width == 0 {
			err = fmt.Errorf("picture %s has not come", selector)
		}
		return err
	})
}

// Ask runs a script of the test in the page and gives its result.
func Ask[T any](b *Tab, script string) T {
	b.t.Helper()
	var out T
	b.until(func() (err error) {
		out, err = evaluate[T](b, script)
		return err
	})
	return out
}

// Screenshot is the whole page as PNG, in a window as high as the page: what sticks to the
// window's edge covers nothing.
func (b *Tab) Screenshot() []byte {
	b.t.Helper()
	b.resize(b.width, Ask[int64](b, "Math.max(innerHeight, document.documentElement.scrollHeight)"))
	defer b.Resize(b.width)
	b.until(func() error { // what opens or turns up is shown when it has
		n, err := evaluate[int](b, `document.getAnimations().filter(a => a.playState === "running" && a.effect.getComputedTiming().endTime !== Infinity).length`)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d parts of the page are still moving", n)
		}
		return err
	})
	return call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
}
