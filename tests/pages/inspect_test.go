package pages_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"jishi/tests/browser"
)

func (v variant) String() string { return fmt.Sprintf("%d-%s-%s", v.width, v.lang, v.theme) }

// inspect is a script that gives what is wrong with a page, in sentences.
const inspect = `(() => {
	const wrong = [], shown = e => e.getClientRects().length > 0;
	const name = e => e.outerHTML.slice(0, 160).replace(/\s+/g, " ");
	const room = document.documentElement.clientWidth, wide = document.scrollingElement.scrollWidth;
	if (wide > room) {
		const out = [...document.querySelectorAll("body *")].filter(e => shown(e) && e.getBoundingClientRect().right > room + 0.5);
		wrong.push("it is " + wide + " pixels wide in " + room + ", among others by " + out.slice(-3).map(name).join(" and "));
	}
	if (!document.documentElement.lang) wrong.push("html has no lang");
	if (!document.title.trim()) wrong.push("it has no title");
	const heads = document.querySelectorAll("h1").length;
	if (heads !== 1) wrong.push("it has " + heads + " h1");
	if (document.querySelectorAll("main").length !== 1) wrong.push("it has no main, or several");
	let level = 0;
	for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
		if (+h.tagName[1] > level + 1) wrong.push("a heading skips a level: " + name(h));
		level = +h.tagName[1];
	}
	const text = e => (e.getAttribute("aria-label") || e.innerText || e.textContent || "").trim();
	const named = e => text(e) || [...(e.labels || [])].some(text) ||
		(e.getAttribute("aria-labelledby") || "").split(/\s+/).some(i => document.getElementById(i)) ||
		[...e.querySelectorAll("img[alt]")].some(i => i.alt.trim());
	for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
		if (!e.getAttribute("aria-label") && ![...e.labels].some(l => l.textContent.trim())) wrong.push("an input has no label: " + name(e));
	}
	for (const e of document.querySelectorAll("button, a[href], summary")) {
		if (!named(e) && e.getAttribute("aria-hidden") !== "true") wrong.push("nothing says what this does: " + name(e));
	}
	for (const e of document.querySelectorAll("img:not([alt])")) wrong.push("a picture has no alt: " + name(e));
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) wrong.push("the id " + id + " stands twice");
	for (const e of document.querySelectorAll("[aria-describedby]")) {
		for (const id of e.getAttribute("aria-describedby").split(/\s+/)) {
			if (!document.getElementById(id)) wrong.push("it is described by what isn't there, " + id + ": " + name(e));
		}
	}
	for (const e of document.querySelectorAll("[style], [onclick], style, script:not([src])")) wrong.push("an inline style or script: " + name(e));
	for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) wrong.push("a tabindex above 0: " + name(e));
	for (const e of document.querySelectorAll("table")) if (!e.caption && !e.getAttribute("aria-label")) wrong.push("a table has no caption: " + name(e));
	return wrong;
})()`

// bad has one of each fault.
const bad = `<!doctype html><html><body><h1>a</h1><h1>b</h1><h3>c</h3>
<div id="x" style="width:2000px">wide</div><p id="x"></p>
<input name="n"><input name="m" aria-label="m" aria-describedby="nowhere"><button></button><a href="#" tabindex="3">a</a>
<img src="data:,"><table><tr><td></td></tr></table></body></html>`

// What TestPages looks for is found where it is.
func TestFaultsAreFound(t *testing.T) {
	b := browser.Open(t, browser.Config{Width: 375})
	b.Go("data:text/html," + url.PathEscape(bad))
	found := strings.Join(browser.Ask[[]string](b, inspect), "\n")
	for _, fault := range []string{
		"pixels wide in", "html has no lang", "it has no title", "it has 2 h1", "no main", "skips a level", "an input has no label",
		"nothing says what this does", "no alt", "the id x stands twice", "described by what isn't there", "inline style", "tabindex above 0", "no caption",
	} {
		if !strings.Contains(found, fault) {
			t.Errorf("%q was not found, only:\n%s", fault, found)
		}
	}
}
