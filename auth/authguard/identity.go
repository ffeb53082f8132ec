package authguard

import (
	"context"

	"jishi/auth/authclient"
)

// Identity is who a request comes from. The zero value is nobody.
type Identity struct {
	User    authclient.UserID // empty for nobody and for a service
	Name    string            // what others call the user
	Client  string            // the OAuth client that the token was issued to
	Scopes  []string
	Service bool // a service on its own behalf (client credentials)
}

type identityKey struct{}

// caller is an identity and what tokens can be had with.
type caller struct {
	Identity
	session *browserSession // of a page's request
	bearer  string          // of a program's request
}

func with(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, identityKey{}, c)
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(identityKey{}).(caller)
	return c
}

// From is who the request comes from, as Load found out.
func From(ctx context.Context) Identity { return callerOf(ctx).Identity }

// User is the user that the request comes from, or "".
func User(ctx context.Context) authclient.UserID { return callerOf(ctx).User }
