package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"jishi/auth/authclient"
)

// How long tokens are good for.
const (
	accessLife = 5 * time.Minute
	idLife     = time.Hour
	logoutLife = 2 * time.Minute
)

// The types of tokens, so that none can be taken for another (RFC 8725, 3.11).
const (
	typeAccess = "at+jwt" // RFC 9068
	typeID     = "JWT"
	typeLogout = "logout+jwt"
)

const (
	maxToken = 8 << 10          // bytes of a token that is looked at
	leeway   = 30 * time.Second // between two machines' clocks
)

// AccessClaims are those of an access token.
type AccessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"` // user, or the client for itself
	Audience  []string `json:"aud"`
	Client    string   `json:"client_id"`
	Scope     string   `json:"scope,omitempty"`
	Name      string   `json:"name,omitempty"`
	SessionID string   `json:"sid,omitempty"`
	Grant     string   `json:"grant_id,omitempty"` // what it was issued under, and is revoked with
	ID        string   `json:"jti"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
}

// User is the user that the token speaks for, "" when the client speaks for itself.
func (c AccessClaims) User() authclient.UserID {
	if c.Subject == c.Client {
		return ""
	}
	return authclient.UserID(c.Subject)
}

// Has tells whether the token has a scope.
func (c AccessClaims) Has(scope string) bool {
	return slices.Contains(strings.Fields(c.Scope), scope)
}

// IDClaims are those of an id_token.
type IDClaims struct {
	Issuer     string `json:"iss"`
	Subject    string `json:"sub"`
	Audience   string `json:"aud"`
	SessionID  string `json:"sid"`
	Nonce      string `json:"nonce,omitempty"`
	Name       string `json:"name,omitempty"`
	AccessHash string `json:"at_hash,omitempty"`
	AuthTime   int64  `json:"auth_time"`
	IssuedAt   int64  `json:"iat"`
	ExpiresAt  int64  `json:"exp"`
}

// User is the user that logged in.
func (c IDClaims) User() authclient.UserID { return authclient.UserID(c.Subject) }

// logoutClaims are those of a logout token (OpenID Connect Back-Channel Logout, 2.4).
type logoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	SessionID string              `json:"sid"`
	ID        string              `json:"jti"`
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	Events    map[string]struct{} `json:"events"`
}

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// sign makes a token of a type from claims.
func (s *Service) sign(ctx context.Context, typ string, claims any) (string, error) {
	key, err := s.keys.signer(ctx)
	if err != nil {
		return "", fmt.Errorf("find the signing key: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key.private, KeyID: key.row.ID}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", fmt.Errorf("make a signer: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return jws.CompactSerialize()
}

// open checks the signature and type of a token of ours and decodes its claims. Whether
// they still hold is the caller's question. Refusal: ErrToken.
func (s *Service) open(ctx context.Context, raw, typ string, claims any) error {
	if len(raw) > maxToken {
		return ErrToken
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return ErrToken.Because(err)
	}
	header := jws.Signatures[0].Header
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return ErrToken
	}
	key, found, err := s.keys.public(ctx, header.KeyID)
	if err != nil {
		return fmt.Errorf("find the key of a token: %w", err)
	}
	if !found {
		return ErrToken
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return ErrToken.Because(err)
	}
	if err := json.Unmarshal(payload, claims); err != nil {
		return ErrToken.Because(err)
	}
	return nil
}

// Access checks an access token; aud "" takes one for any audience. A token whose
// grant was revoked is refused at once, before it expires. Refusal: ErrToken.
func (s *Service) Access(ctx context.Context, raw, aud string) (AccessClaims, error) {
	var c AccessClaims
	if err := s.open(ctx, raw, typeAccess, &c); err != nil {
		return AccessClaims{}, err
	}
	now := s.now()
	if c.Issuer != s.issuer || (aud != "" && !slices.Contains(c.Audience, aud)) ||
		!now.Add(-leeway).Before(time.Unix(c.ExpiresAt, 0)) || now.Add(leeway).Before(time.Unix(c.IssuedAt, 0)) {
		return AccessClaims{}, ErrToken
	}
	if c.Grant != "" {
		if _, err := s.liveGrant(ctx, c.Grant); err != nil {
			return AccessClaims{}, err
		}
	}
	return c, nil
}

// Hint reads the id_token of a logout request. It may have expired: it only says whose
// session is meant. Refusal: ErrToken.
func (s *Service) Hint(ctx context.Context, raw string) (IDClaims, error) {
	var c IDClaims
	if err := s.open(ctx, raw, typeID, &c); err != nil {
		return IDClaims{}, err
	}
	if _, known := s.clients[c.Audience]; !known || c.Issuer != s.issuer || c.SessionID == "" {
		return IDClaims{}, ErrToken
	}
	return c, nil
}

// access makes the claims of an access token that begins now.
func (s *Service) access(subject, client string, audience []string, life time.Duration) AccessClaims {
	now := s.now()
	return AccessClaims{
		Issuer:    s.issuer,
		Subject:   subject,
		Audience:  audience,
		Client:    client,
		ID:        rand.Text(),
		IssuedAt:  now.Unix(),
		ExpiresAt: now.Add(life).Unix(),
	}
}

// accessHash ties an access token to an id_token (OpenID Connect Core 3.1.3.6).
func accessHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// secret makes a value that only its holder knows, and the hash that is stored.
func secret() (value string, hash []byte) {
	value = rand.Text() + rand.Text() // 256 bits
	return value, hashOf(value)
}

// hashOf needs no salt and no cost: what it hashes is random.
func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
