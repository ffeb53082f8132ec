// Package authclient is auth as other modules see it: who a user is, the documents
// that travel, the refusals, and a client. It is all of auth's rules that they may
// import; checking tokens and logging browsers in is authguard's.
package authclient

import (
	"context"
	"net/http"

	"jishi/kit/fault"
	"jishi/kit/rest"
)

// UserID names a user everywhere in the market, "usr_…". Empty means nobody.
type UserID string

// NewUser is a registration. The password is taken exactly as it is sent, 8 to 256
// characters; Name may be empty, a masked identifier is shown then.
type NewUser struct {
	Identifier string `json:"identifier" maxLength:"320" example:"138 0013 8000" doc:"phone number as people type it, or e-mail address"`
	Password   string `json:"password" maxLength:"1024" doc:"8 to 256 characters, exactly as they shall be typed at login"`
	Name       string `json:"name,omitempty" maxLength:"200" doc:"shown to others; without one a masked identifier is shown"`
}

// User is what a user sees of their own account. Identifier is normalised: E.164 or
// an e-mail address.
type User struct {
	ID         string `json:"id" example:"usr_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Identifier string `json:"identifier" example:"+8613800138000"`
	Name       string `json:"name" example:"138****8000"`
}

// What auth refuses.
var (
	ErrTaken      = fault.New(fault.Conflict, "auth.taken", "Somebody has registered with this already.").On("identifier")
	ErrIdentifier = fault.New(fault.Invalid, "auth.identifier", "This is neither a mobile phone number nor an e-mail address.").On("identifier")
	ErrPassword   = fault.New(fault.Invalid, "auth.password_length", "A password has 8 to 256 characters.").On("password")
	ErrName       = fault.New(fault.Invalid, "auth.name", "A name has at most 64 characters, none of them invisible.").On("name")
	ErrLimited    = fault.New(fault.Limited, "auth.limited", "There were too many attempts. Please wait a few minutes.")
	ErrBusy       = fault.New(fault.Busy, "auth.busy", "Many people are logging in at the moment. Please try again.")
	ErrNoUser     = fault.New(fault.NotFound, "auth.no_user", "There is no such user.")
)

// Client calls auth's REST API.
type Client struct {
	base string
	http *http.Client
}

// New returns a client of the auth service at base, a URL without a trailing slash.
// hc decides how it gets there and with whose token.
func New(base string, hc *http.Client) *Client { return &Client{base: base, http: hc} }

// Register makes a user. The same key and registration again give the same user.
func (c *Client) Register(ctx context.Context, in NewUser, key string) (User, error) {
	return rest.Call[User](ctx, c.http, http.MethodPost, c.base+"/auth/api/v1/users", key, in)
}

// Me is the user of the token that the client carries.
func (c *Client) Me(ctx context.Context) (User, error) {
	return rest.Call[User](ctx, c.http, http.MethodGet, c.base+"/auth/api/v1/me", "", nil)
}
