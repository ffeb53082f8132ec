package browser

import (
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// problems is what went wrong in a browser without being told to be.
type problems struct {
	mu    sync.Mutex
	texts []string      // guarded by mu
	due   map[int64]int // how many answers with a status are expected; guarded by mu
}

// listen sorts out the events of the browser.
func (p *problems) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventResponseReceived:
		p.answer(e.Response)
	case *network.EventLoadingFailed:
		// A page that is left cancels what it was loading.
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" {
			p.add("a request failed: %s %s", e.ErrorText, e.BlockedReason)
		}
	case *log.EventEntryAdded:
		// What the server answered is known from the answer itself.
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "the server responded with a status of") {
			p.add("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details.ContentSecurityPolicyIssueDetails; d != nil {
			p.add("Content-Security-Policy: %s blocked %s", d.ViolatedDirective, d.BlockedURL)
		}
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		text := d.Text
		if d.Exception != nil {
			text += " " + d.Exception.Description
		}
		p.add("exception: %s in %s", text, d.URL)
	case *runtime.EventConsoleAPICalled:
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			for _, arg := range e.Args {
				p.add("console.%s: %s %s", e.Type, arg.Value, arg.Description)
			}
		}
	}
}

func (p *problems) answer(r *network.Response) {
	if r.Status < 400 {
		return
	}
	if p.due[r.Status] > 0 {
		p.due[r.Status]--
		return
	}
	p.add("status %d of %s", r.Status, r.URL)
}

func (p *problems) add(format string, args ...any) {
	p.texts = append(p.texts, fmt.Sprintf(format, args...))
}

// Expect says that one request to come will be answered with that status.
func (b *Tab) Expect(status int64) {
	b.problems.mu.Lock()
	defer b.problems.mu.Unlock()
	if b.problems.due == nil {
		b.problems.due = map[int64]int{}
	}
	b.problems.due[status]++
}

// Problems fails the test with what went wrong since it was asked last.
func (b *Tab) Problems() {
	b.t.Helper()
	b.problems.mu.Lock()
	defer b.problems.mu.Unlock()
	for _, text := range b.problems.texts {
		b.t.Error(text)
	}
	for status, n := range b.problems.due {
		if n > 0 {
			b.t.Errorf("status %d was expected %d times more", status, n)
		}
	}
	b.problems.texts, b.problems.due = nil, nil
}

// report closes a test: its problems, and where it stood when it failed.
func (b *Tab) report() {
	b.Problems()
	if !b.t.Failed() {
		return
	}
	page, err := evaluate[string](b, `location.href + "\n" + (document.querySelector("main") || document.body).innerText`)
	if err == nil {
		b.t.Logf("the browser is at %s", page)
	}
}
