package session

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// Delete ends a session of a user. Another user's, or one that has ended, is [ErrNone].
func (s *Store) Delete(ctx context.Context, user, id string) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err := database.Changed(tx.NewDelete().Model((*row)(nil)).Where("id = ?", id).Where("user_id = ?", user).Exec(ctx))
		if err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		if !found {
			return ErrNone
		}
		return nil
	})
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

// Sweep removes the rows of sessions that have ended by themselves, and tells how many.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	now := s.c.Now()
	return database.DeleteOld[string](ctx, s.db, "sessions", "id",
		"expires_at <= ? OR seen_at <= ?", database.At(now), database.At(now.Add(-s.c.Idle)))
}
