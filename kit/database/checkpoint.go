package database

import (
	"context"
	"database/sql"
	"os"
	"time"
)

const (
	logLimit        = 64 << 20 // bytes that SQLite's write-ahead log keeps when it begins anew
	checkpointPause = 5 * time.Second
)

// checkpointer copies an SQLite file's write-ahead log into the file when it has become long.
// SQLite itself does it in the COMMIT that comes next, while other writers wait and as long as that
// one's caller has time: what a check that read for minutes had kept there may be more than anybody
// has time for, and what is broken off is begun anew by the next.
// https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files
type checkpointer struct {
	pool *sql.DB
	stop context.CancelFunc
	done chan struct{}
}

func keepCheckpoints(pool *sql.DB, log string, above int64, every time.Duration) *checkpointer {
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{pool, stop, make(chan struct{})}
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(0) // it is rarely needed
	go func() {
		defer close(c.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if info, err := os.Stat(log); err == nil && info.Size() > above {
				// PASSIVE waits for nobody and keeps nobody waiting. What fails is tried again.
				_, _ = pool.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
			}
		}
	}()
	return c
}

// close ends it, in the middle of copying too: the rest stays in the log.
func (c *checkpointer) close() error {
	c.stop()
	<-c.done
	return c.pool.Close()
}
