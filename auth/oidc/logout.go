package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"jishi/auth"
)

// EndSession logs out at a client's wish. A client proves by the id_token that it means
// the browser's own session; without that the user is asked, since any site can send a
// browser here.
func (s *server) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	in, v := r.Data, visitOf(ctx)
	clientID := in.ClientID
	hint, err := s.auth.Hint(ctx, in.IdTokenHint)
	proved := err == nil && (clientID == "" || clientID == hint.Audience)
	if proved {
		clientID = hint.Audience
	}
	to, err := s.auth.PostLogout(clientID, in.PostLogoutRedirectURI, in.State)
	if err != nil {
		return nil, oidc.ErrInvalidRequestRedirectURI().WithDescription("post_logout_redirect_uri is not one of the client's")
	}
	if v.login.User != "" && (!proved || hint.SessionID != v.login.SessionID) {
		q := url.Values{}
		if to != "" {
			q = url.Values{"client_id": {clientID}, "post_logout_redirect_uri": {in.PostLogoutRedirectURI}, "state": {in.State}}
		}
		return op.NewRedirect(LogoutPath + "?" + q.Encode()), nil
	}
	if proved {
		// Also without a cookie: the other clients may still have the session.
		err := s.auth.LogOut(ctx, auth.Login{User: hint.User(), SessionID: hint.SessionID})
		if err != nil {
			return nil, refusal(ctx, err)
		}
		s.browser.Forget(v.w)
	}
	if to == "" {
		to = LogoutPath
	}
	return op.NewRedirect(to), nil
}

// Notifier posts logout tokens to clients (OpenID Connect Back-Channel Logout, 2.5).
func Notifier(hc *http.Client) func(ctx context.Context, url, logoutToken string) error {
	return func(ctx context.Context, to, logoutToken string) error {
		body := strings.NewReader(url.Values{"logout_token": {logoutToken}}.Encode())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, body)
		if err != nil {
			return fmt.Errorf("make a request to %s: %w", to, err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := hc.Do(req)
		if err != nil {
			return fmt.Errorf("post a logout token to %s: %w", to, err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
			return fmt.Errorf("post a logout token to %s: it answers %s", to, res.Status)
		}
		return nil
	}
}
