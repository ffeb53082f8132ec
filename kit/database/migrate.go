package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	goosedb "github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings a set of tables up to date. Its numbered files lie in the folders
// "sqlite" and "mysql" of fsys, or of "migrations" in it; which of them have run is
// kept in the table NAME_migrations, so sets live side by side in one database. The
// table that this package needs comes first, by itself.
//
// It may run in several processes at once: they take turns, and the later find
// nothing left to do. Where it was cut off it goes on when it is run again. On a server
// that asks of a file that each statement makes one change, which fails since it finds it
// done or doesn't matter when it is made again, or changes rows and nothing else.
func (db *DB) Migrate(ctx context.Context, fsys fs.FS, name string) error {
	if err := db.migrate(ctx, migrations, "database"); err != nil {
		return fmt.Errorf("migrate database: %w", refusal(err))
	}
	if err := db.migrate(ctx, fsys, name); err != nil {
		return fmt.Errorf("migrate %s: %w", name, refusal(err))
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, fsys fs.FS, name string) error {
	folder := db.dialect()
	if _, err := fs.Stat(fsys, folder); errors.Is(err, fs.ErrNotExist) {
		folder = path.Join("migrations", folder)
	}
	files, err := fs.Sub(fsys, folder)
	if err != nil {
		return err
	}
	if db.dialect() == "sqlite" {
		return db.migrateSQLite(ctx, files, name)
	}
	return inTurns(ctx, db.patient.DB, func(c *sql.Conn) error {
		if err := allowChecks(ctx, c); err != nil {
			return err
		}
		return migrateServer(ctx, c, files, name)
	})
}

// migrateSQLite makes a set's changes in one transaction, as SQLite can. It begins by taking the
// lock, so of several processes the later ones find what the first has done.
func (db *DB) migrateSQLite(ctx context.Context, files fs.FS, name string) error {
	store, err := goosedb.NewStore(goosedb.DialectSQLite3, name+"_migrations")
	if err != nil {
		return err
	}
	if _, scripts, err := missing(ctx, db.read.DB, store, files); err != nil || len(scripts) == 0 {
		return err
	}
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		isNew, scripts, err := missing(ctx, tx.Tx, store, files)
		if err != nil {
			return err
		}
		if isNew {
			// By a version 0 goose, with which older releases migrate, tells that its table is there.
			scripts = slices.Insert(scripts, 0, script{version: 0})
			if err := store.CreateVersionTable(ctx, tx.Tx); err != nil {
				return err
			}
		}
		for _, s := range scripts {
			for i, statement := range s.statements {
				if _, err := tx.Tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("version %d: statement %d: %w", s.version, i+1, err)
				}
			}
			if err := store.Insert(ctx, tx.Tx, goosedb.InsertRequest{Version: s.version}); err != nil {
				return err
			}
		}
		return nil
	})
}

// missing are the files that have not run in an SQLite database, which is new where none has.
func missing(ctx context.Context, q goosedb.DBTxConn, store goosedb.Store, files fs.FS) (isNew bool, scripts []script, err error) {
	var tables int
	err = q.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = ?", store.Tablename()).Scan(&tables)
	if err != nil {
		return false, nil, err
	}
	have := map[int64]bool{}
	if tables > 0 {
		if have, err = versions(ctx, q, store); err != nil {
			return false, nil, err
		}
	}
	scripts, err = readScripts(ctx, files, have)
	return tables == 0, scripts, err
}

// allowChecks makes TiDB keep the CHECK constraints of tables that are made from now on,
// which it leaves out by default. They are a second guard, so a user who may not switch
// them on goes without.
func allowChecks(ctx context.Context, c *sql.Conn) error {
	var version string
	if err := c.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil || !strings.Contains(version, "TiDB") {
		return err
	}
	_, err := c.ExecContext(ctx, "SET GLOBAL tidb_enable_check_constraint = ON")
	const denied = 1227
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && e.Number == denied {
		return nil
	}
	return err
}

const lockWait = 5 * time.Minute

// inTurns makes processes that migrate one database take turns. Whose turn it is works on the
// connection that has the lock: it has it until the server has done with its last statement,
// also when nobody waits for the answer any more.
func inTurns(ctx context.Context, pool *sql.DB, migrate func(*sql.Conn) error) error {
	c, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	got, err := getLock(ctx, c, "migrate", lockWait)
	if err == nil && !got {
		err = ErrBusy.Because(fmt.Errorf("another process has been migrating for %s", lockWait))
	}
	if err != nil {
		letGo(c, err) // it may have the lock all the same
		return err
	}
	defer func() { letGo(c, releaseLock(context.WithoutCancel(ctx), c, "migrate")) }()
	return migrate(c)
}
