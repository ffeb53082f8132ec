package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp/kb"
)

// Go loads an address and waits until the page and what belongs to it have come.
func (b *Tab) Go(address string) {
	b.t.Helper()
	b.leave(func() {
		r := call(b, page.Navigate, page.NavigateParams{URL: address})
		if r.ErrorText != "" {
			b.t.Fatalf("load %s: %s", address, r.ErrorText)
		}
	})
}

// Follow clicks on what leads to another page, and waits for that.
func (b *Tab) Follow(selector string) {
	b.t.Helper()
	b.leave(func() { b.Click(selector) })
}

// leave does what brings another page, and waits until that is there.
func (b *Tab) leave(do func()) {
	b.t.Helper()
	b.Mark()
	do()
	b.until(func() error {
		if marked, err := b.marked(); err != nil || marked {
			return fmt.Errorf("no other page has come: %v", err)
		}
		state, err := evaluate[string](b, "document.readyState")
		if err != nil {
			return err
		}
		if state != "complete" {
			return fmt.Errorf("the page is still %s", state)
		}
		return nil
	})
}

// Mark marks the page, to see later whether it is still the same.
func (b *Tab) Mark() {
	b.t.Helper()
	b.until(func() error {
		_, err := evaluate[bool](b, "window.seenByTest = true")
		return err
	})
}

// Stayed fails the test if another page was loaded since Mark.
func (b *Tab) Stayed() {
	b.t.Helper()
	if marked, err := b.marked(); err != nil || !marked {
		b.t.Fatalf("the whole page was loaded again, got %v, %v", marked, err)
	}
}

func (b *Tab) marked() (bool, error) { return evaluate[bool](b, "window.seenByTest === true") }

// spot is where an element can be clicked, or why it can't.
type spot struct {
	X, Y float64
	No   string
}

// reach scrolls to an element, and finds a point of it that nothing else covers.
const reach = `(selector => {
	const all = document.querySelectorAll(selector);
	if (all.length !== 1) return {no: "there are " + all.length + " of it"};
	const e = all[0];
	if (e.disabled) return {no: "it is disabled"};
	e.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
	const box = e.getClientRects()[0];
	if (!box || box.width < 1 || box.height < 1) return {no: "it is not shown"};
	const x = box.x + box.width / 2, y = box.y + box.height / 2;
	const hit = document.elementFromPoint(x, y);
	if (!hit || !(e === hit || e.contains(hit))) return {no: "it is covered by " + (hit && hit.outerHTML.slice(0, 200))};
	return {x, y, no: ""};
})(%q)`

// Click clicks on the one element that the selector finds, once it can be clicked.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	var at spot
	b.until(func() error {
		var err error
		if at, err = evaluate[spot](b, fmt.Sprintf(reach, selector)); err != nil {
			return err
		}
		if at.No != "" {
			return fmt.Errorf("click on %s: %s", selector, at.No)
		}
		return nil
	})
	for _, step := range []input.DispatchMouseEventType{
		input.DispatchMouseEventTypeMouseMoved, input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased,
	} {
		p := input.DispatchMouseEventParams{Type: step, X: at.X, Y: at.Y}
		if step != input.DispatchMouseEventTypeMouseMoved {
			p.Button, p.ClickCount = input.MouseButtonLeft, 1
		}
		call(b, input.DispatchMouseEvent, p)
	}
}

// Fill clicks into an input and types text in place of what is there.
func (b *Tab) Fill(selector, text string) {
	b.t.Helper()
	b.Click(selector)
	b.until(func() error {
		focused, err := evaluate[bool](b, fmt.Sprintf(`(e => e === document.activeElement && (e.select(), true))(document.querySelector(%q))`, selector))
		if err == nil && !focused {
			err = fmt.Errorf("fill in %s: a click does not focus it", selector)
		}
		return err
	})
	call(b, input.InsertText, input.InsertTextParams{Text: text})
	if got := b.Value(selector); got != text {
		b.t.Fatalf("fill in %s: got %q, want %q", selector, got, text)
	}
}

// Keys that Press knows.
const (
	KeyUp   = kb.ArrowUp
	KeyNext = kb.Tab // leaves an input for what follows
)

// Press presses a key where the focus is.
func (b *Tab) Press(key string) {
	b.t.Helper()
	for _, r := range key {
		for _, p := range kb.Encode(r) {
			call(b, input.DispatchKeyEvent, *p)
		}
	}
}

// Upload puts a file into an input.
func (b *Tab) Upload(selector, path string) {
	b.t.Helper()
	b.See(selector, "")
	o, err := evaluate[*runtime.RemoteObject](b, fmt.Sprintf("document.querySelector(%q)", selector))
	if err != nil {
		b.t.Fatalf("upload into %s: %v", selector, err)
	}
	call(b, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: o.ObjectID})
}

// Cookie sets a cookie of the site at an address; "" deletes it.
func (b *Tab) Cookie(address, name, value string) {
	b.t.Helper()
	if value == "" {
		call(b, network.DeleteCookies, network.DeleteCookiesParams{Name: name, URL: address})
		return
	}
	call(b, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: address})
}

// Forget deletes all cookies.
func (b *Tab) Forget() {
	b.t.Helper()
	call(b, network.ClearBrowserCookies, cdp.Empty{})
}

// trimmed makes texts comparable whatever the lines they stand on.
func trimmed(text string) string { return strings.Join(strings.Fields(text), " ") }
