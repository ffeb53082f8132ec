package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// openSQLite opens a file with one connection that writes and a few that read:
// in WAL mode they don't wait for each other, and one writer never meets SQLITE_BUSY
// within the process.
func openSQLite(ctx context.Context, path string) (*DB, error) {
	return openSQLiteFile(ctx, path, logLimit, checkpointPause)
}

func openSQLiteFile(ctx context.Context, path string, above int64, every time.Duration) (*DB, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, errors.New("want the name of a file")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	// Nobody else on this machine may read it, whatever the folder says. The files beside it are
	// made like it. One that exists isn't touched: closing it would drop this process's locks on it.
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		if err := f.Close(); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	file := "file:" + (&url.URL{Path: path}).EscapedPath()

	q := url.Values{}
	q.Add("_pragma", "busy_timeout(5000)") // another process, such as jishi verify
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)") // a commit that was answered survives a power cut
	q.Add("_pragma", "fullfsync(1)")      // which on macOS takes this
	q.Add("_pragma", "checkpoint_fullfsync(1)")
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", fmt.Sprintf("journal_size_limit(%d)", logLimit))
	q.Add("_pragma", "temp_store(2)") // in memory: what a statement would undo doesn't go through a file
	q.Set("_dqs", "0")                // "x" is a column, never quietly a string
	q.Set("_txlock", "immediate")
	writer, err := sql.Open("sqlite", file+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	// This makes the file, and WAL, before readers come. Of processes that make one at once
	// some are told that it is busy, whatever the time-out.
	err = writer.PingContext(ctx)
	for try := 1; troubleOf(err) == conflict && try < maxTries && pause(ctx, try); try++ {
		err = writer.PingContext(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}

	q.Del("_txlock")
	copier, err := sql.Open("sqlite", file+"?"+q.Encode())
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	q.Add("_pragma", "query_only(1)")
	reader, err := sql.Open("sqlite", file+"?"+q.Encode())
	if err != nil {
		return nil, errors.Join(err, copier.Close(), writer.Close())
	}
	readers := max(4, runtime.NumCPU())
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)

	db := &DB{
		write: bun.NewDB(writer, sqlitedialect.New()), read: bun.NewDB(reader, sqlitedialect.New()),
		checkpoints: keepCheckpoints(copier, path+"-wal", above, every),
	}
	db.patient = db.read
	return db, nil
}

const (
	// maxConns bounds a process's connections to a server: more of them than this only
	// wait for each other there.
	maxConns = 64
	// maxSnapshots bounds those for snapshots, of which a check has one at a time, and migrations.
	maxSnapshots = 4
)

// openMySQL opens a pool of connections to MariaDB, MySQL or TiDB.
func openMySQL(ctx context.Context, text string) (*DB, error) {
	c, err := mysqlConfig(text)
	if err != nil {
		return nil, err
	}
	return openServer(ctx, c)
}

func openServer(ctx context.Context, c *mysql.Config) (*DB, error) {
	pool, err := poolOf(c, maxConns)
	if err != nil {
		return nil, err
	}
	if err := pool.PingContext(ctx); err != nil { // before bun asks for the version
		return nil, errors.Join(err, pool.Close())
	}
	patient := c.Clone()
	patient.ReadTimeout = 0
	unhurried, err := poolOf(patient, maxSnapshots)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}

	db := &DB{write: bun.NewDB(pool, mysqldialect.New()), patient: bun.NewDB(unhurried, mysqldialect.New())}
	db.read = db.write
	return db, nil
}

func poolOf(c *mysql.Config, most int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(refusingConnector{connector})
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(most)
	pool.SetConnMaxIdleTime(time.Minute)
	pool.SetConnMaxLifetime(5 * time.Minute) // follow a name that moves to another server
	return pool, nil
}

