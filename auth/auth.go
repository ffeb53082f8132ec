// Package auth is WHO: users, their passwords and sessions, and the grants and tokens
// by which the market's services know them. It keeps the rules and the rows; the
// protocol that browsers and services speak is auth/oidc's, pages are authweb's.
package auth

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/session"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings auth's tables to this version, with those of its sessions and jobs.
func Migrate(ctx context.Context, db *database.DB) error {
	if err := session.Migrate(ctx, db); err != nil {
		return err
	}
	if err := job.Migrate(ctx, db); err != nil {
		return err
	}
	return db.Migrate(ctx, migrations, "auth")
}

// Sealer encrypts what must not be readable in a copy of the database, or made by a browser;
// *web.Sealer is one.
type Sealer interface {
	Seal(purpose string, plain []byte) string
	Open(purpose, sealed string) ([]byte, error)
	Reseal(purpose, sealed string) (fresh string, err error) // "" where the newest secret has sealed it
}

// Limits are how often something may fail, or be done, in Window (0 is that of
// DefaultLimits). A number of 0 is no limit.
type Limits struct {
	Window             time.Duration
	FailuresPerUser    int // wrong passwords for one identifier, and in each browser that has a device cookie of it
	FailuresPerAddress int // wrong passwords from one network address
	NewUsersPerAddress int
	FlowsPerAddress    int // logins that are begun, at a client of ours
	AtOncePerAddress   int // logins and registrations under way from one network address
}

// DefaultLimits stop guessing and let an office behind one address work.
var DefaultLimits = Limits{Window: 10 * time.Minute, FailuresPerUser: 30, FailuresPerAddress: 600, NewUsersPerAddress: 2000, FlowsPerAddress: 6000, AtOncePerAddress: 32}

// Config is what auth needs. Zero values of Cost, Queue, Patience, Region, Limits and
// Now mean the defaults.
type Config struct {
	DB       *database.DB
	Sessions *session.Store // of auth's own pages; its rows are in DB
	Jobs     *job.Queue
	Sealer   Sealer // of the signing keys and of device cookies
	Issuer   string // public URL of the provider, "https://market.example/auth"
	Clients  []Client
	Region   string // whose phone numbers need no country code, "CN"
	Limits   Limits
	Cost     HashCost
	Queue    int           // how many may wait for a hash
	Patience time.Duration // how long they wait
	// Notify delivers a logout token to a client.
	Notify func(ctx context.Context, url, logoutToken string) error
	Now    func() time.Time
}

// Service is auth's rules.
type Service struct {
	db       *database.DB
	sessions *session.Store
	jobs     *job.Queue
	sealer   Sealer
	issuer   string
	clients  map[string]Client
	region   string
	limits   Limits
	crowd    *crowd
	hasher   *hasher
	keys     *keyRing
	notify   func(ctx context.Context, url, logoutToken string) error
	now      func() time.Time
}

// New makes the service. It reads and writes nothing yet.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Region == "" {
		c.Region = "CN"
	}
	if c.Cost == (HashCost{}) {
		c.Cost = DefaultCost
	}
	if c.Queue == 0 {
		c.Queue = 256
	}
	if c.Patience == 0 {
		c.Patience = 5 * time.Second
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits
	}
	if c.Limits.Window <= 0 {
		c.Limits.Window = DefaultLimits.Window
	}
	s := &Service{
		db:       c.DB,
		sessions: c.Sessions,
		jobs:     c.Jobs,
		sealer:   c.Sealer,
		issuer:   c.Issuer,
		clients:  map[string]Client{},
		region:   c.Region,
		limits:   c.Limits,
		crowd:    newCrowd(c.Limits.AtOncePerAddress),
		hasher:   newHasher(c.Cost, c.Queue, c.Patience),
		keys:     &keyRing{db: c.DB, sealer: c.Sealer, now: c.Now},
		notify:   c.Notify,
		now:      c.Now,
	}
	for _, client := range c.Clients {
		s.clients[client.ID] = client
	}
	return s
}

// Issuer is the URL that tokens name as theirs.
func (s *Service) Issuer() string { return s.issuer }

// tidyEvery is how often Run looks for what is over.
const tidyEvery = 10 * time.Minute

// Run does auth's background work until ctx ends: it tells clients of logouts, rotates
// signing keys and deletes what has expired. Any number of replicas may run it.
func (s *Service) Run(ctx context.Context, log *slog.Logger) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		tick := time.NewTicker(tidyEvery)
		defer tick.Stop()
		for {
			if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
				log.WarnContext(ctx, "auth can't tidy up", slog.Any("err", err))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return s.jobs.Run(ctx, log, s.handlers())
}

func (s *Service) handlers() map[string]job.Handler {
	return map[string]job.Handler{logoutJob: s.runLogout}
}

func (s *Service) tidy(ctx context.Context) error {
	if err := s.keys.rotate(ctx); err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	if err := s.deleteExpired(ctx); err != nil {
		return fmt.Errorf("delete expired rows: %w", err)
	}
	return nil
}
