package database

import (
	"context"
	"database/sql/driver"
	"time"
)

// Refusing is c as the pools of a server use it.
func Refusing(c driver.Connector) driver.Connector { return refusingConnector{c} }

// TimePasses makes it longer ago that a write found no space, by as long as that counts.
func (db *DB) TimePasses() {
	if at := db.full.Load(); at != nil {
		before := at.Add(-fullFor)
		db.full.Store(&before)
	}
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