func mysqlConfig(text string) (*mysql.Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("want mysql://USER:PASSWORD@HOST:PORT/NAME") // err would show the password
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net = "tcp"
	c.Addr = u.Host
	if u.Port() == "" {
		c.Addr += ":3306"
	}
	c.DBName = strings.TrimPrefix(u.Path, "/")
	if u.Hostname() == "" || c.DBName == "" {
		return nil, errors.New("want mysql://USER:PASSWORD@HOST:PORT/NAME")
	}
	for key, values := range u.Query() {
		if key != "tls" {
			return nil, errors.New("the only option is tls")
		}
		c.TLSConfig = values[0]
	}
	c.ClientFoundRows = true // rows affected = rows found, as on SQLite
	c.InterpolateParams = true
	c.RejectReadOnly = true // the connection to a server that isn't the primary any more ends: it is away
	c.Collation = "utf8mb4_bin"
	c.Params = map[string]string{
		"sql_mode":  "'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"time_zone": "'+00:00'",
		// Of a host that lost its power the server hears nothing: it takes back what was begun
		// there when it has waited for this long, above the time that the pool keeps idle connections.
		// One that stands still in the middle of a transaction has ten seconds, so that others
		// have the rows that it locked before their own time is over. MySQL has no such setting.
		// TiDB's transactions are as READ COMMITTED and its duplicate keys as early as elsewhere
		// only in these modes, whatever a cluster is set to.
		"wait_timeout": "90 /*M!100300 , idle_transaction_timeout = 10 */ /*T! , tidb_idle_transaction_timeout = 10" +
			" , tidb_txn_mode = 'pessimistic' , tidb_constraint_check_in_place_pessimistic = ON */",
	}
	c.Timeout = 5 * time.Second
	c.ReadTimeout = 60 * time.Second // COMMIT can't be interrupted otherwise; above the server's lock wait of 50 s
	c.WriteTimeout = 30 * time.Second
	c.Logger = &mysql.NopLogger{} // what it says, the error says too
	return c, nil
}

// hidePassword shows of a server's address no more than its kind unless the password is
// surely where it should be: of one that is written otherwise, all may be the password.
func hidePassword(text string) string {
	kind, _, _ := strings.Cut(text, ":")
	if kind == "sqlite" {
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil || strings.Count(text, "@") > 1 {
		return kind + ":…"
	}
	u.RawQuery = ""
	return u.Redacted()
}

// ForUpdate locks the rows that q finds until the transaction ends. Where rows of
// several keys are locked, q orders them by key, so that two transactions don't wait
// for each other. SQLite's transactions have the whole database to themselves.
func ForUpdate(q *bun.SelectQuery) *bun.SelectQuery {
	if q.Dialect().Name() == dialect.SQLite {
		return q
	}
	return q.For("UPDATE")
}

// Insert writes rows, a pointer to a slice of them, and asks nothing back. Otherwise bun
// has MariaDB return every column that is null in some row, which costs more than the
// insert, and scans it into the rows.
func Insert(tx bun.Tx, rows any) *bun.InsertQuery {
	return tx.NewInsert().Model(rows).Returning("NULL")
}

// Upsert makes an insert overwrite the given columns of rows whose key (a primary or
// unique one, all of its columns) is in use; without columns such rows stay as they
// are. Its count of rows says nothing.
func Upsert(q *bun.InsertQuery, key []string, columns ...string) *bun.InsertQuery {
	if q.Dialect().Name() == dialect.SQLite {
		if len(columns) == 0 {
			return q.On("CONFLICT (?) DO NOTHING", idents(key))
		}
		q = q.On("CONFLICT (?) DO UPDATE", idents(key))
		for _, c := range columns {
			q = q.Set("? = EXCLUDED.?", bun.Ident(c), bun.Ident(c))
		}
		return q
	}
	q = q.On("DUPLICATE KEY UPDATE")
	if len(columns) == 0 { // INSERT IGNORE would swallow other errors too
		return q.Set("? = ?", bun.Ident(key[0]), bun.Ident(key[0]))
	}
	for _, c := range columns {
		q = q.Set("? = VALUES(?)", bun.Ident(c), bun.Ident(c))
	}
	return q
}

func idents(names []string) any {
	list := make([]bun.Ident, len(names))
	for i, n := range names {
		list[i] = bun.Ident(n)
	}
	return bun.List(list)
}
