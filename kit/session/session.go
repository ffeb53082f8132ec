// Package session keeps the browser sessions of a module as rows of its database, so
// that any replica can serve any request and a session can be ended from afar.
//
// The browser has a random 256-bit id in a cookie; the database has only its hash, so
// reading the table lets nobody in. A session ends when it isn't used for a while, at
// a fixed time after it began, or when it is deleted. What a module keeps in it is an
// opaque value, sealed by the module; [Store.Refresh] changes that once at a time.
//
// It knows neither cookies nor users, only their ids.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/ops"
)

//go:embed migrations
var migrations embed.FS

// Migrate makes the table.
func Migrate(ctx context.Context, db *database.DB) error {
	return db.Migrate(ctx, migrations, "session")
}

// ErrNone says that there is no such session, or not any more.
var ErrNone = errors.New("no such session")

// touchEvery is how exactly a session's last use is known; more often isn't worth a
// write.
const touchEvery = time.Minute

// Store is the sessions of a database.
type Store struct {
	db *database.DB
	c  Config
}

// Config says how long sessions live. Zero values are the defaults.
type Config struct {
	Idle     time.Duration // since it was last used; two weeks by default
	Absolute time.Duration // since it began; 90 days by default
	Now      func() time.Time
}

// New returns the sessions in a migrated database.
func New(db *database.DB, c Config) *Store {
	if c.Idle == 0 {
		c.Idle = 14 * 24 * time.Hour
	}
	if c.Absolute == 0 {
		c.Absolute = 90 * 24 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{db: db, c: c}
}

// Session is a browser that somebody logged in with.
type Session struct {
	// ID names the session in lists and to [Store.Delete]. It is the hash of what
	// the cookie has: it may be shown, and lets nobody in.
	ID        string
	User      string // at most 64 bytes
	SID       string // its name at the identity provider, at most 128 bytes
	Agent     string // what the browser says it is, for the list of sessions; cut to 255 bytes
	Data      []byte // sealed by the module; at most 60 KB
	CreatedAt time.Time
	SeenAt    time.Time // to the minute
	ExpiresAt time.Time // the latest

	version int64 // of Data
}

type row struct {
	bun.BaseModel `bun:"table:sessions"`

	ID              string `bun:",pk"`
	UserID          string
	SID             string `bun:"sid"`
	Agent           string
	Data            []byte
	Version         int64
	RefreshingUntil database.Time
	CreatedAt       database.Time
	SeenAt          database.Time
	ExpiresAt       database.Time
}

func (r row) session() Session {
	return Session{
		ID: r.ID, User: r.UserID, SID: r.SID, Agent: r.Agent, Data: r.Data,
		CreatedAt: r.CreatedAt.Time, SeenAt: r.SeenAt.Time, ExpiresAt: r.ExpiresAt.Time, version: r.Version,
	}
}

// newCookie makes a cookie's value and the id of its row.
func newCookie() (cookie, id string) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: it ends the program instead
	cookie = base64.RawURLEncoding.EncodeToString(secret[:])
	return cookie, idOf(cookie)
}

func idOf(cookie string) string {
	h := sha256.Sum256([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// Create begins a session with the User, SID, Agent and Data of n, and returns the value
// of its cookie. It is always a new one: an id that a browser brings along is never
// taken over.
func (s *Store) Create(ctx context.Context, n Session) (cookie string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		cookie, err = s.CreateIn(ctx, tx, n)
		return err
	})
	return cookie, err
}

// CreateIn is [Store.Create] inside the caller's transaction.
func (s *Store) CreateIn(ctx context.Context, tx bun.Tx, n Session) (cookie string, err error) {
	cookie, id := newCookie()
	now := s.c.Now()
	r := row{
		ID: id, UserID: n.User, SID: n.SID, Agent: n.Agent, Data: n.Data, Version: 1,
		CreatedAt: database.At(now), SeenAt: database.At(now), ExpiresAt: database.At(now.Add(s.c.Absolute)),
	}
	if len(r.Agent) > 255 {
		r.Agent = r.Agent[:255]
	}
	if r.Data == nil {
		r.Data = []byte{}
	}
	if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
		return "", fmt.Errorf("begin a session of %s: %w", n.User, err)
	}
	return cookie, nil
}

