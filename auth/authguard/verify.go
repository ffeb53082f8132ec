package authguard

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"jishi/auth/authclient"
	"jishi/kit/fault"
)

// ErrToken refuses a bearer token, whatever is wrong with it: who forges one learns nothing.
var ErrToken = fault.New(fault.Unauthenticated, "auth.token", "The access token is not valid here, or no longer.")

const (
	maxToken = 8 << 10          // bytes of a token that is looked at
	leeway   = 30 * time.Second // between two machines' clocks

	typAccess = "at+jwt" // RFC 9068
	typLogout = "logout+jwt"
	typID     = "JWT"
)

// audience is one name or a list of them (RFC 7519, 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// claims are those of access and logout tokens that we look at.
type claims struct {
	Issuer    string                     `json:"iss"`
	Subject   string                     `json:"sub"`
	Audience  audience                   `json:"aud"`
	Client    string                     `json:"client_id"`
	Scope     string                     `json:"scope"`
	Name      string                     `json:"name"`
	SessionID string                     `json:"sid"`
	IssuedAt  int64                      `json:"iat"`
	NotBefore int64                      `json:"nbf"`
	ExpiresAt int64                      `json:"exp"`
	Nonce     *string                    `json:"nonce"`
	Events    map[string]json.RawMessage `json:"events"`
}

// identity reads who an access token speaks for: a user, or the client itself.
func (c claims) identity() Identity {
	id := Identity{Name: c.Name, Client: c.Client, Scopes: strings.Fields(c.Scope)}
	if c.Subject == c.Client {
		id.Service = true
	} else {
		id.User = authclient.UserID(c.Subject)
	}
	return id
}

// verifier checks tokens that auth signed.
type verifier struct {
	issuer string
	keys   *keySet
	now    func() time.Time
	signs  *otter.Cache[[sha256.Size]byte, signedClaims]
}

// signedClaims are those of an access token whose signature was good at that time.
type signedClaims struct {
	claims claims
	at     time.Time
}

// trustFor is how long a signature that was checked is not checked again: a call costs
// less than the check of one. What depends on the time is looked at each time; a key that
// auth withdraws is good for this much longer.
const trustFor = time.Minute

func newVerifier(issuer string, keys *keySet, now func() time.Time) *verifier {
	return &verifier{issuer, keys, now, otter.Must(&otter.Options[[sha256.Size]byte, signedClaims]{MaximumSize: maxCached})}
}

// signed checks form, type and signature, in the order from cheap to dear, and gives
// the payload. The algorithm is ours to choose, never the token's; a key that the token
// brings along is refused (RFC 8725, 3.1 to 3.11).
func (v *verifier) signed(ctx context.Context, raw, typ string) ([]byte, error) {
	if len(raw) > maxToken {
		return nil, errors.New("token is too long")
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("parse token: %w", err)
	}
	h := jws.Signatures[0].Header
	got, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if !strings.EqualFold(strings.TrimPrefix(got, "application/"), typ) {
		return nil, fmt.Errorf("token has type %q, want %q", got, typ)
	}
	if h.JSONWebKey != nil {
		return nil, errors.New("token brings its own key")
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u", "x5c", "crit"} {
		if _, found := h.ExtraHeaders[name]; found {
			return nil, fmt.Errorf("token has the header %s", name)
		}
	}
	key, err := v.keys.key(ctx, h.KeyID)
	if err != nil {
		return nil, err
	}
	return jws.Verify(key)
}

// claims checks a token of a type for an audience.
func (v *verifier) claims(ctx context.Context, raw, typ, aud string) (claims, error) {
	c, err := v.decode(ctx, raw, typ)
	if err != nil {
		return c, err
	}
	return c, v.fits(c, aud)
}

func (v *verifier) decode(ctx context.Context, raw, typ string) (claims, error) {
	var c claims
	payload, err := v.signed(ctx, raw, typ)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, fmt.Errorf("decode token: %w", err)
	}
	return c, nil
}

// fits tells why claims are not for us, or not now.
func (v *verifier) fits(c claims, aud string) error {
	now := v.now()
	switch {
	case c.Issuer != v.issuer:
		return fmt.Errorf("token is of issuer %q", c.Issuer)
	case !slices.Contains(c.Audience, aud):
		return fmt.Errorf("token is for %q, not for %s", []string(c.Audience), aud)
	case !now.Add(-leeway).Before(time.Unix(c.ExpiresAt, 0)):
		return errors.New("token has expired")
	case now.Add(leeway).Before(time.Unix(max(c.NotBefore, c.IssuedAt), 0)):
		return errors.New("token isn't valid yet")
	}
	return nil
}

// accessClaims are those of an access token for an audience. A signature is checked once a
// minute, since programs send the same token with each call.
func (v *verifier) accessClaims(ctx context.Context, raw, aud string) (claims, error) {
	key := sha256.Sum256([]byte(raw))
	if known, ok := v.signs.GetIfPresent(key); ok && v.now().Sub(known.at) < trustFor {
		return known.claims, v.fits(known.claims, aud)
	}
	c, err := v.decode(ctx, raw, typAccess)
	if err != nil {
		return c, err
	}
	if err := v.fits(c, aud); err != nil {
		return c, err
	}
	v.signs.Set(key, signedClaims{c, v.now()})
	return c, nil
}

// access reads an access token. Refusals: ErrToken; ErrUnavailable when auth's keys
// can't be read.
func (v *verifier) access(ctx context.Context, raw, aud string) (claims, error) {
	c, err := v.accessClaims(ctx, raw, aud)
	if err == nil && (c.Subject == "" || c.Client == "") {
		err = errors.New("token names nobody")
	}
	if errors.Is(err, ErrUnavailable) {
		return claims{}, err
	}
	if err != nil {
		return claims{}, ErrToken.Because(err)
	}
	return c, nil
}

// logoutEvent is what a logout token is about (OpenID Connect Back-Channel Logout, 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logout reads a logout token and gives the session that ended. Its reuse is harmless:
// a session id is never used again.
func (v *verifier) logout(ctx context.Context, raw, aud string) (sid string, err error) {
	c, err := v.claims(ctx, raw, typLogout, aud)
	if err != nil {
		return "", err
	}
	_, about := c.Events[logoutEvent]
	switch {
	case !about:
		return "", errors.New("logout token is about something else")
	case c.Nonce != nil:
		return "", errors.New("logout token has a nonce") // an id_token in disguise
	case c.SessionID == "":
		return "", errors.New("logout token names no session")
	}
	return c.SessionID, nil
}

// VerifySignature makes the verifier an oidc.KeySet, so that id_tokens are checked with
// the same keys.
func (v *verifier) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	return v.signed(ctx, raw, typID)
}
