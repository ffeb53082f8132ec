package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// slowCommit is a database whose COMMIT fails when its caller's time is over, and says no
// more than that, as SQLite's driver does of whatever error there is by then.
type slowCommit struct {
	over    func() // ends the time
	commits int
}

func (c *slowCommit) Connect(context.Context) (driver.Conn, error) { return slowConn{db: c}, nil }
func (c *slowCommit) Driver() driver.Driver                        { return nil }

type slowConn struct {
	driver.Conn
	db  *slowCommit
	ctx context.Context
}

func (c slowConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	c.ctx = ctx
	return c, nil
}

func (c slowConn) Commit() error {
	c.db.commits++
	c.db.over()
	return c.ctx.Err()
}

func (slowConn) Rollback() error { return nil }
func (slowConn) Close() error    { return nil }

// A COMMIT that began may be done, whatever ended meanwhile.
func TestACommitWhoseTimeIsOverIsUnknown(t *testing.T) {
	ctx, over := context.WithCancel(t.Context())
	slow := &slowCommit{over: over}
	pool := sql.OpenDB(slow)
	defer pool.Close()
	db := &DB{write: bun.NewDB(pool, sqlitedialect.New())}
	err := db.InTx(ctx, func(context.Context, bun.Tx) error { return nil })
	if !errors.Is(err, ErrUnknown) || slow.commits != 1 {
		t.Errorf("got %v after %d commits, want %v after one", err, slow.commits, ErrUnknown)
	}
}