// alive keeps those that haven't ended.
func (s *Store) alive(now time.Time) (string, []any) {
	return "expires_at > ? AND seen_at > ?", []any{database.At(now), database.At(now.Add(-s.c.Idle))}
}

// Find gives the session of a cookie, or [ErrNone].
func (s *Store) Find(ctx context.Context, cookie string) (Session, error) {
	if len(cookie) != base64.RawURLEncoding.EncodedLen(32) {
		return Session{}, ErrNone
	}
	return s.byID(ctx, idOf(cookie))
}

// FindBySID gives a session of a user by its name at the identity provider, or [ErrNone].
func (s *Store) FindBySID(ctx context.Context, user, sid string) (Session, error) {
	return s.find(ctx, s.db.NewSelect().Where("sid = ?", sid).Where("user_id = ?", user).Order("seen_at DESC").Limit(1))
}

// LockBySID keeps a session, by its name at the identity provider, from ending before the
// caller's transaction does. It is [ErrNone] when it has ended.
func (s *Store) LockBySID(ctx context.Context, tx bun.Tx, sid string) error {
	_, err := s.find(ctx, database.ForUpdate(tx.NewSelect().Where("sid = ?", sid).Limit(1)))
	return err
}

func (s *Store) byID(ctx context.Context, id string) (Session, error) {
	return s.find(ctx, s.db.NewSelect().Where("id = ?", id))
}

// find gives the one session that q finds, if it hasn't ended.
func (s *Store) find(ctx context.Context, q *bun.SelectQuery) (Session, error) {
	var r row
	cond, args := s.alive(s.c.Now())
	err := q.Model(&r).Where(cond, args...).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ErrNone
	}
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	return r.session(), nil
}

// ByUser lists a user's sessions, the last used first; at most a hundred.
func (s *Store) ByUser(ctx context.Context, user string) ([]Session, error) {
	var rows []row
	cond, args := s.alive(s.c.Now())
	err := s.db.NewSelect().Model(&rows).Where("user_id = ?", user).Where(cond, args...).
		Order("seen_at DESC", "id").Limit(100).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("sessions of %s: %w", user, err)
	}
	list := make([]Session, len(rows))
	for i, r := range rows {
		list[i] = r.session()
	}
	return list, nil
}

// Touch notes that a session is used. It writes at most once a minute, and where that can't
// be done, on a full disk say, it is logged: who only looks around needs no write.
func (s *Store) Touch(ctx context.Context, x Session) error {
	now := s.c.Now()
	if now.Sub(x.SeenAt) < touchEvery {
		return nil
	}
	_, err := s.update(ctx, x.ID, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("seen_at = ?", database.At(now)).Where("seen_at <= ?", database.At(now.Add(-touchEvery)))
	})
	if err == nil {
		return nil
	}
	switch fault.Of(err).Kind {
	case fault.Busy, fault.Unknown:
		ops.Note(ctx, slog.String("touch_err", err.Error()))
		return nil
	}
	return err
}

// TouchBySIDIn is [Store.Touch] of a session by its name at the identity provider, inside
// the caller's transaction. That it has ended is fine.
func (s *Store) TouchBySIDIn(ctx context.Context, tx bun.Tx, sid string) error {
	now := s.c.Now()
	cond, args := s.alive(now)
	_, err := tx.NewUpdate().Model((*row)(nil)).Set("seen_at = ?", database.At(now)).
		Where("sid = ?", sid).Where("seen_at <= ?", database.At(now.Add(-touchEvery))).Where(cond, args...).
		Exec(ctx)
	if err != nil {
		return fmt.Errorf("note the use of session %s: %w", sid, err)
	}
	return nil
}

// update runs one conditional statement on a session that hasn't ended.
func (s *Store) update(ctx context.Context, id string, with func(*bun.UpdateQuery) *bun.UpdateQuery) (found bool, err error) {
	cond, args := s.alive(s.c.Now())
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err = database.Changed(with(tx.NewUpdate().Model((*row)(nil)).Where("id = ?", id).Where(cond, args...)).Exec(ctx))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("change session: %w", err)
	}
	return found, nil
}
