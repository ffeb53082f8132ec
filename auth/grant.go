package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
)

// How long a client may go on without a new login.
const (
	grantLife   = 30 * 24 * time.Hour // since the login
	refreshLife = 14 * 24 * time.Hour // since the last use
	// refreshAgain is how long a spent refresh token is taken for that of a client which
	// didn't get the answer.
	refreshAgain = time.Minute
)

// grantRow is what a user's login gave to a client: all tokens that follow from one
// code. It is revoked as a whole.
type grantRow struct {
	bun.BaseModel `bun:"table:grants"`

	ID        string            `bun:"id,pk"`
	User      authclient.UserID `bun:"user_id"`
	Client    string            `bun:"client"`
	SessionID string            `bun:"sid"`
	Scopes    string            `bun:"scopes"`
	Resources string            `bun:"resources"`
	AuthTime  database.Time     `bun:"auth_time"`
	CreatedAt database.Time     `bun:"created_at"`
	ExpiresAt database.Time     `bun:"expires_at"`
	RevokedAt database.Time     `bun:"revoked_at,nullzero"`
}

// refreshRow is a refresh token. It is used once; its reuse revokes the grant, but for what
// replaceRefresh says.
type refreshRow struct {
	bun.BaseModel `bun:"table:refresh_tokens"`

	Hash      []byte        `bun:"hash,pk"`
	Grant     string        `bun:"grant_id"`
	ExpiresAt database.Time `bun:"expires_at"`
	UsedAt    database.Time `bun:"used_at,nullzero"`
	Successor []byte        `bun:"successor,nullzero"` // hash of the one that was given for it
}

// Tokens is what a client gets.
type Tokens struct {
	Access  string
	ID      string // empty where no user has just logged in
	Refresh string // empty for tokens that aren't refreshed
	Scopes  []string
	Life    time.Duration
}

// Redeem spends a code. Of callers with the same code one gets tokens; a second use
// revokes what the first one got. Refusals: ErrGrant, whatever is wrong.
func (s *Service) Redeem(ctx context.Context, c Client, code, redirect, verifier string) (Tokens, error) {
	row := &flowRow{}
	err := s.db.NewSelect().Model(row).Where("code = ?", hashOf(code)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Tokens{}, ErrGrant
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("find a code: %w", err)
	}
	if row.Client != c.ID {
		return Tokens{}, ErrGrant
	}
	if !row.UsedAt.IsZero() {
		return Tokens{}, s.reused(ctx, row.Grant)
	}
	if row.Redirect != redirect || !s.now().Before(row.CodeExpiresAt.Time) || !proves(verifier, row.Challenge) {
		return Tokens{}, ErrGrant
	}
	g := grantRow{
		ID: id.New("grt"), User: row.User, Client: c.ID, SessionID: row.SessionID, Scopes: row.Scopes, Resources: row.Resources,
		AuthTime: row.AuthTime, CreatedAt: database.At(s.now()), ExpiresAt: database.At(s.now().Add(grantLife)),
	}
	refresh, hash := secret()
	// What can fail comes before the code is spent.
	t, err := s.issue(ctx, g, refresh, row.Nonce, strings.Fields(g.Scopes), strings.Fields(g.Resources))
	if err != nil {
		return Tokens{}, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		won, err := database.Changed(tx.NewUpdate().Model((*flowRow)(nil)).
			Set("used_at = ?", g.CreatedAt).
			Set("grant_id = ?", g.ID).
			Where("id = ?", row.ID).
			Where("used_at IS NULL").
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("spend a code: %w", err)
		}
		if !won {
			return ErrGrant
		}
		if _, err := tx.NewInsert().Model(&g).Exec(ctx); err != nil {
			return fmt.Errorf("store grant %s: %w", g.ID, err)
		}
		return s.addRefresh(ctx, tx, g, hash)
	})
	if errors.Is(err, ErrGrant) { // somebody else was faster, and has stored the grant
		if err := s.db.NewSelect().Model(row).WherePK().Scan(ctx); err != nil {
			return Tokens{}, fmt.Errorf("find reused flow %s: %w", row.ID, err)
		}
		return Tokens{}, s.reused(ctx, row.Grant)
	}
	if err != nil {
		return Tokens{}, err
	}
	return t, nil
}

