package authweb

import (
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/auth/oidc"
	"jishi/kit/database"
	"jishi/kit/web"
)

// loginView is the forms to log in and to register.
type loginView struct {
	Identifier, Name string // as typed
	Flow, Return     string // what goes on afterwards
	Token            string
	Errors           map[string]string
	OtherURL         string // the other of the two forms
}

func viewOf(form url.Values, other string, errs map[string]string) loginView {
	keep := url.Values{}
	for _, name := range []string{"flow", "return"} {
		if v := form.Get(name); v != "" {
			keep.Set(name, v)
		}
	}
	if len(keep) > 0 {
		other += "?" + keep.Encode()
	}
	return loginView{
		Identifier: form.Get("identifier"), Name: form.Get("name"),
		Flow: form.Get("flow"), Return: form.Get("return"),
		Token: web.FormToken(), Errors: errs, OtherURL: other,
	}
}

// entered leads on whoever has logged in already, unless the flow wants a younger login.
func (p *pages) entered(w http.ResponseWriter, r *http.Request, form url.Values) (bool, error) {
	f, err := p.begun(r, form)
	if err != nil {
		return false, err
	}
	login, err := p.browser.Login(r)
	if err != nil || login.User == "" || login.At.Before(f.After) {
		return false, err
	}
	return true, web.SeeOther(w, r, p.next(r, form))
}

func (p *pages) login(w http.ResponseWriter, r *http.Request) error {
	form := r.URL.Query()
	if done, err := p.entered(w, r, form); done || err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, loginPage(viewOf(form, oidc.RegisterPath, nil)))
}

func (p *pages) logIn(w http.ResponseWriter, r *http.Request) error {
	form, err := p.form(r)
	if err != nil {
		return err
	}
	u, err := p.auth.Check(r.Context(), auth.Credentials{
		Identifier: form.Get("identifier"), Password: form.Get("password"),
		Address: r.RemoteAddr, DeviceCookie: p.browser.Device(r),
	})
	if err != nil {
		return refuse(w, r, err, func(texts map[string]string) templ.Component {
			return loginPage(viewOf(form, oidc.RegisterPath, texts))
		})
	}
	return p.enter(w, r, u, form)
}

func (p *pages) register(w http.ResponseWriter, r *http.Request) error {
	form := r.URL.Query()
	if done, err := p.entered(w, r, form); done || err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, registerPage(viewOf(form, oidc.LoginPath, nil)))
}

func (p *pages) signUp(w http.ResponseWriter, r *http.Request) error {
	form, err := p.form(r)
	if err != nil {
		return err
	}
	repeat := form.Get("password_repeat")
	u, err := p.auth.Register(r.Context(), auth.Registration{
		NewUser: authclient.NewUser{Identifier: form.Get("identifier"), Password: form.Get("password"), Name: form.Get("name")},
		Repeat:  &repeat,
		Address: r.RemoteAddr,
		Key:     form.Get(web.TokenField),
	})
	if err != nil {
		return refuse(w, r, err, func(texts map[string]string) templ.Component {
			return registerPage(viewOf(form, oidc.LoginPath, texts))
		})
	}
	return database.Afterwards(p.enter(w, r, u, form))
}

// form reads a form of ours and checks whose flow it goes on with.
func (p *pages) form(r *http.Request) (url.Values, error) {
	form, _, err := web.WithToken(web.Form(r))
	if err != nil {
		return nil, err
	}
	if _, err := p.begun(r, form); err != nil {
		return nil, err
	}
	return form, nil
}

// enter begins the session of somebody who has just proved who they are, and goes on.
func (p *pages) enter(w http.ResponseWriter, r *http.Request, u authclient.User, form url.Values) error {
	if err := p.browser.Begin(w, r, u); err != nil {
		return err
	}
	return web.SeeOther(w, r, p.next(r, form))
}
