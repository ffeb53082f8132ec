package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"jishi/conf"
	"jishi/ledger"
)

// Migrate brings the databases of modules to this version's schema.
func Migrate(ctx context.Context, c *conf.Config, modules []string, log *slog.Logger) error {
	m, err := Open(ctx, c, modules, log)
	if err != nil {
		return err
	}
	return m.Close()
}

// existing is a market that was opened before, without modules, for a command about the databases
// of some. Such a command makes none: there is nothing to look at in an empty one.
func existing(c *conf.Config, modules ...string) (*Market, error) {
	for _, module := range modules {
		for _, file := range databaseFiles(c, module) {
			if _, err := os.Stat(file); err != nil {
				return nil, fmt.Errorf("%s: there is no database: %w", module, err)
			}
		}
	}
	return newMarket(c, nil, slog.New(slog.DiscardHandler)), nil
}

// readSecrets takes the secrets of an existing market. New ones would open nothing of it.
func (m *Market) readSecrets() (err error) {
	m.secrets, err = readSecrets(m.conf.Secrets())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("secret-file %s: want the secret file of the market: %w", m.conf.Secrets(), err)
	}
	return err
}

// Token is a bearer token of a user, for the audiences, that lives for life. It needs
// auth's database.
func Token(ctx context.Context, c *conf.Config, user string, audiences []string, life time.Duration) (string, error) {
	m, err := existing(c, "auth")
	if err == nil {
		err = m.readSecrets()
	}
	if err != nil {
		return "", err
	}
	s, err := m.authService(ctx)
	if err != nil {
		return "", errors.Join(err, m.Close())
	}
	token, err := s.IssueToken(ctx, user, audiences, life)
	return token, errors.Join(err, m.Close())
}

// ErrBroken says that an invariant does not hold.
var ErrBroken = errors.New("the market does not add up")

// Scope is what Verify looks at.
type Scope struct {
	Modules []string
	Chain   bool              // also the chain of seals of each ledger
	Heads   map[string]string // by module: a head of its chain that was written down, SEQ:HEX
}

// Verify checks every invariant in the databases of modules, with shop and pay also whether
// they agree, and prints what it counted and each violation. But for the schema, which it brings
// up to date, it only reads, and what is written meanwhile does no harm. With a violation the
// error is ErrBroken.
func Verify(ctx context.Context, c *conf.Config, scope Scope, out io.Writer) error {
	heads, err := scope.heads()
	if err != nil {
		return err
	}
	chain := scope.Chain || len(heads) > 0
	counted := slices.DeleteFunc(slices.Clone(scope.Modules), func(module string) bool { return module == "auth" })
	m, err := existing(c, counted...)
	if err == nil && chain {
		err = m.readSecrets()
	}
	if err != nil {
		return err
	}
	v := &verification{market: m, out: out}
	err = v.run(ctx, counted)
	if err == nil && chain {
		err = v.chains(ctx, heads)
	}
	if err := errors.Join(err, m.Close()); err != nil {
		return err
	}
	if v.broken > 0 {
		_, _ = fmt.Fprintf(out, "%d violations\n", v.broken)
		return ErrBroken
	}
	_, err = fmt.Fprintln(out, "all invariants hold")
	return err
}

// heads reads them. One that would be compared with nothing is a mistake.
func (s Scope) heads() (map[string]ledger.Head, error) {
	heads := map[string]ledger.Head{}
	for module, text := range s.Heads {
		var h ledger.Head
		if err := h.UnmarshalText([]byte(text)); err != nil {
			return nil, fmt.Errorf("head of %s: %w", module, err)
		}
		if module == "auth" || !slices.Contains(s.Modules, module) {
			return nil, fmt.Errorf("head of %s: no chain of that name is verified", module)
		}
		heads[module] = h
	}
	return heads, nil
}
