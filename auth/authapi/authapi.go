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
	h := web.NewAPI(mux, about, nil)

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

// Bearer is the input of a call that needs a token. Auth checks its own tokens itself. It
// is exported since huma doesn't fill what is embedded and not.
type Bearer struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

// caller is what the token says of who calls.
func (a *API) caller(ctx context.Context, in Bearer) (auth.AccessClaims, error) {
	scheme, token, _ := strings.Cut(in.Authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return auth.AccessClaims{}, fault.ErrUnauthenticated
	}
	c, err := a.auth.Access(ctx, token, audience)
	if err == nil && c.User() == "" {
		err = authclient.ErrNoUser // a service
	}
	return c, err
}

func (a *API) me(ctx context.Context, in *Bearer) (*userReply, error) {
	c, err := a.caller(ctx, *in)
	if err != nil {
		return nil, err
	}
	return a.userReply(ctx, c)
}

func (a *API) userReply(ctx context.Context, c auth.AccessClaims) (*userReply, error) {
	u, err := a.auth.User(ctx, c.User())
	if err != nil {
		return nil, err
	}
	return &userReply{u}, nil
}

func (a *API) changeMe(ctx context.Context, in *struct {
	Bearer
	Body authclient.UserChange
}) (*userReply, error) {
	c, err := a.caller(ctx, in.Bearer)
	if err != nil {
		return nil, err
	}
	if in.Body.Name != nil {
		if err := a.auth.Rename(ctx, c.User(), *in.Body.Name); err != nil {
			return nil, err
		}
		u, err := a.userReply(ctx, c)
		return u, database.Afterwards(err)
	}
	return a.userReply(ctx, c)
}

func (a *API) sessions(ctx context.Context, in *Bearer) (*struct{ Body authclient.Sessions }, error) {
	c, err := a.caller(ctx, *in)
	if err != nil {
		return nil, err
	}
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
	Bearer
	ID string `path:"id" maxLength:"64"`
}) (*struct{}, error) {
	c, err := a.caller(ctx, in.Bearer)
	if err != nil {
		return nil, err
	}
	return nil, a.auth.LogOutOne(ctx, c.User(), in.ID)
}

func (a *API) endSessions(ctx context.Context, in *Bearer) (*struct{}, error) {
	c, err := a.caller(ctx, *in)
	if err != nil {
		return nil, err
	}
	return nil, a.auth.LogOutEverywhere(ctx, c.User())
}
