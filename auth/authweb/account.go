package authweb

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"jishi/auth"
	"jishi/auth/oidc"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
)

// accountView is one's own account.
type accountView struct {
	Identifier, Name, Token string
	Errors                  map[string]string
	Sessions                []sessionView
}

// sessionView is a browser in which one is logged in.
type sessionView struct {
	Device, Since, Seen string
	Here                bool
}

// user is who reads the page; without one they are sent to log in and come back.
func (p *pages) user(w http.ResponseWriter, r *http.Request) (auth.Login, error) {
	login, err := p.browser.Login(r)
	if err != nil || login.User != "" {
		return login, err
	}
	return login, web.SeeOther(w, r, oidc.LoginPath+"?return="+url.QueryEscape(accountPath))
}

func (p *pages) account(w http.ResponseWriter, r *http.Request) error {
	login, err := p.user(w, r)
	if err != nil || login.User == "" {
		return err
	}
	v, err := p.viewOfAccount(r, login)
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, accountPage(v))
}

func (p *pages) viewOfAccount(r *http.Request, login auth.Login) (accountView, error) {
	ctx := r.Context()
	u, err := p.auth.User(ctx, login.User)
	if err != nil {
		return accountView{}, err
	}
	logins, err := p.auth.Logins(ctx, login.User)
	if err != nil {
		return accountView{}, err
	}
	v := accountView{Identifier: u.Identifier, Name: u.Name, Token: web.FormToken()}
	for _, l := range logins {
		v.Sessions = append(v.Sessions, sessionView{
			Device: device(l.Device, locale.T(ctx, "auth.device.unknown")), Since: locale.Time(ctx, l.At), Seen: locale.Time(ctx, l.Seen),
			Here: l.SessionID == login.SessionID,
		})
	}
	return v, nil
}

func (p *pages) rename(w http.ResponseWriter, r *http.Request) error {
	login, err := p.user(w, r)
	if err != nil || login.User == "" {
		return err
	}
	form, err := p.form(r)
	if err != nil {
		return err
	}
	if err := p.auth.Rename(r.Context(), login.User, form.Get("name")); err != nil {
		v, verr := p.viewOfAccount(r, login)
		if verr != nil {
			return err // what became of the change is the answer, not that it can't be shown
		}
		return refuse(w, r, err, func(texts map[string]string) templ.Component {
			v.Name, v.Errors = form.Get("name"), texts
			return accountPage(v)
		})
	}
	web.SetFlash(w, r, "auth.account.saved")
	return web.SeeOther(w, r, accountPath)
}

func (p *pages) logOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	login, err := p.user(w, r)
	if err != nil || login.User == "" {
		return err
	}
	if _, err := p.form(r); err != nil {
		return err
	}
	if err := p.auth.LogOutEverywhere(r.Context(), login.User); err != nil {
		return err
	}
	p.browser.Forget(w)
	web.SetFlash(w, r, "auth.logout.done")
	return web.SeeOther(w, r, oidc.LoginPath)
}

// logoutView is the question before somebody is logged out whose client didn't prove
// that it asks for them.
type logoutView struct{ Client, URI, State, Token string }

func (p *pages) logout(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	login, err := p.browser.Login(r)
	if err != nil {
		return err
	}
	if login.User == "" {
		return web.SeeOther(w, r, p.after(r, q))
	}
	return web.Render(w, r, http.StatusOK, logoutPage(logoutView{q.Get("client_id"), q.Get("post_logout_redirect_uri"), q.Get("state"), web.FormToken()}))
}

func (p *pages) logOut(w http.ResponseWriter, r *http.Request) error {
	form, err := web.Form(r)
	if err != nil {
		return err
	}
	login, err := p.browser.Login(r)
	if err != nil {
		return err
	}
	if err := p.auth.LogOut(r.Context(), login); err != nil {
		return err
	}
	p.browser.Forget(w)
	return web.SeeOther(w, r, p.after(r, form))
}

// after is where a browser goes that has logged out: back to the client that sent it, if
// that is an address of the client's, or else to the products.
func (p *pages) after(r *http.Request, form url.Values) string {
	to, err := p.auth.PostLogout(form.Get("client_id"), form.Get("post_logout_redirect_uri"), form.Get("state"))
	if fault.Of(err) != nil || to == "" {
		return ui.SiteOf(r.Context()).Products()
	}
	return to
}

// device says in two words what a User-Agent header says in twenty.
func device(agent, unknown string) string {
	browser := first(agent, "MicroMessenger", "WeChat", "Edg", "Edge", "OPR", "Opera", "Firefox", "Firefox", "Chrome", "Chrome", "Safari", "Safari", "curl", "curl")
	system := first(agent, "Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS", "macOS", "Linux", "Linux")
	if s := strings.TrimSpace(browser + " " + system); s != "" {
		return s
	}
	return unknown
}

// first is the name of the first mark that is found; pairs are marks and names.
func first(s string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if strings.Contains(s, pairs[i]) {
			return pairs[i+1]
		}
	}
	return ""
}
