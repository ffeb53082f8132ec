package database

// TimePasses makes it longer ago that a write found no space, by as long as that counts.
func (db *DB) TimePasses() {
	if at := db.full.Load(); at != nil {
		before := at.Add(-fullFor)
		db.full.Store(&before)
	}
}