// proves checks a PKCE verifier against its challenge (RFC 7636, 4.6, S256 only).
func proves(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// reused revokes what a code or refresh token gave that is presented again: one of the
// two who had it is a thief. It returns ErrGrant.
func (s *Service) reused(ctx context.Context, grant string) error {
	if err := s.revokeGrant(ctx, grant); err != nil {
		return err
	}
	return ErrGrant
}

func (s *Service) addRefresh(ctx context.Context, tx bun.Tx, g grantRow, hash []byte) error {
	expires := s.now().Add(refreshLife)
	if g.ExpiresAt.Before(expires) {
		expires = g.ExpiresAt.Time
	}
	_, err := tx.NewInsert().Model(&refreshRow{Hash: hash, Grant: g.ID, ExpiresAt: database.At(expires)}).Exec(ctx)
	if err != nil {
		return fmt.Errorf("store a refresh token of grant %s: %w", g.ID, err)
	}
	return nil
}

// Refresh exchanges a refresh token for new tokens. It works once, but for a client that
// didn't get the answer and asks again at once; any other reuse revokes the whole grant,
// since one of its two users is a thief. Asked-for scopes and resources
// narrow what was granted, none means all. Refusals: ErrGrant, ErrScope, ErrTarget.
func (s *Service) Refresh(ctx context.Context, c Client, token string, asked, resources []string) (Tokens, error) {
	row := &refreshRow{}
	err := s.db.NewSelect().Model(row).Where("hash = ?", hashOf(token)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Tokens{}, ErrGrant
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("find a refresh token: %w", err)
	}
	g, err := s.liveGrant(ctx, row.Grant)
	if err != nil || g.Client != c.ID || !s.now().Before(row.ExpiresAt.Time) {
		return Tokens{}, asGrant(err)
	}
	scopes, audience := strings.Fields(g.Scopes), strings.Fields(g.Resources)
	if !subset(asked, scopes) {
		return Tokens{}, ErrScope
	}
	if !subset(resources, audience) {
		return Tokens{}, ErrTarget
	}
	if len(asked) > 0 {
		scopes = asked
	}
	if len(resources) > 0 {
		audience = resources
	}
	next, hash := secret()
	// What can fail comes before the token is spent.
	t, err := s.issue(ctx, g, next, "", scopes, audience)
	if err != nil {
		return Tokens{}, err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.replaceRefresh(ctx, tx, row.Hash, hash); err != nil {
			return err
		}
		if err := s.addRefresh(ctx, tx, g, hash); err != nil {
			return err
		}
		// As long as a client goes on, its user sees the session, and can end it.
		return s.sessions.TouchBySIDIn(ctx, tx, g.SessionID)
	})
	if errors.Is(err, ErrGrant) {
		return Tokens{}, s.reused(ctx, g.ID)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh grant %s: %w", g.ID, err)
	}
	return t, nil
}

// replaceRefresh spends a refresh token, for which next is given. Refusal: ErrGrant.
//
// A client to which the answer got lost has only the spent token, so for refreshAgain that
// is taken once more if what was given for it is unused, which is spent in its place. A thief
// who has both the client's secret and a token that was just spent gets tokens by that. But
// one of the two who have asked now holds a token that is spent and not the last one, and its
// use, at the owner's next refresh within minutes, revokes the grant as any reuse does.
func (s *Service) replaceRefresh(ctx context.Context, tx bun.Tx, spent, next []byte) error {
	now := s.now()
	won, err := database.Changed(tx.NewUpdate().Model((*refreshRow)(nil)).
		Set("used_at = ?", database.At(now)).
		Set("successor = ?", next).
		Where("hash = ?", spent).
		Where("used_at IS NULL").
		Exec(ctx))
	if err != nil || won {
		return err
	}
	before := &refreshRow{}
	err = database.ForUpdate(tx.NewSelect().Model(before).Where("hash = ?", spent)).Scan(ctx)
	if err != nil {
		return err
	}
	if now.Sub(before.UsedAt.Time) > refreshAgain {
		return ErrGrant
	}
	won, err = database.Changed(tx.NewUpdate().Model((*refreshRow)(nil)).
		Set("used_at = ?", database.At(now)).
		Where("hash = ?", before.Successor).
		Where("used_at IS NULL").
		Exec(ctx))
	if err != nil {
		return err
	}
	if !won {
		return ErrGrant
	}
	_, err = tx.NewUpdate().Model((*refreshRow)(nil)).Set("successor = ?", next).Where("hash = ?", spent).Exec(ctx)
	return err
}

// asGrant says of a token whose grant is gone what the protocol has a word for.
func asGrant(err error) error {
	if err == nil || errors.Is(err, ErrToken) {
		return ErrGrant
	}
	return err
}

// issue signs the tokens of a grant.
func (s *Service) issue(ctx context.Context, g grantRow, refresh, nonce string, scopes, resources []string) (Tokens, error) {
	c, err := s.Client(g.Client)
	if err != nil {
		return Tokens{}, err
	}
	audience, err := c.audience(resources)
	if err != nil {
		return Tokens{}, err
	}
	u, err := s.user(ctx, g.User)
	if err != nil {
		return Tokens{}, err
	}
	claims := s.access(string(g.User), g.Client, audience, accessLife)
	claims.Name, claims.Scope, claims.SessionID, claims.Grant = u.shown(), strings.Join(scopes, " "), g.SessionID, g.ID
	access, err := s.sign(ctx, typeAccess, claims)
	if err != nil {
		return Tokens{}, err
	}
	t := Tokens{Access: access, Refresh: refresh, Scopes: scopes, Life: accessLife}
	if !slices.Contains(scopes, "openid") {
		return t, nil
	}
	t.ID, err = s.sign(ctx, typeID, IDClaims{
		Issuer: s.issuer, Subject: string(g.User), Audience: g.Client, SessionID: g.SessionID, Nonce: nonce, Name: u.shown(),
		AccessHash: accessHash(access), AuthTime: g.AuthTime.Unix(), IssuedAt: s.now().Unix(), ExpiresAt: s.now().Add(idLife).Unix(),
	})
	return t, err
}

