package database

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// Time is a time in a row: microseconds since 1970 UTC in a BIGINT, which all
// databases store, compare and index alike. The zero time is NULL.
type Time struct{ time.Time }

// At is t as it comes back from a row: in UTC, cut to the microsecond.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{time.UnixMicro(t.UnixMicro()).UTC()}
}

// Value implements [driver.Valuer].
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil
	}
	return t.UnixMicro(), nil
}

// Scan implements [database/sql.Scanner].
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = Time{}
	case int64:
		*t = Time{time.UnixMicro(v).UTC()}
	default:
		return fmt.Errorf("time from %T: want the microseconds since 1970 as int64", src)
	}
	return nil
}
