package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"jishi/conf"
	"jishi/kit/job"
	"jishi/ledger"
	"jishi/shop"
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

// Verify checks every invariant in the databases of modules and prints what it counted
// and each violation. It is exact on a market that is at rest. With a violation the
// error is ErrBroken.
func Verify(ctx context.Context, c *conf.Config, modules []string, out io.Writer) error {
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	broken := 0
	report := func(invariant, id, found string) {
		broken++
		_, _ = fmt.Fprintf(out, "VIOLATED %s: %s: %s\n", invariant, id, found)
	}
	for _, module := range modules {
		if err := m.verify(ctx, module, report, out); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", module, err), m.Close())
		}
	}
	if broken > 0 {
		_, _ = fmt.Fprintf(out, "%d violations\n", broken)
		return errors.Join(ErrBroken, m.Close())
	}
	_, _ = fmt.Fprintln(out, "all invariants hold")
	return m.Close()
}

func (m *Market) verify(ctx context.Context, module string, report ledger.Report, out io.Writer) error {
	switch module {
	case "pay":
		s, _, err := m.payService(ctx)
		if err != nil {
			return err
		}
		n, err := s.Check(ctx, report)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "pay: %d accounts, %d entries, %d wallets, %d payments\n", n.Accounts, n.Transfers, n.Wallets, n.Payments)
		return err
	case "shop":
		db, err := m.openShop(ctx)
		if err != nil {
			return err
		}
		s := shop.New(shop.Config{DB: db, Ledger: ledger.New(db, time.Now), Jobs: job.New(db, time.Now), Currency: m.conf.Currency, Now: time.Now})
		if err := s.Check(ctx, report); err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, "shop: stock and orders checked")
		return err
	}
	return nil // auth counts nothing
}