// liveGrant finds a grant that is neither revoked nor over. Refusal: ErrToken.
func (s *Service) liveGrant(ctx context.Context, id string) (grantRow, error) {
	var g grantRow
	err := s.db.NewSelect().Model(&g).
		Where("id = ?", id).
		Where("revoked_at IS NULL").
		Where("expires_at > ?", database.At(s.now())).
		Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return grantRow{}, ErrToken
	}
	if err != nil {
		return grantRow{}, fmt.Errorf("find grant %s: %w", id, err)
	}
	return g, nil
}

func (s *Service) revokeGrant(ctx context.Context, id string) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*grantRow)(nil)).
			Set("revoked_at = ?", database.At(s.now())).
			Where("id = ?", id).
			Where("revoked_at IS NULL").
			Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke grant %s: %w", id, err)
	}
	return nil
}

// Revoke ends the grant of a refresh or access token of the client's. A token that is
// unknown, or another client's, is as good as revoked already (RFC 7009, 2.2).
func (s *Service) Revoke(ctx context.Context, c Client, token string) error {
	row := &refreshRow{}
	err := s.db.NewSelect().Model(row).Where("hash = ?", hashOf(token)).Scan(ctx)
	switch {
	case err == nil:
	case !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("find a refresh token: %w", err)
	default:
		claims, err := s.Access(ctx, token, "")
		if errors.Is(err, ErrToken) {
			return nil
		}
		if err != nil {
			return err
		}
		row.Grant = claims.Grant
	}
	g, err := s.liveGrant(ctx, row.Grant)
	if errors.Is(err, ErrToken) || (err == nil && g.Client != c.ID) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.revokeGrant(ctx, g.ID)
}

// ServiceToken is an access token of a client for itself. Refusals: ErrScope, ErrTarget.
func (s *Service) ServiceToken(ctx context.Context, c Client, scopes, resources []string) (Tokens, error) {
	if len(scopes) > 0 { // scopes speak of a user
		return Tokens{}, ErrScope
	}
	audience, err := c.audience(resources)
	if err != nil {
		return Tokens{}, err
	}
	access, err := s.sign(ctx, typeAccess, s.access(c.ID, c.ID, audience, accessLife))
	return Tokens{Access: access, Life: accessLife}, err
}

// Exchange turns a user's token that was meant for the client into one with which the
// client acts for the user elsewhere (RFC 8693). It lives no longer than the first.
// Refusals: ErrGrant, ErrTarget, ErrClient.
func (s *Service) Exchange(ctx context.Context, c Client, subject string, resources []string) (Tokens, error) {
	if !c.Exchange {
		return Tokens{}, ErrClient
	}
	from, err := s.Access(ctx, subject, c.ID)
	if err != nil {
		return Tokens{}, asGrant(err)
	}
	if from.User() == "" {
		return Tokens{}, ErrGrant
	}
	audience, err := c.audience(resources)
	if err != nil {
		return Tokens{}, err
	}
	life := min(accessLife, time.Unix(from.ExpiresAt, 0).Sub(s.now()))
	if life <= 0 {
		return Tokens{}, ErrGrant
	}
	claims := s.access(from.Subject, c.ID, audience, life)
	claims.Name, claims.Scope, claims.SessionID, claims.Grant = from.Name, from.Scope, from.SessionID, from.Grant
	access, err := s.sign(ctx, typeAccess, claims)
	return Tokens{Access: access, Scopes: strings.Fields(from.Scope), Life: life}, err
}

// CommandLine is the client that tokens for scripts name.
const CommandLine = "cli"

// IssueToken is an access token for scripts of whoever runs the market, without a
// password. Refusals: authclient.ErrIdentifier, authclient.ErrNoUser.
func (s *Service) IssueToken(ctx context.Context, identifier string, audiences []string, life time.Duration) (string, error) {
	if life <= 0 || life > MaxTokenLife {
		return "", fmt.Errorf("a token lives more than 0 and at most %s, not %s", MaxTokenLife, life)
	}
	u, err := s.userBy(ctx, identifier)
	if err != nil {
		return "", err
	}
	claims := s.access(string(u.ID), CommandLine, audiences, life)
	claims.Name, claims.Scope = u.shown(), "openid profile"
	return s.sign(ctx, typeAccess, claims)
}
