package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"jishi/auth"
	"jishi/auth/authapi"
	"jishi/auth/authweb"
	"jishi/auth/oidc"
	"jishi/kit/session"
	"jishi/kit/web"
)

// clientSecrets are those of a client of auth, newest first. Both sides make them from
// the market's secrets.
func clientSecrets(s web.Secrets, client string) []string {
	var all []string
	for _, key := range s.Key("client:" + client) {
		all = append(all, base64.RawURLEncoding.EncodeToString(key))
	}
	return all
}

// clients are the market's own clients of auth.
func (m *Market) clients() []auth.Client {
	shop, pay := m.conf.Module("shop").URL, m.conf.Module("pay").URL
	return []auth.Client{
		{
			ID: "shop", Secrets: clientSecrets(m.secrets, "shop"), Exchange: true, Resources: []string{"pay"},
			Redirect: shop + "/session/callback", Logout: shop + "/session/backchannel", PostLogout: []string{shop + "/"},
		},
		{
			ID: "pay", Secrets: clientSecrets(m.secrets, "pay"),
			Redirect: pay + "/pay/session/callback", Logout: pay + "/pay/session/backchannel", PostLogout: []string{pay + "/pay/", shop + "/"},
		},
	}
}

// authService is the rules of auth over its migrated database.
func (m *Market) authService(ctx context.Context) (*auth.Service, error) {
	c, err := m.authConfig(ctx)
	if err != nil {
		return nil, err
	}
	return auth.New(c), nil
}

func (m *Market) authConfig(ctx context.Context) (auth.Config, error) {
	db, err := m.open(ctx, "auth", auth.Migrate)
	if err != nil {
		return auth.Config{}, err
	}
	limits := auth.DefaultLimits
	limits.FailuresPerUser = m.conf.LoginLimit
	return auth.Config{
		DB:       db,
		Sessions: session.New(db, session.Config{}),
		Jobs:     m.queue("auth", db, time.Now),
		Sealer:   web.NewSealer(m.secrets.Key("signing keys")),
		Issuer:   m.issuer(),
		Clients:  m.clients(),
		Region:   m.conf.PhoneRegion,
		Limits:   limits,
		Notify:   oidc.Notifier(m.client()),
	}, nil
}

func (m *Market) mountAuth(ctx context.Context) error {
	s, err := m.authService(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Keys(ctx); err != nil { // or nobody could log in
		return fmt.Errorf("want the secret file of the market: %w", err)
	}
	m.auth = s
	mux := http.NewServeMux()
	browser := oidc.NewBrowser(s, web.CookiesFor(m.conf.BaseURL))
	oidc.New(s, browser).Routes(mux)
	authapi.Routes(mux, s)
	authweb.Routes(mux, s, browser)
	mux.Handle("/", web.NotFound(mux))
	m.mux.Handle("/auth/", mux)

	m.keepResealed("auth", s.Reseal)
	m.work = append(m.work, func(ctx context.Context) error { return s.Run(ctx, m.log) })
	return nil
}
