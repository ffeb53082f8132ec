package database

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings a set of tables up to date. Its numbered files lie in the folders
// "sqlite" and "mysql" of fsys, or of "migrations" in it; which of them have run is
// kept in the table NAME_migrations, so sets live side by side in one database. The
// table that this package needs comes first, by itself.
//
// It may run in several processes at once: they take turns, and the later find
// nothing left to do.
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
	pool, err := db.slow()
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true)}
	if db.dialect() == "sqlite" {
		return migrateSQLite(ctx, pool, files, name, options)
	}
	defer pool.Close()
	return inTurns(ctx, pool, func() error {
		if err := allowChecks(ctx, pool); err != nil {
			return err
		}
		return up(ctx, goosedb.DialectMySQL, pool, files, name, options)
	})
}

// migrateSQLite has no lock to take that would outlast a transaction. A process that
// comes second fails at what the first has just made, and sees that when it looks again.
func migrateSQLite(ctx context.Context, pool *sql.DB, files fs.FS, name string, options []goose.ProviderOption) error {
	err := up(ctx, goosedb.DialectSQLite3, pool, files, name, options)
	if err != nil && ctx.Err() == nil {
		return up(ctx, goosedb.DialectSQLite3, pool, files, name, options)
	}
	return err
}

func up(ctx context.Context, d goosedb.Dialect, pool *sql.DB, files fs.FS, name string, options []goose.ProviderOption) error {
	store, err := goosedb.NewStore(d, name+"_migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider("", pool, files, append(options, goose.WithStore(store))...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// allowChecks makes TiDB keep the CHECK constraints of tables that are made from now on,
// which it leaves out by default. They are a second guard, so a user who may not switch
// them on goes without.
func allowChecks(ctx context.Context, pool *sql.DB) error {
	var version string
	if err := pool.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil || !strings.Contains(version, "TiDB") {
		return err
	}
	_, err := pool.ExecContext(ctx, "SET GLOBAL tidb_enable_check_constraint = ON")
	const denied = 1227
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok && e.Number == denied {
		return nil
	}
	return err
}

const lockWait = 5 * time.Minute

// inTurns makes processes that migrate one database take turns. Goose's own locker isn't
// enough: it makes and reads its table once before it takes the lock, so that of processes
// which come together one may find that table without its first row.
func inTurns(ctx context.Context, pool *sql.DB, migrate func() error) error {
	c, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := getLock(ctx, c, "migrate", lockWait)
	if err != nil {
		return err
	}
	if !got {
		return ErrBusy.Because(fmt.Errorf("another process has been migrating for %s", lockWait))
	}
	defer releaseLock(context.WithoutCancel(ctx), c, "migrate") // as the end of the connection would
	return migrate()
}
