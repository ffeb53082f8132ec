package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/session"
)

// How long a login may take, and a code may lie about.
const (
	flowLife = time.Hour
	codeLife = time.Minute
	// tombstone is how long a spent code is remembered, so that its reuse is noticed.
	tombstone = 24 * time.Hour
)

// Flow is what a client asked for when it sent a browser to log in, and what came of
// it. It belongs to one browser: whoever holds only its id can neither log in to it nor
// collect its code.
type Flow struct {
	ID        string
	Client    string
	Redirect  string
	State     string
	Nonce     string
	Challenge string // PKCE, S256
	Scopes    []string
	Resources []string
	After     time.Time // the login must be younger than this; zero takes any
	Address   string    // network address that it is begun from, for the limits; may have a port, isn't stored
}

// flowRow is a flow, its code once there is one, and its grant once the code was spent.
type flowRow struct {
	bun.BaseModel `bun:"table:flows"`

	ID            string            `bun:"id,pk"`
	Browser       []byte            `bun:"browser"` // hash of the secret in the browser's cookie
	Client        string            `bun:"client"`
	Redirect      string            `bun:"redirect"`
	State         string            `bun:"state"`
	Nonce         string            `bun:"nonce"`
	Challenge     string            `bun:"challenge"`
	Scopes        string            `bun:"scopes"`
	Resources     string            `bun:"resources"`
	After         database.Time     `bun:"after_at,nullzero"`
	ExpiresAt     database.Time     `bun:"expires_at"`
	Code          []byte            `bun:"code,nullzero"` // hash; null until somebody has logged in
	CodeExpiresAt database.Time     `bun:"code_expires_at,nullzero"`
	User          authclient.UserID `bun:"user_id,nullzero"`
	SessionID     string            `bun:"sid,nullzero"`
	AuthTime      database.Time     `bun:"auth_time,nullzero"`
	UsedAt        database.Time     `bun:"used_at,nullzero"`
	Grant         string            `bun:"grant_id,nullzero"`
}

func (r *flowRow) flow() Flow {
	return Flow{
		ID: r.ID, Client: r.Client, Redirect: r.Redirect, State: r.State, Nonce: r.Nonce, Challenge: r.Challenge,
		Scopes: strings.Fields(r.Scopes), Resources: strings.Fields(r.Resources), After: r.After.Time,
	}
}

// Bounds of what a client may send along, in bytes: they are the columns' sizes.
const (
	maxState     = 1024
	maxNonce     = 256
	challengeLen = 43 // SHA-256 in base64url
)

// errRequest refuses an authorization request that a client of ours would not send.
var errRequest = errors.New("authorization request has a value that is too long")

// Begin stores what a client asks for. Browser is the secret of the browser's cookie.
// Refusals: ErrClient, ErrTarget, ErrGrant for a request without PKCE, authclient.ErrLimited.
func (s *Service) Begin(ctx context.Context, f Flow, browser string) (string, error) {
	c, err := s.Client(f.Client)
	if err != nil {
		return "", err
	}
	// Exact text, not equal meaning: no normalisation can be tricked (RFC 9700, 4.1.3).
	if f.Redirect == "" || f.Redirect != c.Redirect {
		return "", ErrClient
	}
	if _, err := c.audience(f.Resources); err != nil {
		return "", err
	}
	if len(f.Challenge) != challengeLen {
		return "", ErrGrant
	}
	if len(f.State) > maxState || len(f.Nonce) > maxNonce {
		return "", ErrGrant.Because(errRequest)
	}
	row := flowRow{
		ID: id.New("flw"), Browser: hashOf(browser), Client: c.ID, Redirect: f.Redirect, State: f.State, Nonce: f.Nonce,
		Challenge: f.Challenge, Scopes: strings.Join(knownScopes(f.Scopes), " "), Resources: strings.Join(once(f.Resources), " "),
		After: database.At(f.After), ExpiresAt: database.At(s.now().Add(flowLife)),
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.spendIn(ctx, tx, s.newFlows(f.Address)); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&row).Exec(ctx)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store a flow of %s: %w", c.ID, err)
	}
	return row.ID, nil
}

// Flow finds a flow that this browser began and that has no code yet. Refusal: ErrFlow.
func (s *Service) Flow(ctx context.Context, id, browser string) (Flow, error) {
	row, err := s.openFlow(ctx, id, browser)
	if err != nil {
		return Flow{}, err
	}
	return row.flow(), nil
}

func (s *Service) openFlow(ctx context.Context, id, browser string) (*flowRow, error) {
	row := &flowRow{}
	err := s.db.NewSelect().Model(row).
		Where("id = ?", id).
		Where("browser = ?", hashOf(browser)).
		Where("code IS NULL").
		Where("expires_at > ?", database.At(s.now())).
		Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrFlow
	}
	if err != nil {
		return nil, fmt.Errorf("find flow %s: %w", id, err)
	}
	return row, nil
}

// Approve gives the code of a flow to the browser that began it and whose user has
// logged in: one code, once. Refusals: ErrFlow; ErrFresh when the flow wants a
// younger login, or this one has ended since it was read.
func (s *Service) Approve(ctx context.Context, flow, browser string, login Login) (code string, f Flow, err error) {
	row, err := s.openFlow(ctx, flow, browser)
	if err != nil {
		return "", Flow{}, err
	}
	if login.At.Before(row.After.Time) {
		return "", Flow{}, ErrFresh
	}
	code, hash := secret()
	now := s.now()
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// A logout that comes now waits, and then finds the code; one that came before has
		// taken the session.
		err := s.sessions.LockBySID(ctx, tx, login.SessionID)
		if errors.Is(err, session.ErrNone) {
			return ErrFresh
		}
		if err != nil {
			return err
		}
		won, err := database.Changed(tx.NewUpdate().Model((*flowRow)(nil)).
			Set("code = ?", hash).
			Set("code_expires_at = ?", database.At(now.Add(codeLife))).
			Set("expires_at = ?", database.At(now.Add(tombstone))).
			Set("user_id = ?", login.User).
			Set("sid = ?", login.SessionID).
			Set("auth_time = ?", database.At(login.At)).
			Where("id = ?", row.ID).
			Where("browser = ?", hashOf(browser)).
			Where("code IS NULL").
			Exec(ctx))
		if err != nil {
			return err
		}
		if !won {
			return ErrFlow
		}
		return nil
	})
	if err != nil {
		return "", Flow{}, fmt.Errorf("approve flow %s: %w", flow, err)
	}
	return code, row.flow(), nil
}

// deleteExpired deletes what is over. Spent codes and refresh tokens go when nobody
// can mistake their reuse for anything else any more.
func (s *Service) deleteExpired(ctx context.Context) error {
	now := database.At(s.now())
	_, flows := database.DeleteOld[string](ctx, s.db, "flows", "id", "expires_at < ?", now)
	_, tokens := database.DeleteOld[[]byte](ctx, s.db, "refresh_tokens", "hash", "expires_at < ?", now)
	_, grants := database.DeleteOld[string](ctx, s.db, "grants", "id", "expires_at < ?", now)
	_, attempts := database.DeleteOld[[]byte](ctx, s.db, "attempts", "key_hash", "period < ?", s.period()-1)
	return errors.Join(flows, tokens, grants, attempts)
}

// subset tells whether every word asked for was granted.
func subset(asked, granted []string) bool {
	return !slices.ContainsFunc(asked, func(a string) bool { return !slices.Contains(granted, a) })
}
