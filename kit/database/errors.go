package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"jishi/kit/fault"
)

// What users may see of a database's trouble.
var (
	ErrBusy        = fault.New(fault.Busy, "database.busy", "Too much is going on at once; nothing has changed. Please try again.")
	ErrUnavailable = fault.New(fault.Busy, "database.unavailable", "The database can't be reached; nothing has changed. Please try again later.")
	ErrFull        = fault.New(fault.Busy, "database.full", "The market's storage is full; nothing has changed. Please try again later.")
	ErrUnknown     = fault.New(fault.Unknown, "database.unknown", "It isn't known whether this was done. Please look before you try again.")
)

// trouble is what an error of a driver means to us.
type trouble int

const (
	none     trouble = iota // no error, or none of the driver's
	other                   // the statement is wrong, or the server is; our defect
	taken                   // a unique key is in use
	conflict                // another transaction was in the way; the whole transaction can run again
	full                    // no space is left
	away                    // the connection or the server is gone
)

// Errors of MariaDB and MySQL (below 5000) and TiDB (8000 and up), by number:
// https://mariadb.com/kb/en/mariadb-error-code-reference/
// https://docs.pingcap.com/tidb/stable/error-codes
var mysqlTrouble = map[uint16]trouble{
	1062: taken, // duplicate entry
	1586: taken, // duplicate entry, with the key's name

	1213: conflict, // deadlock
	1205: conflict, // lock wait timeout
	1020: conflict, // record has changed since last read (innodb_snapshot_isolation)
	3101: conflict, // MySQL: Group Replication had it rolled back
	8002: conflict, // TiDB: SELECT FOR UPDATE met a write conflict
	8005: conflict, // TiDB: write conflict
	8022: conflict, // TiDB: commit failed and was rolled back
	8027: conflict, // TiDB: it hasn't heard of the schema for too long to commit
	8028: conflict, // TiDB: the schema changed during the transaction
	9007: conflict, // TiDB: write conflict

	1021: full, // disk full
	1114: full, // table is full
	3:    full, // error writing file, mostly no space
	1026: full, // the same, of another one
	3675: full, // MySQL: no space for a table

	1040: away, // too many connections
	1203: away, // too many connections of this user
	1053: away, // server shutdown in progress
	1077: away, // normal shutdown
	1079: away, // shutdown complete
	1158: away, // error reading packets
	1159: away, // timeout reading packets
	1160: away, // error writing packets
	1161: away, // timeout writing packets
	1226: away, // this user has as many connections as it may
	1927: away, // connection was killed
	3032: away, // MySQL: offline mode
	3100: away, // MySQL: Group Replication failed before COMMIT
	4031: away, // MySQL: connection was closed since it said nothing for long
	8501: away, // TiDB: the result is undetermined
	9001: away, // TiDB: placement driver timeout
	9002: away, // TiDB: storage timeout
	9003: away, // TiDB: storage busy
	9004: away, // TiDB: resolving a lock took too long
	9005: away, // TiDB: region unavailable
	8252: away, // TiDB: throttled by its resource group
	9008: away, // TiDB: storage takes no more requests
	9010: away, // TiDB: storage calls the request stale
	9011: away, // TiDB: storage has no time yet
}

// unnumbered are TiDB's errors without a number of their own, by what their text has. Storage that
// is full says so in two ways: https://github.com/pingcap/tidb/issues/29557
const unnumbered = 1105

var unnumberedTrouble = map[string]trouble{
	"pessimistic lock retry limit reached": conflict, // https://github.com/pingcap/tidb/blob/master/pkg/executor/adapter.go
	"disk full":                            full,
	"disk_full":                            full,
}

func troubleOf(err error) trouble {
	switch {
	case err == nil:
		return none
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return none // the caller's, though it looks like a net.Error
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if t, known := mysqlTrouble[e.Number]; known {
			return t
		}
		if e.Number == unnumbered {
			for text, t := range unnumberedTrouble {
				if strings.Contains(e.Message, text) {
					return t
				}
			}
		}
		return other
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteTrouble(e.Code())
	}
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return away
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return away
	}
	return none
}

// sqliteTrouble reads an extended result code: https://www.sqlite.org/rescode.html
func sqliteTrouble(code int) trouble {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return taken
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return conflict
	case sqlite3.SQLITE_FULL:
		return full
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return away
	}
	return other
}

// refusal is err as callers of this package get it: what a user can't be told
// stays as it is.
func refusal(err error) error {
	if _, already := errors.AsType[*fault.Error](err); already {
		return err
	}
	switch troubleOf(err) {
	case conflict:
		return ErrBusy.Because(err)
	case full:
		return ErrFull.Because(err)
	case away:
		return ErrUnavailable.Because(err)
	default:
		return err
	}
}

// Afterwards is the error of what comes after a change that was made, or may have been: a
// refusal which says that nothing has changed would not be true any more.
func Afterwards(err error) error {
	if err != nil && fault.Of(err).Kind == fault.Busy {
		return ErrUnknown.Because(err)
	}
	return err
}

// Taken tells whether a statement failed because a unique key is in use, that of
// [Once] among them. The transaction goes on; only that statement had no effect.
func Taken(err error) bool { return troubleOf(err) == taken || errors.Is(err, ErrUsed) }

// Changed takes the result of a conditional statement and tells whether it found
// a row. An update that finds a row counts, even if every value stays the same.
func Changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
