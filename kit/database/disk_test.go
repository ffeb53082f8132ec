//go:build unix

package database_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// While its disk fails a file isn't ready, and what became of a COMMIT isn't known. When the disk
// works again, so does the same DB.
func TestADiskThatFails(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), things)
	insert(t, db, thing{ID: "a"})
	mend := dbtest.BreakDisk(t)
	err := addOne(t.Context(), db, "a")
	ready := db.Ready(t.Context())
	db.TimePasses()
	later := db.Ready(t.Context())
	mend()
	if !errors.Is(err, database.ErrUnknown) || !errors.Is(ready, database.ErrUnavailable) || later == nil {
		t.Errorf("a write: %v; readiness: %v, and later %v; want %v, %v, and a refusal", err, ready, later, database.ErrUnknown, database.ErrUnavailable)
	}
	db.TimePasses()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("when it works again: %v", err)
	}
	if err := addOne(t.Context(), db, "a"); err != nil {
		t.Error(err)
	}
}

// What a market has is nobody else's on the machine, also in a folder that all may read.
func TestFilesAreTheirOwnersAlone(t *testing.T) {
	url := dbtest.SQLite(t)
	insert(t, dbtest.Open(t, url, things), thing{ID: "a"})
	files, err := filepath.Glob(strings.TrimPrefix(url, "sqlite:") + "*")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v; want the database, its log and what goes with that", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", file, info.Mode(), err)
		}
	}
}

// A log that became long while a reader stood in the way is copied into the file without anybody's
// COMMIT.
func TestALongLogIsCopied(t *testing.T) {
	url := dbtest.SQLite(t)
	path := strings.TrimPrefix(url, "sqlite:")
	db, err := database.OpenCheckpointing(t.Context(), url, 1<<20, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := things(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	text := strings.Repeat("x", 200)
	const many = 20_000 // about 5 MB
	err = db.Snapshot(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewSelect().Model((*thing)(nil)).Count(ctx); err != nil {
			return err
		}
		for part := range 20 {
			var rows []thing
			for i := range many / 20 {
				rows = append(rows, thing{ID: fmt.Sprint(text, part, "-", i)})
			}
			insert(t, db, rows...)
		}
		if n := size(); n > 1<<20 {
			t.Errorf("%d bytes are in the file while a reader is in the way", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for late := time.After(time.Minute); size() < 4<<20; {
		select {
		case <-late:
			t.Fatalf("%d bytes are in the file", size())
		case <-time.After(time.Millisecond):
		}
	}
}
