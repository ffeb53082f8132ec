// Package authclient is auth as other modules see it: who a user is, the documents
// that travel, the refusals, and a client. It is all of auth's rules that they may
// import; checking tokens and logging browsers in is authguard's.
package authclient

import (
	"context"
	"net/http"
	"net/url"
	"time"

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

// UserChange changes what is not nil.
type UserChange struct {
	Name *string `json:"name,omitempty" maxLength:"200" doc:"at most 64 characters; empty goes back to the masked identifier"`
}

// Session is a browser in which a user is logged in.
type Session struct {
	ID        string    `json:"id" example:"sid_06f3kq0c8dv3t2mjh41m6r9s5g"`
	Device    string    `json:"device" doc:"what the browser says it is"`
	CreatedAt time.Time `json:"created_at" doc:"when the password was given"`
	SeenAt    time.Time `json:"seen_at" doc:"to the minute"`
	Current   bool      `json:"current" doc:"the session that the token belongs to"`
}

// Sessions is all sessions of a user, the last used first.
type Sessions struct {
	Items []Session `json:"items"`
}

// What auth refuses.
var (
	ErrTaken      = fault.New(fault.Conflict, "auth.taken", "Somebody has registered with this already.").On("identifier")
	ErrIdentifier = fault.New(fault.Invalid, "auth.identifier", "This is neither a mobile phone number nor an e-mail address.").On("identifier")
	ErrPassword   = fault.New(fault.Invalid, "auth.password_length", "A password has 8 to 256 characters.").On("password")
	ErrName       = fault.New(fault.Invalid, "auth.name", "A name has at most 64 characters, none of them invisible.").On("name")
	ErrLimited    = fault.New(fault.Limited, "auth.limited", "There were too many attempts. Please wait a few minutes.")
	ErrBusy       = fault.New(fault.Busy, "auth.busy", "Many people are logging in at the moment. Please try again.")
	ErrNoSession  = fault.New(fault.NotFound, "auth.no_session", "You have no such session.")
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

// Change changes the user of the token.
func (c *Client) Change(ctx context.Context, in UserChange) (User, error) {
	return rest.Call[User](ctx, c.http, http.MethodPatch, c.base+"/auth/api/v1/me", "", in)
}

// Sessions lists where the user of the token is logged in.
func (c *Client) Sessions(ctx context.Context) (Sessions, error) {
	return rest.Call[Sessions](ctx, c.http, http.MethodGet, c.base+"/auth/api/v1/me/sessions", "", nil)
}

// EndSession logs the user of the token out of one browser.
func (c *Client) EndSession(ctx context.Context, id string) error {
	_, err := rest.Call[struct{}](ctx, c.http, http.MethodDelete, c.base+"/auth/api/v1/me/sessions/"+url.PathEscape(id), "", nil)
	return err
}

// EndSessions logs the user of the token out of all browsers.
func (c *Client) EndSessions(ctx context.Context) error {
	_, err := rest.Call[struct{}](ctx, c.http, http.MethodDelete, c.base+"/auth/api/v1/me/sessions", "", nil)
	return err
}
