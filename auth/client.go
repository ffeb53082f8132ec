package auth

import (
	"crypto/subtle"
	"slices"

	"jishi/kit/fault"
)

// Client is a service or program that may ask for tokens. The market's own are made at
// start from its secret and are in no table.
type Client struct {
	ID       string
	Secrets  []string // any of them will do, so that secrets can be changed one replica at a time; none: it can't authenticate
	Redirect string   // the one place codes are sent to, compared as text; "" for a client without browsers
	// PostLogout are where browsers may be sent after logging out.
	PostLogout []string
	Logout     string   // where logout tokens are posted to (OpenID Connect Back-Channel Logout)
	Resources  []string // audiences it may ask for; with none asked for, a token is for the client itself
	Exchange   bool     // it may exchange a user's token that is meant for it (RFC 8693)
}

// What the protocol refuses; auth/oidc has the names that its standards give them.
var (
	ErrClient = fault.New(fault.Unauthenticated, "auth.invalid_client", "The client is unknown, or didn't prove who it is.")
	ErrTarget = fault.New(fault.Invalid, "auth.invalid_target", "The client may not ask for tokens for this resource.")
	ErrScope  = fault.New(fault.Invalid, "auth.invalid_scope", "The client may not ask for more than it was granted.")
	ErrGrant  = fault.New(fault.Invalid, "auth.invalid_grant", "The code or token is not valid, or no longer.")
	ErrFlow   = fault.New(fault.NotFound, "auth.flow", "This login was begun elsewhere, or too long ago. Please begin again.")
	ErrToken  = fault.New(fault.Unauthenticated, "auth.token", "The access token is not valid here, or no longer.")
)

// scopes are those that the provider knows.
var scopes = []string{"openid", "profile", "email", "phone", "offline_access"}

// Scopes lists the scopes that the provider knows.
func Scopes() []string { return slices.Clone(scopes) }

// knownScopes drops what the provider doesn't know, as OpenID Connect Core 3.1.2.1 asks, and what
// is named again.
func knownScopes(asked []string) []string {
	return slices.DeleteFunc(Scopes(), func(s string) bool { return !slices.Contains(asked, s) })
}

// Client finds a client. Refusal: ErrClient.
func (s *Service) Client(id string) (Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return Client{}, ErrClient
	}
	return c, nil
}

// AuthenticateClient finds a client that proves who it is. Refusal: ErrClient.
func (s *Service) AuthenticateClient(id, secret string) (Client, error) {
	c, err := s.Client(id)
	if err != nil {
		return Client{}, err
	}
	ok := 0
	for _, known := range c.Secrets {
		ok |= subtle.ConstantTimeCompare([]byte(known), []byte(secret))
	}
	if ok != 1 || secret == "" {
		return Client{}, ErrClient
	}
	return c, nil
}

// audience is what a token shall be for: the resources asked for, each of which the
// client must be allowed, or the client itself. Refusal: ErrTarget.
func (c Client) audience(asked []string) ([]string, error) {
	if len(asked) == 0 {
		return []string{c.ID}, nil
	}
	for _, r := range asked {
		if r != c.ID && !slices.Contains(c.Resources, r) {
			return nil, ErrTarget
		}
	}
	return once(asked), nil
}

// once drops what is named again.
func once(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }
