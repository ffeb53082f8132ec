package database

import (
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

// ReadWithin changes how long servers may be silent, and gives back what it was.
func ReadWithin(d time.Duration) (before time.Duration) {
	before, readTimeout = readTimeout, d
	return before
}
