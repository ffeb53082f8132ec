package database_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

// changes are of every kind that a migration makes; what is done to rows would show when it
// is done twice.
var changes = fstest.MapFS{
	"mysql/00001_made.sql": {Data: []byte(up + `
		CREATE TABLE a (id BIGINT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, old BIGINT NOT NULL, KEY a_old_idx (old));
		CREATE TABLE gone (id BIGINT NOT NULL);`)},
	"mysql/00002_changed.sql": {Data: []byte(up + `
		ALTER TABLE a ADD COLUMN m BIGINT NOT NULL DEFAULT 0, ADD COLUMN k BIGINT;
		UPDATE a SET n = n + 1, m = old;
		ALTER TABLE a ADD CONSTRAINT a_check CHECK (n >= m);
		UPDATE a SET n = n + 1;
		UPDATE a SET m = m + 1;
		ALTER TABLE a DROP KEY a_old_idx, ADD UNIQUE KEY a_n_key (n);
		ALTER TABLE a DROP COLUMN old;
		CREATE INDEX a_m_idx ON a (m);
		ALTER TABLE a ALTER COLUMN m DROP DEFAULT;
		DROP TABLE gone;
		CREATE TABLE b (id BIGINT NOT NULL, CONSTRAINT b_id_fkey FOREIGN KEY (id) REFERENCES a (id));
		INSERT INTO b SELECT id FROM a; -- no key refuses it twice
		DELETE FROM b ORDER BY id LIMIT 1;`)},
}

func migrateTo(tb testing.TB, number int) dbtest.Setup {
	files := dbtest.UpTo(tb, changes, number)
	return func(ctx context.Context, db *database.DB) error { return db.Migrate(ctx, files, "changes") }
}

func TestACutOffMigrationGoesOn(t *testing.T) {
	dbtest.Resumes(t,
		dbtest.Stage{Migrate: migrateTo(t, 1), Rows: []string{"INSERT INTO a VALUES (1, 10, 1), (2, 20, 2), (3, 30, 3)"}},
		dbtest.Stage{Migrate: migrateTo(t, 2)},
	)
}

// What is there before a migration makes it is somebody else's, however often it is tried:
// one of two sets that have a table of one name, say.
func TestAMigrationTakesNothingForItsOwn(t *testing.T) {
	db := dbtest.Open(t, dbtest.MariaDB(t))
	exec(t, db, "CREATE TABLE gone (other BIGINT NOT NULL)")
	for range 3 {
		err := migrateTo(t, 2)(t.Context(), db)
		if e, ok := errors.AsType[*mysql.MySQLError](err); !ok || e.Number != 1050 {
			t.Fatalf("got %v, want that the table exists", err)
		}
	}
	exec(t, db, "DROP TABLE gone")
	if err := migrateTo(t, 2)(t.Context(), db); err != nil {
		t.Error(err)
	}
}

// Of two migrations that are at the same statement, turns or not, one does it.
func TestOfTwoMigrationsOneGoesOn(t *testing.T) {
	address := dbtest.MariaDB(t)
	sound := dbtest.Open(t, address, migrateTo(t, 1))
	exec(t, sound, "INSERT INTO a VALUES (1, 10, 1)")
	way := dbtest.NewFaulty(t, address, 0, 0)
	db := dbtest.Open(t, way.URL)
	passed := false
	way.Cut(dbtest.NotDone, func(_, statement string) bool {
		if !passed && statement == "START TRANSACTION" { // of the first statement that changes rows
			passed = true
			exec(t, sound, "UPDATE a SET n = n + 1, m = old")
			exec(t, sound, "UPDATE begun_migrations SET statement = 2, begun = FALSE WHERE name = 'changes'")
		}
		return false
	})
	if err := migrateTo(t, 2)(t.Context(), db); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, database.ErrUnavailable)
	}
	if err := migrateTo(t, 2)(t.Context(), db); err != nil {
		t.Error(err)
	}
	var n int
	if err := sound.NewSelect().Table("a").Column("n").Scan(t.Context(), &n); err != nil || n != 12 {
		t.Errorf("n = %d, %v; want 12", n, err)
	}
}

// Goose alone and Migrate go on with each other's databases, and Migrate leaves one alone that
// is up to date.
func TestMigrateKeepsWhatGooseKeeps(t *testing.T) {
	byGoose := func(address string, number int) (done int) {
		t.Helper()
		address = "root@tcp(" + strings.Replace(strings.TrimPrefix(address, "mysql://root@"), "/", ")/", 1)
		return upByGoose(t, goosedb.DialectMySQL, address, dbtest.UpTo(t, changes, number), "changes")
	}
	address := dbtest.MariaDB(t)
	db := dbtest.Open(t, address, things) // so that the package's own table is there
	exec(t, db, "DROP TABLE begun_migrations")
	if n := byGoose(address, 1); n != 1 {
		t.Fatalf("goose made %d versions, want 1", n)
	}
	if err := migrateTo(t, 1)(t.Context(), db); err != nil {
		t.Error(err)
	}
	var tables []string
	if err := db.NewSelect().DB().NewRaw("SHOW TABLES LIKE 'begun%'").Scan(t.Context(), &tables); err != nil || len(tables) > 0 {
		t.Errorf("with nothing to do there is %v, %v", tables, err)
	}
	if err := migrateTo(t, 2)(t.Context(), db); err != nil {
		t.Error(err)
	}
	fresh := dbtest.MariaDB(t)
	dbtest.Open(t, fresh, migrateTo(t, 2))
	for _, a := range []string{address, fresh} {
		if n := byGoose(a, 2); n != 0 {
			t.Errorf("goose made %d versions after Migrate, want none", n)
		}
	}
}

// The same on SQLite, whose tables goose alone made in older releases.
func TestMigrateKeepsWhatGooseKeepsOnSQLite(t *testing.T) {
	for _, first := range []string{"goose", "Migrate"} {
		address := dbtest.SQLite(t)
		if first == "goose" {
			upByGoose(t, goosedb.DialectSQLite3, strings.TrimPrefix(address, "sqlite:"), thingTables, "things")
		}
		insert(t, dbtest.Open(t, address, things), thing{ID: "a"})
		if n := upByGoose(t, goosedb.DialectSQLite3, strings.TrimPrefix(address, "sqlite:"), thingTables, "things"); n != 0 {
			t.Errorf("%s first: goose made %d versions after Migrate, want none", first, n)
		}
	}
}

// upByGoose has goose make what is missing, and tells how many versions that were.
func upByGoose(t *testing.T, dialect goosedb.Dialect, address string, set fs.FS, name string) (done int) {
	t.Helper()
	driver := string(dialect)
	if dialect == goosedb.DialectSQLite3 {
		driver = "sqlite"
	}
	pool, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	files, err := fs.Sub(set, driver)
	if err != nil {
		t.Fatal(err)
	}
	store, err := goosedb.NewStore(dialect, name+"_migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider("", pool, files, goose.WithStore(store), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	results, err := p.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(results)
}

func exec(t *testing.T, db *database.DB, statement string) {
	t.Helper()
	err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewRaw(statement).Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
