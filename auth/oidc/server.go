package oidc

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"github.com/zitadel/schema"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/ops"
)

type oidcEncoder = schema.Encoder

// server is the library's view of auth. What it doesn't implement (implicit flow,
// device flow, JWT grants, introspection) is refused by the embedded type, also when
// the library learns something new.
type server struct {
	op.UnimplementedServer

	auth    *auth.Service
	browser *Browser
}

// document is the discovery document. The library's own lists response types and grants
// that nobody implements.
type document struct {
	oidc.DiscoveryConfiguration

	IssInResponse bool `json:"authorization_response_iss_parameter_supported"`
}

// Discovery says what the provider does, and nothing else.
func (s *server) Discovery(context.Context, *op.Request[struct{}]) (*op.Response, error) {
	issuer := s.auth.Issuer()
	methods := []oidc.AuthMethod{oidc.AuthMethodBasic, oidc.AuthMethodPost}
	return op.NewResponse(document{oidc.DiscoveryConfiguration{
		Issuer:                                 issuer,
		AuthorizationEndpoint:                  issuer + authorizePath,
		TokenEndpoint:                          issuer + tokenPath,
		UserinfoEndpoint:                       issuer + userinfoPath,
		RevocationEndpoint:                     issuer + revokePath,
		EndSessionEndpoint:                     issuer + endSessionPath,
		JwksURI:                                issuer + keysPath,
		ScopesSupported:                        auth.Scopes(),
		ResponseTypesSupported:                 []string{string(oidc.ResponseTypeCode)},
		ResponseModesSupported:                 []string{string(oidc.ResponseModeQuery)},
		GrantTypesSupported:                    grants,
		SubjectTypesSupported:                  []string{"public"},
		IDTokenSigningAlgValuesSupported:       []string{"ES256"},
		TokenEndpointAuthMethodsSupported:      methods,
		RevocationEndpointAuthMethodsSupported: methods,
		CodeChallengeMethodsSupported:          []oidc.CodeChallengeMethod{oidc.CodeChallengeMethodS256},
		ClaimsSupported:                        []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "name", "email", "email_verified", "phone_number", "phone_number_verified"},
		BackChannelLogoutSupported:             true,
		BackChannelLogoutSessionSupported:      true,
	}, true}), nil
}

// Keys are the public keys.
func (s *server) Keys(ctx context.Context, _ *op.Request[struct{}]) (*op.Response, error) {
	set, err := s.auth.Keys(ctx)
	if err != nil {
		return nil, refusal(ctx, err)
	}
	res := op.NewResponse(set)
	res.Header.Set("Cache-Control", "max-age=300")
	return res, nil
}

var grants = []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeClientCredentials, oidc.GrantTypeTokenExchange}

// client is one of auth's clients as the library asks for it.
type client struct{ auth.Client }

func own(c op.Client) auth.Client { return c.(client).Client }

func (c client) GetID() string { return c.ID }

func (c client) RedirectURIs() []string {
	if c.Redirect == "" {
		return nil
	}
	return []string{c.Redirect}
}

func (c client) PostLogoutRedirectURIs() []string    { return c.PostLogout }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) GrantTypes() []oidc.GrantType         { return grants }
func (c client) LoginURL(flow string) string          { return LoginPath + "?flow=" + flow }
func (c client) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (c client) IDTokenLifetime() time.Duration       { return time.Hour }
func (c client) DevMode() bool                        { return false }
func (c client) IsScopeAllowed(string) bool           { return false }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(s []string) []string { return s }
}

func errQuery() error {
	return oidc.ErrInvalidRequest().WithDescription("parameters belong into the body")
}

func errBearer() error {
	return op.NewStatusError(oidc.ErrInvalidRequest().WithDescription("the access token belongs into the Authorization header"), http.StatusUnauthorized)
}

// words are the standards' words for what auth refuses.
var words = []struct {
	err  error
	word func() error
}{
	{auth.ErrGrant, func() error { return oidc.ErrInvalidGrant() }},
	{auth.ErrTarget, func() error { return oidc.ErrInvalidTarget() }},
	{auth.ErrScope, func() error { return oidc.ErrInvalidScope() }},
	{auth.ErrClient, func() error { return op.NewStatusError(oidc.ErrInvalidClient(), http.StatusUnauthorized) }},
	{authclient.ErrLimited, func() error {
		return op.NewStatusError((&oidc.Error{ErrorType: "temporarily_unavailable"}).WithDescription("%s", authclient.ErrLimited.Detail), http.StatusTooManyRequests)
	}},
	{auth.ErrToken, func() error {
		return op.NewStatusError(&oidc.Error{ErrorType: "invalid_token"}, http.StatusUnauthorized)
	}},
}

// refusal puts an error into the library's form. The library would show the text of any
// other error to the client, so that one is noted for the log and hidden.
func refusal(ctx context.Context, err error) error {
	ops.Failed(ctx, err)
	for _, w := range words {
		if errors.Is(err, w.err) {
			return w.word()
		}
	}
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		return op.NewStatusError(oidc.ErrServerError().WithDescription("something went wrong on our side"), http.StatusInternalServerError)
	}
	return op.NewStatusError(oidc.ErrServerError().WithDescription("%s", f.Detail), f.Kind.Status())
}
