package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"jishi/kit/fault"
	"jishi/kit/ops"
)

const (
	maxBody = 1 << 20  // bytes of a request
	maxCall = 12 << 20 // bytes of a call of an API, each of which has less for its limit

	// maxForm is bytes of a form that carries a file: more than any file may have, so that one
	// that is too large comes back with the form and what was typed. Most of it lies on disk.
	maxForm = 64 << 20
)

var (
	errForgery  = fault.New(fault.Forbidden, "request.forbidden", "This form was sent from another site, so nothing was done.")
	errNotFound = fault.New(fault.NotFound, "not_found", "There is no such page.")
	errMethod   = fault.New(fault.NotAllowed, "request.method", "This can't be done at this address.")
)

// Protect wraps every route of a process: security headers, limits of bodies, refusal
// of forms from other sites, and an answer when a handler panics. friends are the base
// URLs of the market's other services, to which forms may lead; bypass are patterns of
// calls that carry no cookie and come from programs.
func Protect(friends []string, secure bool, bypass ...string) func(http.Handler) http.Handler {
	forgery := http.NewCrossOriginProtection()
	forgery.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Refuse(w, r, errForgery)
	}))
	for _, pattern := range bypass {
		forgery.AddInsecureBypassPattern(pattern)
	}
	policy := contentPolicy(friends)
	return func(next http.Handler) http.Handler {
		next = forgery.Handler(rescue(next))
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
			if secure {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			limit := int64(maxBody)
			switch {
			case IsAPI(r.URL.Path):
				limit = maxCall
			case withFiles(r):
				limit = maxForm
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			if err := readable(r.URL); err != nil {
				Refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// contentPolicy is the Content-Security-Policy of every page. Pictures may come from
// anywhere, since sellers may give an address; browsers check form-action along a
// form's redirects, so the other services are named.
func contentPolicy(friends []string) string {
	actions := []string{"'self'"}
	for _, f := range friends {
		if u, err := url.Parse(f); err == nil && u.Host != "" {
			actions = append(actions, u.Scheme+"://"+u.Host)
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; " +
		"img-src 'self' data: https: http:; base-uri 'none'; frame-ancestors 'none'; form-action " + strings.Join(actions, " ")
}

// rescue answers for a handler that panicked. What it had begun to send stays as it is.
func rescue(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			ops.Note(r.Context(), slog.String("stack", string(debug.Stack())))
			Refuse(w, r, fmt.Errorf("panic: %v", p))
		}()
		next.ServeHTTP(w, r)
	})
}

// NotFound answers for everything that no route of mux has, as its "/": either the address or
// the method is unknown.
//
// An address that only takes a form is asked for as a page too, since the page that says what is
// wrong with the form stands there: it is loaded anew, and a change of language or a login comes
// back to it. It leads to the page above, as /cart is above /cart/items/x.
func NotFound(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowed := methodsAt(mux, r)
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		if read && !IsAPI(r.URL.Path) && slices.Contains(allowed, http.MethodPost) {
			if page := pageAbove(mux, r.URL.EscapedPath()); page != "" {
				http.Redirect(w, r, page, http.StatusSeeOther)
				return
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			Refuse(w, r, errMethod)
			return
		}
		Refuse(w, r, errNotFound)
	}
}

// pageAbove is the nearest page above a path, "" where there is none.
func pageAbove(mux *http.ServeMux, path string) string {
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
		for _, page := range []string{path[:i+1], path[:i]} {
			u, err := url.Parse(LocalPath(page, ""))
			if err != nil || u.Path == "" {
				continue
			}
			if _, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: u}); pattern != "/" {
				return page
			}
		}
	}
	return ""
}

// methodsAt is what other routes than "/" do at the address of r.
func methodsAt(mux *http.ServeMux, r *http.Request) []string {
	var methods []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, pattern := mux.Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host}); pattern != "/" {
			methods = append(methods, m)
		}
	}
	return methods
}

// Refuse answers a program with a problem document and a browser with an error page.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if IsAPI(r.URL.Path) {
		WriteProblem(w, r, err)
		return
	}
	Page(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
}
