package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
)

// attemptRow counts what happened to one key in one period. The counters are rows, so
// that they hold for all replicas and survive a restart.
type attemptRow struct {
	bun.BaseModel `bun:"table:attempts"`

	Key    []byte `bun:"key_hash,pk"`
	Period int64  `bun:"period,pk"` // how many windows since 1970
	Count  int64  `bun:"attempts"`
}

// budget is how often something may happen in a window.
type budget struct {
	key   []byte
	limit int
}

func newBudget(what, whose string, limit int) budget {
	sum := sha256.Sum256([]byte(what + "\x00" + whose))
	return budget{sum[:], limit}
}

func (s *Service) failures(who identifier, in Credentials) []budget {
	user := newBudget("login by identifier", string(who), s.limits.FailuresPerUser)
	if device, known := s.device(who, in.DeviceCookie); known {
		user = newBudget("login by device", device, s.limits.FailuresPerUser)
	}
	return []budget{user, newBudget("login by address", network(in.Address), s.limits.FailuresPerAddress)}
}

func (s *Service) newUsers(address string) budget {
	return newBudget("register by address", network(address), s.limits.NewUsersPerAddress)
}

func (s *Service) newFlows(address string) budget {
	return newBudget("flow by address", network(address), s.limits.FlowsPerAddress)
}

// network is what one person has of addresses, which may have a port: an IPv4 address, or an
// IPv6 /64.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if p, perr := netip.ParseAddrPort(address); perr == nil {
		ip, err = p.Addr(), nil
	}
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	prefix, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

func (s *Service) period() int64 { return s.now().UnixNano() / int64(s.limits.Window) }

// spend takes one from each budget, or from none. It is asked before anything costly is
// done. What the last window counted still counts for the share of it that lies less
// than a window back. Refusal: authclient.ErrLimited.
func (s *Service) spend(ctx context.Context, budgets ...budget) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.spendIn(ctx, tx, budgets...) })
}

// spendIn is spend inside the caller's transaction, which ends with a refusal.
func (s *Service) spendIn(ctx context.Context, tx bun.Tx, budgets ...budget) error {
	period, passed := s.window()
	for _, b := range budgets {
		if b.limit <= 0 {
			continue
		}
		var before []attemptRow
		err := tx.NewSelect().Model(&before).Where("key_hash = ?", b.key).Where("period = ?", period-1).Scan(ctx)
		if err != nil {
			return fmt.Errorf("count attempts: %w", err)
		}
		left := int64(b.limit)
		if len(before) > 0 {
			left -= int64(float64(before[0].Count) * (1 - passed))
		}
		if err := take(ctx, tx, b, period, left); err != nil {
			if errors.Is(err, authclient.ErrLimited) {
				return s.limited(ctx, tx, b, before, period, passed)
			}
			return err
		}
	}
	return nil
}

// limited says how long to wait.
func (s *Service) limited(ctx context.Context, tx bun.Tx, b budget, before []attemptRow, period int64, passed float64) error {
	var now []attemptRow
	err := tx.NewSelect().Model(&now).Where("key_hash = ?", b.key).Where("period = ?", period).Scan(ctx)
	if err != nil {
		return fmt.Errorf("count attempts: %w", err)
	}
	seconds := wait(int64(b.limit), count(before), count(now), passed) * s.limits.Window.Seconds()
	return authclient.ErrLimited.With(fault.RetryAfter, int(math.Round(seconds))+1).With(fault.Limit, b.limit)
}

func count(rows []attemptRow) int64 {
	if len(rows) == 0 {
		return 0
	}
	return rows[0].Count
}

// wait is the share of a window after which one more is let through: when enough of the
// last window's count has faded, or, where this one's alone is too much, when it is over.
func wait(limit, before, now int64, passed float64) float64 {
	if now < limit && before > 0 {
		return max(1-float64(limit-now)/float64(before)-passed, 0)
	}
	return 1 - passed
}

// Allowance is how often something may still be done in this window.
type Allowance struct {
	Limit, Left int // Limit 0 is no limit
	Reset       time.Duration
}

// NewUsersLeft is how many users a network address may still make.
func (s *Service) NewUsersLeft(ctx context.Context, address string) (Allowance, error) {
	b := s.newUsers(address)
	if b.limit <= 0 {
		return Allowance{}, nil
	}
	var rows []attemptRow
	period, passed := s.window()
	err := s.db.NewSelect().Model(&rows).Where("key_hash = ?", b.key).Where("period >= ?", period-1).Scan(ctx)
	if err != nil {
		return Allowance{}, fmt.Errorf("count attempts: %w", err)
	}
	used := 0.0
	for _, r := range rows {
		if r.Period == period {
			used += float64(r.Count)
		} else {
			used += float64(r.Count) * (1 - passed)
		}
	}
	return Allowance{
		Limit: b.limit, Left: max(int(float64(b.limit)-used), 0),
		Reset: time.Duration((1 - passed) * float64(s.limits.Window)),
	}, nil
}

// window is the number of the present one, and how much of it has passed.
func (s *Service) window() (int64, float64) {
	return s.period(), float64(s.now().UnixNano()%int64(s.limits.Window)) / float64(s.limits.Window)
}

// take counts one more, unless that would be more than limit.
func take(ctx context.Context, tx bun.Tx, b budget, period, limit int64) error {
	for range 2 {
		won, err := database.Changed(tx.NewUpdate().Model((*attemptRow)(nil)).
			Set("attempts = attempts + 1").
			Where("key_hash = ?", b.key).
			Where("period = ?", period).
			Where("attempts < ?", limit).
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("count an attempt: %w", err)
		}
		if won {
			return nil
		}
		if limit <= 0 {
			break
		}
		_, err = tx.NewInsert().Model(&attemptRow{Key: b.key, Period: period, Count: 1}).Exec(ctx)
		if err == nil {
			return nil
		}
		if !database.Taken(err) {
			return fmt.Errorf("count the first attempt: %w", err)
		}
		// There is a row: it is full, or was made between our two statements.
	}
	return authclient.ErrLimited
}

// giveBackFor bounds a write that nobody may be waiting for any more.
const giveBackFor = 3 * time.Second

// giveBack returns what was taken for an attempt that turned out to be none, also when
// whoever made it has left.
func (s *Service) giveBack(ctx context.Context, budgets ...budget) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackFor)
	defer cancel()
	period := s.period()
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, b := range budgets {
			if b.limit <= 0 {
				continue
			}
			_, err := tx.NewUpdate().Model((*attemptRow)(nil)).
				Set("attempts = attempts - 1").
				Where("key_hash = ?", b.key).
				Where("period = ?", period).
				Where("attempts > 0").
				Exec(ctx)
			if err != nil {
				return fmt.Errorf("give an attempt back: %w", err)
			}
		}
		return nil
	})
}
