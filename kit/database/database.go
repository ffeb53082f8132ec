// Package database is the way to a module's database, and the only place that
// knows how SQLite, MariaDB, MySQL and TiDB differ: opening, transactions and
// their retries, error codes, locks, upserts, times, paging by key, migrations.
//
// What it promises, on all of them:
//
//   - A transaction ([DB.InTx]) sees committed rows only, is durable when InTx
//     returns nil, and is run again when it lost a race. SQLite has one writer at
//     a time, so a transaction begins by taking the lock; elsewhere it is READ
//     COMMITTED, and what must not change between reading and writing is read
//     through [ForUpdate] or changed by a conditional statement ([Changed]).
//   - A failure that users can do something about is a refusal: [ErrBusy],
//     [ErrUnavailable] and [ErrFull] say that nothing happened, [ErrUnknown] that it
//     may have. None of them needs a restart: when the server or the space is back, so is
//     the DB.
//   - Text comes back as it was written if it is valid UTF-8 without NUL; keys are
//     compared byte by byte where the migration declares them VARBINARY (BLOB or
//     TEXT on SQLite).
//
// Its own tables are once, which makes a request's effect happen once, and those that say how far
// each set of tables has been migrated.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	write *bun.DB
	read  *bun.DB // the same as write where readers and writers share a pool

	// patient is for snapshots and migrations, whose statements may take as long as they need.
	patient *bun.DB

	failed atomic.Pointer[failure] // the last write that the storage refused; nil: it takes them. See Ready

	checkpoints *checkpointer // nil for a server
}

// failure is a refusal of a database's storage.
type failure struct {
	at  time.Time
	why error
}

// Open connects to the database at url:
//
//	sqlite:data/shop.db               a file; it and its folder are made if absent
//	mysql://user:pass@host:3306/name  MariaDB, MySQL or TiDB; ?tls=true for TLS
//
// It refuses with [ErrUnavailable] when no server answers there, which may be different
// the next time. A file that can't be opened or written is an error.
func Open(ctx context.Context, url string) (*DB, error) {
	kind, rest, found := strings.Cut(url, ":")
	var db *DB
	var err error
	switch {
	case found && kind == "sqlite":
		db, err = openSQLite(ctx, rest)
	case found && kind == "mysql":
		db, err = openMySQL(ctx, url)
	default:
		return nil, fmt.Errorf("database url %q: want sqlite:FILE or mysql://USER:PASSWORD@HOST:PORT/NAME", hidePassword(url))
	}
	if err != nil {
		if kind == "mysql" {
			err = refusal(err)
		}
		return nil, fmt.Errorf("open database %s: %w", hidePassword(url), err)
	}
	if err := db.Ping(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", hidePassword(url), joinClose(err, db))
	}
	return db, nil
}

func joinClose(err error, db *DB) error {
	if cerr := db.Close(); cerr != nil {
		return fmt.Errorf("%w (and closing: %v)", err, cerr)
	}
	return err
}

// Close closes every connection that is idle, and each other one when it becomes so.
func (db *DB) Close() error {
	var err error
	if db.checkpoints != nil {
		err = db.checkpoints.close()
	}
	err = errors.Join(err, db.write.Close())
	for _, pool := range []*bun.DB{db.read, db.patient} {
		if pool != db.write { // again is harmless
			err = errors.Join(err, pool.Close())
		}
	}
	return err
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.write.PingContext(ctx); err != nil {
		return refusal(err)
	}
	return refusal(db.read.PingContext(ctx))
}

// Ready tells whether the database answers and can be written: for failedFor after a write that
// found no space it says [ErrFull], after one that met an SQLite file's broken disk
// [ErrUnavailable], and from then on until a write succeeds again.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.Ping(ctx); err != nil {
		return err
	}
	last := db.failed.Load()
	if last == nil {
		return nil
	}
	if time.Since(last.at) < failedFor {
		return last.why
	}
	if err := db.findSpace(ctx); err != nil {
		return err
	}
	db.failed.CompareAndSwap(last, nil) // not when another write failed meanwhile
	return nil
}

// note keeps for Ready that the storage refused a write. A server that is away says so by itself.
func (db *DB) note(t trouble) {
	switch {
	case t == full:
		db.failed.Store(&failure{time.Now(), ErrFull})
	case t == away && db.dialect() == "sqlite":
		db.failed.Store(&failure{time.Now(), ErrUnavailable})
	}
}

// NewSelect starts a query outside of any transaction. On SQLite it runs beside
// the writer; anything but reading fails there. A database that is away is
// [ErrUnavailable].
func (db *DB) NewSelect() *bun.SelectQuery {
	return db.read.NewSelect().Conn(refusing{db.read.DB})
}

// Dialect is "sqlite" or "mysql": which migrations are this database's. Code that
// asks for it belongs into this package.
func (db *DB) dialect() string {
	if db.write.Dialect().Name() == dialect.SQLite {
		return "sqlite"
	}
	return "mysql"
}

// refusing turns a lost database into a refusal.
type refusing struct{ *sql.DB }

func (r refusing) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := r.DB.QueryContext(ctx, query, args...)
	return rows, refusal(err)
}

// Durable tells whether what is committed here survives a power failure, as far as the
// settings go: SQLite's are ours, those of a server its operator's. A server with a binary log
// recovers by that, so that it has to be on disk too:
// https://mariadb.com/kb/en/binary-log-group-commit-and-innodb-flushing-performance/
func (db *DB) Durable(ctx context.Context) (bool, error) {
	if db.dialect() == "sqlite" {
		var level int
		if err := db.write.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&level); err != nil { // of the connection that writes
			return false, fmt.Errorf("is it durable: %w", refusal(err))
		}
		return level >= 2, nil // FULL, EXTRA
	}
	var settings []struct {
		Name  string `bun:"Variable_name"`
		Value string `bun:"Value"`
	}
	err := db.write.NewRaw("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog')").Scan(ctx, &settings)
	if err != nil {
		return false, fmt.Errorf("is it durable: %w", refusal(err))
	}
	is := map[string]string{}
	for _, s := range settings {
		is[s.Name] = s.Value
	}
	flushes := is["innodb_flush_log_at_trx_commit"] == "1" || is["innodb_flush_log_at_trx_commit"] == "3"
	return flushes && (is["log_bin"] != "ON" || is["sync_binlog"] == "1"), nil
}
