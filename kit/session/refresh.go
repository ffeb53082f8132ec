package session

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// A refresh that takes longer than claimFor is taken to have died with its process.
// Those who wait for one look every claimPoll.
const (
	claimFor  = 10 * time.Second
	claimPoll = 50 * time.Millisecond
)

// Refresh replaces the data of a session by what renew makes of it, and returns the
// session with its new data. Of those who want that at once, on any replica, one calls
// renew and the others wait for its result: a refresh token that is used twice looks
// stolen. renew has a few seconds; when it fails, so does Refresh, and who waited tries
// in its place. Data that changed since x was read counts as the refresh.
// It is [ErrNone] when the session has ended.
func (s *Store) Refresh(ctx context.Context, x Session, renew func(ctx context.Context, old Session) ([]byte, error)) (Session, error) {
	for {
		won, err := s.claim(ctx, x)
		if err != nil {
			return Session{}, err
		}
		if won {
			return s.renew(ctx, x, renew)
		}
		now, err := s.byID(ctx, x.ID)
		if err != nil || now.version != x.version {
			return now, err
		}
		select {
		case <-time.After(claimPoll):
		case <-ctx.Done():
			return Session{}, ctx.Err()
		}
	}
}

// claim takes the right to renew this version of the data. One caller gets it, until it
// lets go or claimFor is over.
func (s *Store) claim(ctx context.Context, x Session) (bool, error) {
	now := s.c.Now()
	return s.update(ctx, x.ID, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("refreshing_until = ?", database.At(now.Add(claimFor))).
			Where("version = ?", x.version).
			Where("(refreshing_until IS NULL OR refreshing_until <= ?)", database.At(now))
	})
}

// renew is run by whoever has the claim. What the other side has handed out must be kept
// although the reader may have left, so that is no reason to stop here.
func (s *Store) renew(ctx context.Context, x Session, renew func(context.Context, Session) ([]byte, error)) (Session, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimFor)
	defer cancel()
	call, stop := context.WithTimeout(ctx, claimFor/2)
	defer stop()

	data, err := renew(call, x)
	if err != nil {
		_, uerr := s.update(ctx, x.ID, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Set("refreshing_until = NULL").Where("version = ?", x.version)
		})
		if uerr != nil {
			return Session{}, uerr
		}
		return Session{}, err
	}
	found, err := s.update(ctx, x.ID, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("data = ?", data).Set("version = version + 1").Set("refreshing_until = NULL").
			Where("version = ?", x.version)
	})
	if err != nil {
		return Session{}, err
	}
	if !found { // it ended meanwhile, or we took so long that somebody else did it
		return s.byID(ctx, x.ID)
	}
	x.Data = data
	x.version++
	return x, nil
}
