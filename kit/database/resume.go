package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
)

// A server commits each change of a schema by itself, so nothing holds the statements of a
// file together, nor the last of them and the row that says that the file has run. So each
// is written down before it is begun. A migration that was cut off, wherever that was, goes
// on with the statement that was begun, which may have been done: that it finds what it
// makes is then a sign of that. What changes rows is committed together with what is written
// down of it.

// place is how far a set of tables has come on the way to a version: what is before a
// statement of its file is done. Where that is begun, it may be done too.
type place struct {
	version   int64
	statement int
	begun     bool
}

// The table of places is made when a file has to run: whoever may only use the tables can
// still open a database that is up to date.
const (
	makePlaces = `CREATE TABLE IF NOT EXISTS begun_migrations (
		name      VARBINARY(64) NOT NULL PRIMARY KEY,
		version   BIGINT        NOT NULL,
		statement BIGINT        NOT NULL,
		begun     BOOLEAN       NOT NULL
	)`
	readPlace  = "SELECT version, statement, begun FROM begun_migrations WHERE name = ?"
	firstPlace = "INSERT INTO begun_migrations (name, version, statement, begun) VALUES (?, 0, 0, FALSE)"
	movePlace  = "UPDATE begun_migrations SET version = ?, statement = ?, begun = ? WHERE name = ? AND version = ? AND statement = ? AND begun = ?"
)

// migration is one of a set of tables on a server, by who has the turn.
type migration struct {
	c    *sql.Conn
	name string
	at   place // what is written down
}

func migrateServer(ctx context.Context, c *sql.Conn, files fs.FS, name string) error {
	store, err := goosedb.NewStore(goosedb.DialectMySQL, name+"_migrations")
	if err != nil {
		return err
	}
	exists, err := store.(goosedb.StoreExtender).TableExists(ctx, c)
	if err == nil && !exists {
		err = store.CreateVersionTable(ctx, c)
	}
	if err != nil {
		return err
	}
	have, err := versions(ctx, c, store)
	if err != nil {
		return err
	}
	scripts, err := readScripts(ctx, files, have)
	if err != nil || len(scripts) == 0 {
		return err
	}
	m := migration{c: c, name: name}
	if err := m.findPlace(ctx); err != nil {
		return err
	}
	for _, s := range scripts {
		if err := m.run(ctx, s); err != nil {
			return fmt.Errorf("version %d: %w", s.version, err)
		}
		if err := store.Insert(ctx, c, goosedb.InsertRequest{Version: s.version}); err != nil {
			return err
		}
	}
	return nil
}

// versions are those that a set of tables has. The table of them is goose's own.
func versions(ctx context.Context, q goosedb.DBTxConn, store goosedb.Store) (map[int64]bool, error) {
	list, err := store.ListMigrations(ctx, q)
	have := map[int64]bool{}
	for _, v := range list {
		have[v.Version] = true
	}
	return have, err
}

func (m *migration) findPlace(ctx context.Context) error {
	if _, err := m.c.ExecContext(ctx, makePlaces); err != nil {
		return err
	}
	err := m.c.QueryRowContext(ctx, readPlace, m.name).Scan(&m.at.version, &m.at.statement, &m.at.begun)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = m.c.ExecContext(ctx, firstPlace, m.name)
	}
	return err
}

