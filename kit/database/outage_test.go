package database_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
)

func addOne(ctx context.Context, db *database.DB, id string) error {
	return db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", id).Exec(ctx)
		return err
	})
}

// A server that is killed is a refusal for whatever is asked of it; when it is back the same
// DB works, and has what was committed.
func TestAServerThatIsKilledAndComesBack(t *testing.T) {
	server := dbtest.NewServer(t)
	db := dbtest.Open(t, server.Database(t, "things"), things)
	insert(t, db, thing{ID: "a"})
	for round := range int64(2) {
		if err := addOne(t.Context(), db, "a"); err != nil {
			t.Fatal(err)
		}
		server.Kill(t)
		var x thing
		_, countErr := db.NewSelect().Model(&x).Count(t.Context())
		for what, err := range map[string]error{
			"a transaction": addOne(t.Context(), db, "a"),
			"a query":       db.NewSelect().Model(&x).Limit(1).Scan(t.Context()),
			"a count":       countErr,
			"a snapshot":    db.Snapshot(t.Context(), func(context.Context, bun.Tx) error { return nil }),
			"readiness":     db.Ready(t.Context()),
		} {
			if !errors.Is(err, database.ErrUnavailable) {
				t.Errorf("%s: got %v, want %v", what, err, database.ErrUnavailable)
			}
		}
		server.Start(t)
		if err := db.Ready(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		if n := read(t, db, "a").N; n != round+1 {
			t.Errorf("n = %d, want %d", n, round+1)
		}
	}
}

// swallowing dials a host that answers nothing, with as little patience.
type swallowing struct{ driver.Connector }

func (swallowing) Connect(ctx context.Context) (driver.Conn, error) {
	_, err := (&net.Dialer{Timeout: time.Nanosecond}).DialContext(ctx, "tcp", "127.0.0.1:1")
	return nil, err
}

// A host that swallows packets is away like one that refuses them, as long as the caller has time.
func TestAHostThatSwallowsPacketsIsAway(t *testing.T) {
	_, err := database.Refusing(swallowing{}).Connect(t.Context())
	if !errors.Is(err, database.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, database.ErrUnavailable)
	}
	over, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	_, err = database.Refusing(swallowing{}).Connect(over)
	if errors.Is(err, database.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of time: got %v, want %v", err, context.DeadlineExceeded)
	}
}

// A process that stands still in a transaction says nothing any more. The server takes the
// transaction back after a while, whose length is a setting, and others get what it had locked.
// A server that knows no such setting does it when a connection is silent for longer.
func TestATransactionThatSaysNothingIsTakenBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		if isSQLite(t.Name()) {
			t.Skip("it has no connections that could be lost")
		}
		insert(t, db, thing{ID: "a"})
		setting, settings := "idle_transaction_timeout", map[string]string{"wait_timeout": "90"}
		if strings.HasSuffix(t.Name(), "tidb") {
			setting = "tidb_idle_transaction_timeout"
			settings["tidb_txn_mode"], settings["tidb_constraint_check_in_place_pessimistic"] = "pessimistic", "1"
		}
		settings[setting] = "10"
		err := db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			for name, want := range settings {
				var value string
				if err := tx.NewSelect().ColumnExpr("@@SESSION.?", bun.Ident(name)).Scan(ctx, &value); err != nil || value != want {
					t.Errorf("%s is %s, %v; want %s", name, value, err, want)
				}
			}
			if _, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = 100").Where("id = ?", "a").Exec(ctx); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "SET SESSION ? = 1", bun.Ident(setting)); err != nil {
				return err
			}
			return addOne(ctx, db, "a") // by another connection, while this one says nothing
		})
		if n := read(t, db, "a").N; n != 1 || !errors.Is(err, database.ErrUnknown) {
			t.Errorf("n = %d and %v, want 1 and %v", n, err, database.ErrUnknown)
		}
	}, things)
}

// A server that isn't the primary any more is away, and the connection to it ends, so that the next
// one goes to where its name leads by then.
func TestAServerThatMayOnlyBeRead(t *testing.T) {
	server := dbtest.NewServer(t)
	u, err := url.Parse(server.Database(t, "things"))
	if err != nil {
		t.Fatal(err)
	}
	root := dbtest.Open(t, u.String(), things)
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := root.NewSelect().DB().NewRaw(s).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	do("CREATE USER jishi", "GRANT ALL ON things.* TO jishi")
	u.User = url.User("jishi")
	db := dbtest.Open(t, u.String())
	insert(t, db, thing{ID: "a"})
	connection := func() (id int64) {
		t.Helper()
		if err := db.NewSelect().ColumnExpr("CONNECTION_ID()").Scan(t.Context(), &id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := connection()
	do("SET GLOBAL read_only = ON")
	if err := addOne(t.Context(), db, "a"); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, database.ErrUnavailable)
	}
	if connection() == before {
		t.Error("the connection is still in use")
	}
	do("SET GLOBAL read_only = OFF")
	if err := addOne(t.Context(), db, "a"); err != nil {
		t.Error(err)
	}
}

