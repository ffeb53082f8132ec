package database

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"
)

// A transaction that lost a race is run again; after maxTries the user is asked to
// try later. The pauses grow from firstPause to lastPause, each drawn at random from
// zero up ("full jitter"), so that those who collided don't meet again:
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
const (
	maxTries   = 5
	firstPause = 10 * time.Millisecond
	lastPause  = 200 * time.Millisecond
)

// InTx runs fn in a transaction and commits it; when InTx returns nil the changes
// are on disk. If fn returns an error, nothing has changed and InTx returns it.
//
// fn may run more than once: it touches nothing but tx and its own variables, and
// makes no calls to the outside. A conflict with other transactions that stays is
// [ErrBusy], a database that is away [ErrUnavailable], a disk without space [ErrFull]; all
// say that nothing happened.
// [ErrUnknown] says that the connection or the time was lost while committing, or that it failed
// at nothing that is known: whether it happened must be looked up.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	var err error
	for try := range maxTries {
		if try > 0 && !pause(ctx, try) {
			break
		}
		var committing bool
		committing, err = db.try(ctx, fn)
		trouble := troubleOf(err)
		db.note(trouble)
		if committing && err != nil && !takenBack(trouble) {
			return ErrUnknown.Because(err)
		}
		if trouble != conflict && trouble != away {
			break
		}
	}
	// Without an effect and out of time: that is what busy means to a user.
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrBusy.Because(err)
	}
	return refusal(err)
}

// takenBack tells whether a COMMIT with this trouble surely had no effect. Of an error that isn't
// known nobody can say: MySQL that can't write its binary log answers 1598 and ends itself, and may
// have the transaction when it is back.
func takenBack(t trouble) bool { return t == conflict || t == taken || t == full }

// try runs fn once; committing tells whether it got as far as COMMIT. One that failed may be
// done all the same: SQLite's driver says no more than that ctx has ended when it has.
func (db *DB) try(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) (committing bool, err error) {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // also when fn panics; without effect after a commit

	if err = fn(ctx, tx); err == nil {
		err = ctx.Err()
	}
	if err == nil {
		committing, err = true, tx.Commit()
	}
	// When ctx ends the transaction is taken back, and from then on has nothing else to say.
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return false, ctx.Err()
	}
	return committing, err
}

// Snapshot runs fn in a transaction that only reads and sees the database as it
// was at its first query, however long it takes. It is not retried.
func (db *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	opts := &sql.TxOptions{Isolation: sql.LevelRepeatableRead}
	if db.dialect() == "sqlite" {
		opts = &sql.TxOptions{ReadOnly: true} // the driver knows no levels: a snapshot is all there is
	}
	tx, err := db.patient.BeginTx(ctx, opts)
	if err != nil {
		return refusal(err)
	}
	defer tx.Rollback()
	return refusal(fn(ctx, tx))
}

// pause waits before a further try. It doesn't when the caller's time would be over.
func pause(ctx context.Context, try int) bool {
	d := rand.N(min(firstPause<<(try-1), lastPause))
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
