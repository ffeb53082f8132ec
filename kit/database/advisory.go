package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// advisoryPause is how long nobody asks again for a lock that wasn't to be had.
const advisoryPause = 10 * time.Second

// AdvisoryLock makes the processes that share a database take turns at what is faster one
// after the other. It is a help that nothing may depend on: where the server knows no such
// lock, or whoever has it doesn't let go in time, Lock returns without it, and doesn't ask
// again for a while. SQLite's writers take turns anyway.
//
// One goroutine at a time uses it.
type AdvisoryLock struct {
	db      *DB
	name    string
	wait    time.Duration
	without time.Time // until then nobody asks
}

// AdvisoryLock returns the lock with this name in this database, for which Lock waits for
// whole seconds: MySQL knows no parts of one here.
func (db *DB) AdvisoryLock(name string, wait time.Duration) *AdvisoryLock {
	return &AdvisoryLock{db: db, name: name, wait: wait}
}

// Lock waits for the lock and gives what lets go of it.
func (l *AdvisoryLock) Lock() (unlock func()) {
	if l.db.dialect() == "sqlite" || time.Now().Before(l.without) {
		return func() {}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*l.wait)
	defer cancel()
	c, err := l.db.write.DB.Conn(ctx)
	if err == nil {
		var got bool
		if got, err = getLock(ctx, c, l.name, l.wait); got {
			return func() { l.unlock(c) }
		}
		letGo(c, err)
	}
	l.without = time.Now().Add(advisoryPause)
	return func() {}
}

func (l *AdvisoryLock) unlock(c *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), l.wait)
	defer cancel()
	letGo(c, releaseLock(ctx, c, l.name))
}

// letGo gives a connection back, or ends it when there was an error: it may have the lock,
// which the server lets go of when the connection ends, however that comes about.
func letGo(c *sql.Conn, err error) {
	if err != nil {
		_ = c.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = c.Close() // which of an ended one says that it is
}

// getLock asks for a lock of the server, which the connection has until it lets go or ends.
// Names are of the database; digests, since MySQL's may have 64 characters.
func getLock(ctx context.Context, c *sql.Conn, name string, wait time.Duration) (bool, error) {
	var got sql.NullInt64 // null is an error that has no number
	err := c.QueryRowContext(ctx, "SELECT GET_LOCK(MD5(CONCAT(?, ' ', DATABASE())), ?)", name, int(wait.Seconds())).Scan(&got)
	return got.Int64 == 1, err
}

func releaseLock(ctx context.Context, c *sql.Conn, name string) error {
	_, err := c.ExecContext(ctx, "DO RELEASE_LOCK(MD5(CONCAT(?, ' ', DATABASE())))", name)
	return err
}
