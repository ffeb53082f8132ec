// Package browser drives a headless Chromium as a person would: it looks for what is on
// the page, clicks on it where it is, types into it, and reads what is shown. It knows
// nothing of the market.
//
// Whatever a person would not see but should know of fails the test: errors in the
// console, requests that fail, and whatever the Content-Security-Policy has blocked.
package browser

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"jishi/tests/harness"
)

// patience is how long a tab waits for what it is told to see.
const patience = 15 * time.Second

// Config is a browser and how it is used.
type Config struct {
	Script   bool   // pages may run scripts
	Language string // that the browser asks for, such as "zh-CN"
	Width    int64  // of the window in CSS pixels; 0 is 1280
}

// Tab is the one tab of a browser of its own, without a history or cookies.
type Tab struct {
	t        testing.TB
	ctx      context.Context
	script   bool
	width    int64
	problems problems
}

// Open starts a browser that is closed when the test is over.
func Open(t testing.TB, c Config) *Tab {
	t.Helper()
	path := harness.Needs(t, "chromium")
	b := &Tab{t: t, script: c.Script}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("allow-pre-commit-input", true), // a click on a page that has just come counts
		chromedp.Flag("lang", c.Language),
		chromedp.Flag("accept-lang", c.Language),
	)
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	b.ctx, end = chromedp.NewContext(ctx, chromedp.WithListener(b.problems.listen))
	t.Cleanup(end)
	t.Cleanup(b.report)
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, audits.Enable, cdp.Empty{})
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !c.Script})
	if c.Width == 0 {
		c.Width = 1280
	}
	b.Resize(c.Width)
	return b
}

// Script tells whether pages may run scripts.
func (b *Tab) Script() bool { return b.script }

// For gives the same tab to a subtest, whose failures are its own.
func (b *Tab) For(t testing.TB) (back func()) {
	before := b.t
	b.t = t
	return func() { b.t = before }
}

// Errorf fails the test, and goes on.
func (b *Tab) Errorf(format string, args ...any) {
	b.t.Helper()
	b.t.Errorf(format, args...)
}

// Fatalf fails the test, and ends it.
func (b *Tab) Fatalf(format string, args ...any) {
	b.t.Helper()
	b.t.Fatalf(format, args...)
}

// Resize changes the window's width. A narrow one is a phone.
func (b *Tab) Resize(width int64) {
	b.t.Helper()
	b.width = width
	b.resize(width, 800)
}

func (b *Tab) resize(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600,
	})
}

// call runs a command of the protocol.
func call[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return r
}

// evaluate runs a script of the test in the page; pages without scripts allow that too.
// An error may only mean that the page is just being left.
func evaluate[T any](b *Tab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}

// until waits until look finds what it looks for.
func (b *Tab) until(look func() error) {
	b.t.Helper()
	if err := harness.Retry(b.ctx, patience, look); err != nil {
		where, _ := evaluate[string](b, "location.href")
		b.t.Fatalf("at %s: %v", where, err)
	}
}
