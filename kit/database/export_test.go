package database

import (
	"context"
	"database/sql/driver"
	"strings"
	"time"
)

// Refusing is c as the pools of a server use it.
func Refusing(c driver.Connector) driver.Connector { return refusingConnector{c} }

// TimePasses makes it longer ago that the storage refused a write, by as long as that counts.
func (db *DB) TimePasses() {
	if last := db.failed.Load(); last != nil {
		db.failed.Store(&failure{last.at.Add(-failedFor), last.why})
	}
}

// OpenCheckpointing opens an SQLite file whose log is copied when it is longer than that.
func OpenCheckpointing(ctx context.Context, url string, above int64, every time.Duration) (*DB, error) {
	return openSQLiteFile(ctx, strings.TrimPrefix(url, "sqlite:"), above, every)
}

// OpenWithin opens the database at a server that may be silent for no longer than that.
func OpenWithin(ctx context.Context, url string, silent time.Duration) (*DB, error) {
	c, err := mysqlConfig(url)
	if err != nil {
		return nil, err
	}
	c.ReadTimeout = silent
	return openServer(ctx, c)
}
