package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"jishi/conf"
)

// Migrate brings the databases of modules to this version's schema.
func Migrate(ctx context.Context, c *conf.Config, modules []string, log *slog.Logger) error {
	m, err := Open(ctx, c, modules, log)
	if err != nil {
		return err
	}
	return m.Close()
}

// Token is a bearer token of a user, for the audiences, that lives for life. It needs
// auth's database.
func Token(ctx context.Context, c *conf.Config, user string, audiences []string, life time.Duration) (string, error) {
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
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

// Verify checks every invariant in the databases of modules, with shop and pay also whether
// they agree, and prints what it counted and each violation. It is exact on a market that
// is at rest. With a violation the error is ErrBroken.
func Verify(ctx context.Context, c *conf.Config, modules []string, out io.Writer) error {
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	v := &verification{market: m, out: out}
	err = v.run(ctx, modules)
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
