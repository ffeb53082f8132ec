// Package authapi is how programs ask auth: REST under /auth/api/v1. What it takes and
// answers are authclient's documents, so that the two ends can't drift apart.
package authapi

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/ops"
	"jishi/kit/web"
)

// audience is what a token must be for to be taken here.
const audience = "auth"

// API is the handlers.
type API struct{ auth *auth.Service }

// Routes adds the API to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, s *auth.Service) {
	a := &API{s}
	h := web.NewAPI(mux, about, a.somebody)

	web.Register(h, web.Call{
		ID: "register", Group: users, Method: http.MethodPost, Path: path + "/users", Summary: "Register", Open: true, Status: http.StatusCreated,
		Description: "Makes a user. How many one network address may make is limited; the RateLimit headers say how many are left.",
		Refuses: []*fault.Error{
			authclient.ErrTaken, authclient.ErrIdentifier, authclient.ErrPassword, authclient.ErrName, authclient.ErrLimited, authclient.ErrBusy,
		},
	}, a.register)
	web.Register(h, mine("getMe", http.MethodGet, "/me", users, "Who I am", ""), a.me)
	web.Register(h, mine("changeMe", http.MethodPatch, "/me", users, "Change my name",
		"An empty name goes back to the masked identifier. Tokens that are out keep the old name until they expire.", authclient.ErrName), a.changeMe)
	web.Register(h, mine("listSessions", http.MethodGet, "/me/sessions", sessions, "Where I am logged in", "The last used first."), a.sessions)
	web.Register(h, mine("endSession", http.MethodDelete, "/me/sessions/{id}", sessions, "Log out of one browser",
		"Its tokens and what they led to end with it. Ending it again is harmless.", authclient.ErrNoSession), a.endSession)
	web.Register(h, mine("endSessions", http.MethodDelete, "/me/sessions", sessions, "Log out everywhere",
		"Ends all browser sessions with their tokens. Tokens that were made by `jishi token` are not of a session and go on."), a.endSessions)
}

const (
	path     = "/auth/api/v1"
	users    = "Users"
	sessions = "Sessions"
)

// about is the document's head.
var about = web.About{
	Prefix: "/auth/api",
	Title:  "Jishi auth",
	Description: "Users and their sessions. Tokens come from the OpenID Connect endpoints, which describe themselves at " +
		"/auth/.well-known/openid-configuration: authorization code with PKCE, refresh, client credentials, token exchange.\n\n" +
		"A token for this API is one for the audience `auth`.",
	Groups: []web.Group{
		{Name: users, Description: "Registering, and one's own account."},
		{Name: sessions, Description: "The browsers in which a user is logged in."},
	},
	Token: []*fault.Error{auth.ErrToken},
}

func mine(id, method, at, group, summary, text string, refuses ...*fault.Error) web.Call {
	c := web.Call{
		ID: id, Group: group, Method: method, Path: path + at, Summary: summary, Description: text,
		Refuses: append(refuses, authclient.ErrNoUser),
	}
	if method == http.MethodDelete {
		c.Status = http.StatusNoContent
	}
	return c
}

type userReply struct{ Body authclient.User }

type newUserReply struct {
	Limit     string `header:"RateLimit-Limit" doc:"How many one address may register in a window."`
	Remaining string `header:"RateLimit-Remaining" doc:"How many of them are left."`
	Reset     string `header:"RateLimit-Reset" doc:"Seconds until the window is over."`
	Body      authclient.User
}

type newUser struct {
	web.IdempotencyKey
	Body authclient.NewUser

	address string
}

// Resolve is called by huma: it alone sees where the request comes from.
func (n *newUser) Resolve(ctx huma.Context) []error {
	n.address = ctx.RemoteAddr()
	return nil
}

func (a *API) register(ctx context.Context, in *newUser) (*newUserReply, error) {
	u, err := a.auth.Register(ctx, auth.Registration{NewUser: in.Body, Key: in.Key, Address: in.address})
	if err != nil {
		return nil, err
	}
	out := &newUserReply{Body: u}
	left, err := a.auth.NewUsersLeft(ctx, in.address)
	if err != nil { // the user is there all the same
		ops.Failed(ctx, err)
	}
	if left.Limit > 0 {
		out.Limit, out.Remaining = strconv.Itoa(left.Limit), strconv.Itoa(left.Left)
		out.Reset = strconv.Itoa(int(math.Ceil(left.Reset.Seconds())))
	}
	return out, nil
}

type claimsKey struct{}

// somebody refuses nobody. Auth checks its own tokens itself.
func (a *API) somebody(r *http.Request) (context.Context, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, fault.ErrUnauthenticated
	}
	c, err := a.auth.Access(r.Context(), token, audience)
	if err == nil && c.User() == "" {
		err = authclient.ErrNoUser // a service
	}
	return context.WithValue(r.Context(), claimsKey{}, c), err
}

// claimsOf is what the token says of who calls.
func claimsOf(ctx context.Context) auth.AccessClaims {
	c, _ := ctx.Value(claimsKey{}).(auth.AccessClaims)
	return c
}

func (a *API) me(ctx context.Context, _ *struct{}) (*userReply, error) {
	u, err := a.auth.User(ctx, claimsOf(ctx).User())
	if err != nil {
		return nil, err
	}
	return &userReply{u}, nil
}

func (a *API) changeMe(ctx context.Context, in *struct{ Body authclient.UserChange }) (*userReply, error) {
	if in.Body.Name != nil {
		if err := a.auth.Rename(ctx, claimsOf(ctx).User(), *in.Body.Name); err != nil {
			return nil, err
		}
		u, err := a.me(ctx, nil)
		return u, database.Afterwards(err)
	}
	return a.me(ctx, nil)
}

func (a *API) sessions(ctx context.Context, _ *struct{}) (*struct{ Body authclient.Sessions }, error) {
	c := claimsOf(ctx)
	logins, err := a.auth.Logins(ctx, c.User())
	if err != nil {
		return nil, err
	}
	out := authclient.Sessions{Items: make([]authclient.Session, len(logins))}
	for i, l := range logins {
		out.Items[i] = authclient.Session{
			ID: l.SessionID, Device: l.Device, CreatedAt: l.At.UTC(), SeenAt: l.Seen.UTC(), Current: l.SessionID == c.SessionID,
		}
	}
	return &struct{ Body authclient.Sessions }{out}, nil
}

func (a *API) endSession(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
}) (*struct{}, error) {
	return nil, a.auth.LogOutOne(ctx, claimsOf(ctx).User(), in.ID)
}

func (a *API) endSessions(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.auth.LogOutEverywhere(ctx, claimsOf(ctx).User())
}
