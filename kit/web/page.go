package web

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/ui"
)

// Page is a handler that may fail. What it returns is shown to the user as an error
// page, in full or as a fragment; it writes nothing itself in that case.
type Page func(w http.ResponseWriter, r *http.Request) error

func (p Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Pattern != "" {
		ops.Route(r.Context(), r.Pattern)
	}
	err := p(w, r)
	if r.MultipartForm != nil { // net/http would, if nobody before us had made a copy of r
		_ = r.MultipartForm.RemoveAll()
	}
	if err == nil {
		return
	}
	ops.Failed(r.Context(), err)
	f := fault.Of(err)
	maps.Copy(w.Header(), RefusalHeaders(f))
	if IsFragment(r) {
		// In the fragment's place it would take away what can be tried again.
		w.Header().Set("HX-Retarget", "#flash")
		w.Header().Set("HX-Reswap", "innerHTML show:top showTarget:window")
	}
	if err := Render(w, r, f.Kind.Status(), refusal(r, f)); err != nil {
		http.Error(w, f.Detail, f.Kind.Status())
	}
}

// refusal is the view of f: a whole page, or a fragment for the page that is there.
func refusal(r *http.Request, f *fault.Error) templ.Component {
	ctx, status := r.Context(), f.Kind.Status()
	title, text := locale.T(ctx, "ui.error."+strconv.Itoa(status)), locale.Fault(ctx, f)
	if IsFragment(r) {
		return ui.ErrorFragment(title, text)
	}
	out := ui.From(ctx).WayOut
	if out.URL == "" {
		out = ui.Link{URL: ui.SiteOf(ctx).Products(), Text: locale.T(ctx, "ui.products")}
	}
	return ui.ErrorPage(status, title, text, out.URL, out.Text)
}

// Render sends a component. It is rendered to memory first: an error leaves nothing
// half sent.
func Render(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	if !IsFragment(r) {
		ui.From(r.Context()).Flash = takeFlash(w, r)
	}
	var b bytes.Buffer
	if err := c.Render(r.Context(), &b); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store") // a page shows who is logged in
	}
	w.Header().Add("Vary", "HX-Request-Type")
	if (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", soon) // a form that is shown again comes without its refusal
	}
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a reader that left
	return nil
}

// SeeOther sends the browser to another page after a POST: 303, or htmx's own header
// where a script made the request and would only load the page into itself.
func SeeOther(w http.ResponseWriter, r *http.Request, url string) error {
	if IsFragment(r) {
		w.Header().Set("HX-Redirect", url)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(w, r, url, http.StatusSeeOther)
	return nil
}

// IsFragment tells whether htmx asks for a part of a page. What it swaps into the body
// as a whole, as with boosted links, is a page.
func IsFragment(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Request-Type") == "partial"
}