// A snapshot's statement may take longer than others may.
func TestASnapshotIsWaitedFor(t *testing.T) {
	db, err := database.OpenWithin(t.Context(), dbtest.MariaDB(t), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	long := func(q *bun.SelectQuery) error {
		var n int
		return q.ColumnExpr("SLEEP(6)").Scan(t.Context(), &n)
	}
	if err := long(db.NewSelect()); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("outside of a snapshot: got %v, want %v", err, database.ErrUnavailable)
	}
	if err := db.Snapshot(t.Context(), func(_ context.Context, tx bun.Tx) error { return long(tx.NewSelect()) }); err != nil {
		t.Errorf("in a snapshot: %v", err)
	}
}

// A migration's statement may take longer than others may. One whose host has lost its power
// keeps others out no longer than anybody's connection that says nothing.
func TestAMigrationIsWaitedFor(t *testing.T) {
	db, err := database.OpenWithin(t.Context(), dbtest.MariaDB(t), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sets := fstest.MapFS{
		"mysql/00001_x.sql": {Data: []byte(up + "CREATE TABLE waits (seconds BIGINT NOT NULL);\nINSERT INTO waits SELECT @@SESSION.wait_timeout + SLEEP(2);")},
	}
	if err := db.Migrate(t.Context(), sets, "waits"); err != nil {
		t.Fatal(err)
	}
	var seconds int
	if err := db.NewSelect().Table("waits").Column("seconds").Scan(t.Context(), &seconds); err != nil || seconds != 90 {
		t.Errorf("got %d s, %v; want 90", seconds, err)
	}
}

// A connection that is lost while rows are read is a refusal too, not half a list.
func TestConnectionLostWhileReading(t *testing.T) {
	u, err := url.Parse(dbtest.MariaDB(t))
	if err != nil {
		t.Fatal(err)
	}
	direct := dbtest.Open(t, u.String(), things)
	rows := make([]thing, 2000)
	for i := range rows {
		rows[i].ID = fmt.Sprintf("%s%04d", strings.Repeat("x", 50), i)
	}
	insert(t, direct, rows...)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	server := u.Host
	wg.Go(func() { shortOf(l, server, 64<<10, &wg) })
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	u.Host = l.Addr().String()
	db := dbtest.Open(t, u.String())
	var got []thing
	if err := db.NewSelect().Model(&got).Scan(t.Context()); !errors.Is(err, database.ErrUnavailable) {
		t.Errorf("got %d rows and %v, want %v", len(got), err, database.ErrUnavailable)
	}
	if n := len(got); n == len(rows) {
		t.Error("nothing was cut off")
	}
}

// shortOf passes connections on to a server, each until the server has said n bytes.
func shortOf(l net.Listener, server string, n int64, wg *sync.WaitGroup) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", server)
		if err != nil {
			client.Close()
			continue
		}
		wg.Go(func() {
			defer s.Close()
			io.Copy(s, client)
		})
		wg.Go(func() {
			defer client.Close()
			io.CopyN(client, s, n)
		})
	}
}

// Without space a write is a refusal and leaves nothing, reading goes on, and with space
// writing goes on, whichever page it was that found none. A write that happens to fit doesn't
// make the database ready.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	db := dbtest.Open(t, dbtest.SQLite(t), things)
	insert(t, db, thing{ID: "a"})
	write := func(batch, n int) error {
		rows := make([]thing, n)
		for i := range rows {
			rows[i].ID = fmt.Sprintf("%03d-%04d-%s", batch, i, strings.Repeat("x", 300))
		}
		return db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewUpdate().Model((*thing)(nil)).Set("n = n + 1").Where("id = ?", "a").Exec(ctx); err != nil {
				return err
			}
			_, err := tx.NewInsert().Model(&rows).Exec(ctx)
			return err
		})
	}
	done := int64(0)
	for pages := range 20 {
		dbtest.LimitPages(t, db, int64(pages))
		if err := write(pages, 500); !errors.Is(err, database.ErrFull) {
			t.Fatalf("%d pages left: got %v, want %v", pages, err, database.ErrFull)
		}
		if err := addOne(t.Context(), db, "a"); err != nil {
			t.Fatalf("%d pages left: what fits: %v", pages, err)
		}
		done++
		if err := db.Ready(t.Context()); !errors.Is(err, database.ErrFull) {
			t.Errorf("%d pages left: ready is %v, want %v", pages, err, database.ErrFull)
		}
		if pages == 0 { // with more of them it depends on whether the probe fits
			db.TimePasses()
			if err := db.Ready(t.Context()); !errors.Is(err, database.ErrFull) {
				t.Errorf("still no page left: ready is %v, want %v", err, database.ErrFull)
			}
		}
		if n := read(t, db, "a").N; n != done {
			t.Fatalf("%d pages left: n = %d, want %d", pages, n, done)
		}
		dbtest.LimitPages(t, db, -1)
		db.TimePasses()
		if err := db.Ready(t.Context()); err != nil {
			t.Errorf("with space again: ready is %v", err)
		}
		if err := write(pages, 10); err != nil {
			t.Fatalf("with space again: %v", err)
		}
		done++
		if n, err := db.NewSelect().Model((*thing)(nil)).Count(t.Context()); err != nil || n != done*5+1 {
			t.Fatalf("%d rows, %v; want %d", n, err, done*5+1)
		}
	}
}
