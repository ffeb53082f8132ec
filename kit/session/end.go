package session

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Delete ends a session of a user. Another user's, or one that has ended, is [ErrNone].
func (s *Store) Delete(ctx context.Context, user, id string) error {
	found, err := s.delete(ctx, func(q *bun.DeleteQuery) *bun.DeleteQuery {
		return q.Where("id = ?", id).Where("user_id = ?", user)
	})
	if err == nil && !found {
		return ErrNone
	}
	return err
}

// DeleteBySID ends the sessions that belong to one at the identity provider.
func (s *Store) DeleteBySID(ctx context.Context, sid string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.DeleteBySIDIn(ctx, tx, sid) })
}

// DeleteBySIDIn is [Store.DeleteBySID] inside the caller's transaction.
func (s *Store) DeleteBySIDIn(ctx context.Context, tx bun.Tx, sid string) error {
	if sid == "" { // would end all that have none
		return nil
	}
	if _, err := tx.NewDelete().Model((*row)(nil)).Where("sid = ?", sid).Exec(ctx); err != nil {
		return fmt.Errorf("end sessions %s: %w", sid, err)
	}
	return nil
}

// DeleteByUserIn ends all sessions of a user, inside the caller's transaction.
func (s *Store) DeleteByUserIn(ctx context.Context, tx bun.Tx, user string) error {
	if _, err := tx.NewDelete().Model((*row)(nil)).Where("user_id = ?", user).Exec(ctx); err != nil {
		return fmt.Errorf("end sessions of %s: %w", user, err)
	}
	return nil
}

func (s *Store) delete(ctx context.Context, which func(*bun.DeleteQuery) *bun.DeleteQuery) (found bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err = database.Changed(which(tx.NewDelete().Model((*row)(nil))).Exec(ctx))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end session: %w", err)
	}
	return found, nil
}

// sweepBatch bounds what one transaction of [Store.Sweep] deletes.
const sweepBatch = 500

// Sweep removes the rows of sessions that have ended by themselves, and tells how many.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	total := 0
	for {
		now := s.c.Now()
		var ids []string
		err := s.db.NewSelect().Model((*row)(nil)).Column("id").
			Where("expires_at <= ? OR seen_at <= ?", database.At(now), database.At(now.Add(-s.c.Idle))).
			Limit(sweepBatch).Scan(ctx, &ids)
		if err != nil {
			return total, fmt.Errorf("find ended sessions: %w", err)
		}
		if len(ids) == 0 {
			return total, nil
		}
		_, err = s.delete(ctx, func(q *bun.DeleteQuery) *bun.DeleteQuery {
			return q.Where("id IN (?)", bun.List(ids)).
				Where("(expires_at <= ? OR seen_at <= ?)", database.At(now), database.At(now.Add(-s.c.Idle)))
		})
		if err != nil {
			return total, err
		}
		total += len(ids)
	}
}
