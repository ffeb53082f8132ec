package database_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// isFree tells whether nobody has the lock "turn".
func isFree(t *testing.T, db *database.DB) (free bool) {
	t.Helper()
	if err := db.NewSelect().ColumnExpr("IS_FREE_LOCK(MD5(CONCAT('turn ', DATABASE())))").Scan(t.Context(), &free); err != nil {
		t.Fatal(err)
	}
	return free
}

func TestAnAdvisoryLockIsForOne(t *testing.T) {
	url := dbtest.MariaDB(t)
	var inside, turns atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		lock := dbtest.Open(t, url).AdvisoryLock("turn", time.Minute)
		wg.Go(func() {
			for range 20 {
				unlock := lock.Lock()
				if n := inside.Add(1); n > 1 {
					t.Errorf("%d have the lock", n)
				}
				before := turns.Load()
				<-time.After(time.Millisecond)
				turns.Store(before + 1) // which is lost where two have the lock
				inside.Add(-1)
				unlock()
			}
		})
	}
	wg.Wait()
	if n := turns.Load(); n != 80 {
		t.Errorf("%d turns, want 80", n)
	}
}

// Who can't have the lock goes on without it, and lets others have it meanwhile.
func TestAnAdvisoryLockIsDoneWithout(t *testing.T) {
	url := dbtest.MariaDB(t)
	db := dbtest.Open(t, url)
	unlock := db.AdvisoryLock("turn", time.Minute).Lock() // for a slow machine
	if isFree(t, db) {
		t.Fatal("nobody has the lock")
	}
	other := db.AdvisoryLock("turn", time.Second)
	other.Lock()()
	if isFree(t, db) {
		t.Error("who didn't have the lock let go of it")
	}
	unlock()
	if !isFree(t, db) {
		t.Error("it was let go, and somebody has it")
	}
	defer other.Lock()()
	if !isFree(t, db) {
		t.Error("who was kept waiting asks at once again")
	}
}

// A connection may have the lock when the server is said to have refused or not answered:
// back in the pool, it would keep it.
func TestAnAdvisoryLockEndsWithItsConnection(t *testing.T) {
	url := dbtest.MariaDB(t)
	way := dbtest.NewFaulty(t, url, 1, 0)
	lock := dbtest.Open(t, way.URL).AdvisoryLock("turn", time.Minute)
	unlock := lock.Lock()
	way.Deadlock("DO RELEASE_LOCK")
	unlock()
	db := dbtest.Open(t, url)
	for !isFree(t, db) { // until the server has seen the end
		<-time.After(time.Millisecond)
	}
}
