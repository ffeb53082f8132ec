// Package authapi is how programs ask auth: REST under /auth/api/v1. What it takes and
// answers are authclient's documents, so that the two ends can't drift apart.
package authapi

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/kit/web"
)

// audience is what a token must be for to be taken here.
const audience = "auth"

// API is the handlers.
type API struct{ auth *auth.Service }

// Routes adds the API to mux. This list is the table of contents.
func Routes(mux *http.ServeMux, s *auth.Service) {
	a := &API{s}
	h := web.NewAPI(mux, "/auth/api", "Jishi auth")

	web.Register(h, huma.Operation{Method: http.MethodPost, Path: "/auth/api/v1/users", Summary: "Register", DefaultStatus: http.StatusCreated}, a.register)
	web.Register(h, huma.Operation{Method: http.MethodGet, Path: "/auth/api/v1/me", Summary: "Who I am", Security: []map[string][]string{{"bearer": {}}}}, a.me)
}

type userReply struct{ Body authclient.User }

type newUser struct {
	web.IdempotencyKey
	Body authclient.NewUser

	address string
}

// Resolve is called by huma: it alone sees where the request comes from.
func (n *newUser) Resolve(ctx huma.Context) []error {
	n.address = host(ctx.RemoteAddr())
	return nil
}

func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}

func (a *API) register(ctx context.Context, in *newUser) (*userReply, error) {
	u, err := a.auth.Register(ctx, auth.Registration{NewUser: in.Body, Key: in.Key, Address: in.address})
	if err != nil {
		return nil, err
	}
	return &userReply{u}, nil
}

type bearer struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

func (a *API) me(ctx context.Context, in *bearer) (*userReply, error) {
	scheme, token, _ := strings.Cut(in.Authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, auth.ErrToken
	}
	c, err := a.auth.Access(ctx, token, audience)
	if err != nil {
		return nil, err
	}
	u, err := a.auth.User(ctx, c.User())
	if err != nil {
		return nil, err
	}
	return &userReply{u}, nil
}
