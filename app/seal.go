package app

import (
	"context"
	"log/slog"
	"time"

	"jishi/kit/database"
	"jishi/kit/ops"
	"jishi/ledger"
)

// sealEvery is how long a transfer waits for its seal, about.
const sealEvery = 5 * time.Second

// chain is the seals of a module's ledger. Its keys come from the market's secrets, so
// they are not in the database.
func (m *Market) chain(module string, db *database.DB) *ledger.Chain {
	return ledger.New(db, m.now).Chain(m.secrets.Key("seals of " + module))
}

// keepSealed seals what a module's ledger writes, as background work, and shows in the
// metrics how far that is behind. Any number of replicas may do it.
func (m *Market) keepSealed(module string, db *database.DB) {
	l := ledger.New(db, m.now)
	m.metrics.Add(module, ops.Reading{
		Name: "jishi_ledger_transfers", Help: "Transfers that have no seal yet.", Label: "state",
		Read: func(ctx context.Context) (map[string]float64, error) {
			b, err := l.Backlog(ctx)
			return map[string]float64{"unsealed": float64(b.Transfers)}, err
		},
	})
	m.metrics.Add(module, ops.Reading{
		Name: "jishi_ledger_age_seconds", Help: "Age of the oldest transfer that has no seal yet.", Label: "state",
		Read: func(ctx context.Context) (map[string]float64, error) {
			b, err := l.Backlog(ctx)
			if b.Oldest.IsZero() {
				return map[string]float64{"unsealed": 0}, err
			}
			return map[string]float64{"unsealed": m.now().Sub(b.Oldest).Seconds()}, err
		},
	})
	m.work = append(m.work, func(ctx context.Context) error { return m.seal(ctx, module, db) })
}

// seal makes seals until ctx ends. The log has the chain's head after each run: kept
// elsewhere, it shows later whether the end of the chain was cut off.
func (m *Market) seal(ctx context.Context, module string, db *database.DB) error {
	chain := m.chain(module, db)
	return every(ctx, sealEvery, func() {
		s, err := chain.Seal(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			m.log.Error("transfers can't be sealed", slog.String("module", module), slog.Any("err", err))
		case s.Seals > 0:
			m.log.Info("sealed", slog.String("module", module), slog.Int64("transfers", s.Transfers), slog.String("head", module+"="+s.Head.String()))
		}
	})
}

// every does something now, and again each time that d has passed, until ctx ends.
func every(ctx context.Context, d time.Duration, do func()) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
