package dbtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/database"
)

// Stage is a part of a migration, and rows that are written when it has been done, for the
// next one to move.
type Stage struct {
	Migrate Setup
	Rows    []string // statements
}

// UpTo is those of a set's files that have a number up to this one, as an older release has them.
func UpTo(tb testing.TB, fsys fs.FS, number int) fs.FS {
	tb.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Base(name) > fmt.Sprintf("%05d~", number) {
			return err
		}
		text, err := fs.ReadFile(fsys, name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// Resumes fails unless a migration that is cut off goes on when it is run again, and makes
// the same schema and rows as one that isn't: each statement ends its connection, once before
// it is done and once after it. To the server that is the same as a process that is killed
// there. The long form does so on MariaDB with a fresh database for each statement too.
func Resumes(t *testing.T, stages ...Stage) {
	t.Helper()
	servers := map[string]func(testing.TB) string{"mariadb": MariaDB}
	if wantsTiDB() {
		servers["tidb"] = TiDB
	}
	for name, url := range servers {
		t.Run(name, func(t *testing.T) {
			want := cutOff(t, url(t), stages, NotDone, func(string, string) bool { return false })
			for _, how := range []Leave{NotDone, Unheard} {
				t.Run(string(how), func(t *testing.T) {
					said := map[[2]string]bool{} // a COMMIT by what it commits
					got := cutOff(t, url(t), stages, how, func(before, statement string) bool {
						this := [2]string{before, statement}
						cut := !said[this]
						said[this] = true
						return cut
					})
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("each statement is cut off (-undisturbed +cut off):\n%s", diff)
					}
					reached := Long() && name == "mariadb"
					for n := 1; reached; n++ {
						t.Run(strconv.Itoa(n), func(t *testing.T) { // closes its databases
							left := n
							got := cutOff(t, url(t), stages, how, func(string, string) bool { left--; return left == 0 })
							if diff := cmp.Diff(want, got); diff != "" {
								t.Errorf("this statement is cut off (-undisturbed +cut off):\n%s", diff)
							}
							reached = left <= 0
						})
					}
				})
			}
		})
	}
}

// cutOff migrates until nothing is cut off any more, and tells what there is then, by table.
func cutOff(t *testing.T, address string, stages []Stage, how Leave, when func(before, statement string) bool) map[string][]string {
	t.Helper()
	way := NewFaulty(t, address, 0, 0)
	sound, db := Open(t, address), Open(t, way.URL)
	for i, s := range stages {
		way.Cut(how, when)
		err := s.Migrate(t.Context(), db)
		for try := 1; errors.Is(err, database.ErrUnavailable) && try < 10_000; try++ {
			err = s.Migrate(t.Context(), db)
		}
		if err != nil {
			t.Fatalf("stage %d: %v", i, err)
		}
		way.Cut(how, nil)
		for _, r := range s.Rows {
			if _, err := sound.NewSelect().DB().ExecContext(t.Context(), r); err != nil {
				t.Fatalf("%s: %v", r, err)
			}
		}
	}
	tables := schema(t, sound, mysqlColumns, mysqlIndexes)
	maps.Copy(tables, rows(t, sound))
	return tables
}

// rows are those of each table that has some; of what migrations keep for themselves only
// which of them have run.
func rows(t *testing.T, db *database.DB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range tables(t, db) {
		query := "SELECT * FROM " + name
		switch {
		case name == "begun_migrations":
			continue
		case strings.HasSuffix(name, "_migrations"):
			query = "SELECT DISTINCT version_id FROM " + name
		}
		var found []map[string]any
		if err := db.NewSelect().DB().NewRaw(query).Scan(t.Context(), &found); err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			all["rows of "+name] = append(all["rows of "+name], fmt.Sprintf("%q", r))
		}
		slices.Sort(all["rows of "+name])
	}
	return all
}