// run does the statements of a file that are not done yet.
func (m *migration) run(ctx context.Context, s script) error {
	first, again := 0, false
	if m.at.version == s.version {
		first, again = m.at.statement, m.at.begun
	}
	for i := first; i < len(s.statements); i++ {
		err := m.step(ctx, place{version: s.version, statement: i}, s.statements[i], again && i == first)
		if err != nil {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	return nil
}

// step does the statement at a place, again where it was begun before.
func (m *migration) step(ctx context.Context, at place, statement string, again bool) error {
	if changesRows(statement) {
		return m.stepRows(ctx, at, statement)
	}
	begun := place{at.version, at.statement, true}
	if err := m.move(ctx, m.c, begun); err != nil {
		return err
	}
	m.at = begun
	_, err := m.c.ExecContext(ctx, statement)
	switch {
	case isBeingMade(err):
		return ErrUnavailable.Because(err)
	case !isThere(err):
		return err
	case again:
		return nil
	}
	// It is somebody else's, and will be the next time.
	return errors.Join(err, m.move(ctx, m.c, at))
}

// stepRows does a statement that changes rows, which others may be doing too.
func (m *migration) stepRows(ctx context.Context, at place, statement string) error {
	at.statement++ // the next
	for try := 1; ; try++ {
		err := m.tryRows(ctx, at, statement)
		if err == nil {
			m.at = at
		}
		if troubleOf(err) != conflict || try == maxTries || !pause(ctx, try) {
			return err
		}
	}
}

func (m *migration) tryRows(ctx context.Context, to place, statement string) error {
	tx, err := m.c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := m.move(ctx, tx, to); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, statement); err != nil {
		return err
	}
	return tx.Commit()
}

// move writes another place down. Turns or not, of two at one place only one gets to the next.
func (m *migration) move(ctx context.Context, q goosedb.DBTxConn, to place) error {
	moved, err := Changed(q.ExecContext(ctx, movePlace, to.version, to.statement, to.begun, m.name, m.at.version, m.at.statement, m.at.begun))
	if err == nil && !moved {
		err = ErrUnavailable.Because(fmt.Errorf("another process migrates %s too", m.name))
	}
	return err
}

func changesRows(statement string) bool {
	verb, _, _ := strings.Cut(strings.ToUpper(statement), " ")
	return verb == "INSERT" || verb == "UPDATE" || verb == "DELETE" || verb == "REPLACE"
}

// isThere tells whether a change of the schema failed since it finds it done.
func isThere(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return false
	}
	switch e.Number {
	case 1050, // table exists
		1051,       // no such table, of DROP TABLE
		1060,       // column exists
		1061,       // index exists
		1091,       // no such column or index, of ALTER TABLE ... DROP
		1826, 3822: // constraint exists, in MariaDB, in MySQL and TiDB
		return true
	}
	return false
}

// isBeingMade tells whether TiDB goes on by itself with an index that a server began which is gone:
// it is there when that has succeeded.
// https://github.com/pingcap/tidb/blob/master/pkg/ddl/executor.go
func isBeingMade(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1061 && strings.Contains(e.Message, "background job")
}

// script is a file of a migration.
type script struct {
	version    int64
	statements []string
}

// readScripts has goose read the files but those of some versions. What it finds there it
// tells only to a database.
func readScripts(ctx context.Context, files fs.FS, but map[int64]bool) ([]script, error) {
	var l listener
	pool := sql.OpenDB(&l)
	defer pool.Close()
	p, err := goose.NewProvider(goosedb.DialectMySQL, pool, files,
		goose.WithDisableVersioning(true), goose.WithIsolateDDL(true), goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, err
	}
	var scripts []script
	for _, s := range p.ListSources() {
		if but[s.Version] {
			continue
		}
		l.said = nil
		if _, err := p.ApplyVersion(ctx, s.Version, true); err != nil {
			return nil, err
		}
		scripts = append(scripts, script{s.Version, l.said})
	}
	return scripts, nil
}

// listener is a database that remembers the statements that it is told. It has no transactions.
type listener struct{ said []string }

func (l *listener) Connect(context.Context) (driver.Conn, error) { return l, nil }
func (l *listener) Driver() driver.Driver                        { return nil }
func (l *listener) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (l *listener) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (l *listener) Close() error                                 { return nil }

func (l *listener) ExecContext(_ context.Context, statement string, _ []driver.NamedValue) (driver.Result, error) {
	l.said = append(l.said, statement)
	return driver.ResultNoRows, nil
}
