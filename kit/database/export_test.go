package database

import "context"

// LimitPages lets an SQLite file grow by that many pages from now on; less than nothing is
// no limit. It is a full disk that needs no disk.
func (db *DB) LimitPages(ctx context.Context, more int64) error {
	limit := int64(1) << 30
	if more >= 0 {
		if err := db.write.QueryRowContext(ctx, "PRAGMA page_count").Scan(&limit); err != nil {
			return err
		}
		limit += more
	}
	var now int64
	return db.write.QueryRowContext(ctx, "PRAGMA max_page_count = ?", limit).Scan(&now)
}
