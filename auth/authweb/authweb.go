// Package authweb is how people ask auth: the pages to register, log in and out, and to
// look after one's account.
package authweb

import (
	"embed"
	"errors"
	"maps"
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"jishi/auth"
	"jishi/auth/oidc"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/ui"
	"jishi/kit/web"
)

// Locales has the texts of the pages and of auth's refusals.
//
//go:embed locales
var Locales embed.FS

const accountPath = oidc.Prefix + "/account"

// pages is the handlers.
type pages struct {
	auth    *auth.Service
	browser *oidc.Browser
}

// Routes adds the pages to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, s *auth.Service, b *oidc.Browser) {
	p := &pages{s, b}
	for pattern, page := range map[string]web.Page{
		"GET /auth/{$}":               p.index,
		"GET /auth/login":             p.login,
		"POST /auth/login":            p.logIn,
		"GET /auth/register":          p.register,
		"POST /auth/register":         p.signUp,
		"GET /auth/logout":            p.logout,
		"POST /auth/logout":           p.logOut,
		"GET /auth/account":           p.account,
		"POST /auth/account":          p.rename,
		"POST /auth/account/sessions": p.logOutEverywhere,
	} {
		mux.Handle(pattern, p.known(page))
	}
}

// known tells the frame who reads the page.
func (p *pages) known(next web.Page) web.Page {
	return func(w http.ResponseWriter, r *http.Request) error {
		login, err := p.browser.Login(r)
		if err != nil {
			return err
		}
		if login.User != "" {
			u, err := p.auth.User(r.Context(), login.User)
			if err != nil {
				return err
			}
			v := ui.From(r.Context())
			v.LoggedIn, v.Name = true, u.Name
		}
		return next(w, r)
	}
}

func (p *pages) index(w http.ResponseWriter, r *http.Request) error {
	return web.SeeOther(w, r, accountPath)
}

// next is where somebody who has logged in goes on: the flow of a client, the page that
// sent them here, or the shop's own page, which runs a flow of its own.
func (p *pages) next(r *http.Request, form url.Values) string {
	if flow := form.Get("flow"); flow != "" {
		return oidc.Continue(flow)
	}
	if path := web.LocalPath(form.Get("return"), ""); path != "" {
		return path
	}
	return ui.SiteOf(r.Context()).Home()
}

// begun keeps of the form the flow only if this browser began it, so that a link with
// somebody else's flow leads nowhere.
func (p *pages) begun(r *http.Request, form url.Values) (auth.Flow, error) {
	f, err := p.browser.Flow(r, form.Get("flow"))
	if errors.Is(err, auth.ErrFlow) {
		form.Del("flow")
		return auth.Flow{}, nil
	}
	return f, err
}

// refuse shows a form again with what is wrong beside its fields; "" is what belongs to
// none. An error that is no refusal is returned.
func refuse(w http.ResponseWriter, r *http.Request, err error, form func(texts map[string]string) templ.Component) error {
	texts, status := map[string]string{}, 0
	for _, f := range fault.All(err) {
		if f.Kind == fault.Internal || f.Kind == fault.Unknown {
			return err
		}
		if status == 0 {
			status = f.Kind.Status()
			maps.Copy(w.Header(), web.RefusalHeaders(f))
		}
		if _, found := texts[f.Field]; !found {
			texts[f.Field] = locale.Fault(r.Context(), f)
		}
	}
	ops.Failed(r.Context(), err)
	return web.Render(w, r, status, form(texts))
}

// general is the refusals that belong to no field.
func general(texts map[string]string) []string {
	if t, ok := texts[""]; ok {
		return []string{t}
	}
	return nil
}
