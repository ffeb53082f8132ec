package oidc

import (
	"context"
	"net/http"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"jishi/auth"
)

// VerifyClient authenticates a client by its secret. Every client of ours has one, so a
// client that merely names itself is refused.
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	c, err := s.auth.AuthenticateClient(r.Data.ClientID, r.Data.ClientSecret)
	if err != nil {
		return nil, refusal(ctx, err)
	}
	return client{c}, nil
}

// CodeExchange spends a code. The verifier is always needed: the library checks it only
// if a client happens to send one.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	t, err := s.auth.Redeem(ctx, own(r.Client), r.Data.Code, r.Data.RedirectURI, r.Data.CodeVerifier)
	return tokens(ctx, t, err)
}

// RefreshToken rotates a refresh token.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	t, err := s.auth.Refresh(ctx, own(r.Client), r.Data.RefreshToken, r.Data.Scopes, r.Form["resource"])
	return tokens(ctx, t, err)
}

// ClientCredentialsExchange gives a client a token for itself.
func (s *server) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	t, err := s.auth.ServiceToken(ctx, own(r.Client), r.Data.Scope, r.Form["resource"])
	return tokens(ctx, t, err)
}

// TokenExchange gives a client a token with which it acts for the user of another.
func (s *server) TokenExchange(ctx context.Context, r *op.ClientRequest[oidc.TokenExchangeRequest]) (*op.Response, error) {
	in := r.Data
	if in.SubjectTokenType != oidc.AccessTokenType || (in.RequestedTokenType != "" && in.RequestedTokenType != oidc.AccessTokenType) || in.ActorToken != "" {
		return nil, oidc.ErrInvalidRequest().WithDescription("only access tokens are exchanged, for access tokens")
	}
	t, err := s.auth.Exchange(ctx, own(r.Client), in.SubjectToken, append(in.Audience, in.Resource...))
	if err != nil {
		return nil, refusal(ctx, err)
	}
	return op.NewResponse(oidc.TokenExchangeResponse{
		AccessToken: t.Access, IssuedTokenType: oidc.AccessTokenType, TokenType: oidc.BearerToken,
		ExpiresIn: uint64(t.Life.Seconds()), Scopes: t.Scopes,
	}), nil
}

func tokens(ctx context.Context, t auth.Tokens, err error) (*op.Response, error) {
	if err != nil {
		return nil, refusal(ctx, err)
	}
	return op.NewResponse(oidc.AccessTokenResponse{
		AccessToken: t.Access, TokenType: oidc.BearerToken, RefreshToken: t.Refresh, IDToken: t.ID,
		ExpiresIn: uint64(t.Life.Seconds()), Scope: t.Scopes,
	}), nil
}

// Revocation ends what a token belongs to.
func (s *server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	if err := s.auth.Revoke(ctx, own(r.Client), r.Data.Token); err != nil {
		return nil, refusal(ctx, err)
	}
	return op.NewResponse(nil), nil
}

// UserInfo is what a token's scopes say of its user.
func (s *server) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	c, err := s.auth.Access(ctx, r.Data.AccessToken, "")
	if err != nil {
		return nil, refusal(ctx, err)
	}
	if c.User() == "" || !c.Has(oidc.ScopeOpenID) {
		return nil, op.NewStatusError(&oidc.Error{ErrorType: "insufficient_scope"}, http.StatusForbidden)
	}
	u, err := s.auth.User(ctx, c.User())
	if err != nil {
		return nil, refusal(ctx, err)
	}
	info := map[string]any{"sub": u.ID}
	if c.Has(oidc.ScopeProfile) {
		info["name"] = u.Name
	}
	isEmail := strings.Contains(u.Identifier, "@")
	switch {
	case isEmail && c.Has(oidc.ScopeEmail):
		info["email"], info["email_verified"] = u.Identifier, false
	case !isEmail && c.Has(oidc.ScopePhone):
		info["phone_number"], info["phone_number_verified"] = u.Identifier, false
	}
	return op.NewResponse(info), nil
}
