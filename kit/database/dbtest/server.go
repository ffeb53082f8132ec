package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// server is a database server of this process's own: MariaDB or TiDB.
type server struct {
	name      string
	dir       string // of its data
	addr      string
	command   []string
	admin     *sql.DB
	databases atomic.Int64
	alive     io.WriteCloser // held open for as long as the server shall live; see guardian
	guardian  *exec.Cmd
}

// newServer chooses the port of a server whose folder is dir.
func newServer(name, dir string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{name: name, dir: dir, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	return s, s.pool()
}

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

func (s *server) url(name string) string { return fmt.Sprintf("mysql://root@%s/%s", s.addr, name) }

// fresh is the URL of a fresh, empty database, which is dropped when the test ends.
func (s *server) fresh(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.exec(tb.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.exec(context.Background(), "DROP DATABASE "+name); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return s.url(name)
}

// once makes a process's server in a folder that goes with the process.
func once(install func(dir string) (*server, error)) func() (*server, error) {
	return func() (*server, error) {
		dir, err := os.MkdirTemp("", "dbtest-")
		if err != nil {
			return nil, err
		}
		s, err := install(dir)
		if err == nil {
			err = s.start(dir)
		}
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		return s, nil
	}
}

// guardian is a shell that starts the server and waits for the end of its input, a
// pipe that the test process never writes to: the kernel closes it when that process
// ends, be it by a panic or a kill. Then the guardian kills the server and removes the
// folder "$1", if one is named. The rest of its arguments are the server's command line.
const guardian = `
dir=$1; shift
"$@" </dev/null &
cat >/dev/null
kill -9 $!
wait
[ -z "$dir" ] || rm -rf "$dir"
`

// start runs the server and waits until it answers. When it ends the folder remove goes,
// if one is named.
func (s *server) start(remove string) error {
	// Not our own output: whoever waits for its end would wait for the server's.
	logName := filepath.Join(s.dir, "log")
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer log.Close()
	s.guardian = exec.Command("sh", append([]string{"-c", guardian, "guardian", remove}, s.command...)...)
	s.guardian.Dir = s.dir // TiDB makes a folder where it stands
	s.guardian.Stdout, s.guardian.Stderr = log, log
	s.guardian.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the test
	if s.alive, err = s.guardian.StdinPipe(); err != nil {
		return err
	}
	if err := s.guardian.Start(); err != nil {
		return err
	}
	if err := s.answers(); err != nil {
		text, _ := os.ReadFile(logName)
		return errors.Join(fmt.Errorf("start %s: %w\n%s", s.name, err, text), s.kill())
	}
	return nil
}

// kill ends the server as a power failure would; it is gone when kill returns.
func (s *server) kill() error { return errors.Join(s.alive.Close(), s.guardian.Wait()) }

func (s *server) pool() error {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.Logger = "root", "tcp", s.addr, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	s.admin = sql.OpenDB(connector)
	s.admin.SetMaxIdleConns(1)
	return nil
}

// answers waits until the server does.
func (s *server) answers() error {
	end := time.Now().Add(60 * time.Second)
	for {
		err := s.admin.Ping()
		if err == nil || time.Now().After(end) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *server) exec(ctx context.Context, statement string) error {
	_, err := s.admin.ExecContext(ctx, statement)
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
