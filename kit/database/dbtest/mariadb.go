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
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is the URL of a fresh, empty database on this process's server; it is
// dropped when the test ends. Without MariaDB on this machine the test is skipped.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	s, err := server()
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skipf("MariaDB isn't installed: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
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

type mariadb struct {
	dir       string // of its data
	addr      string
	admin     *sql.DB
	databases atomic.Int64
	alive     io.WriteCloser // held open for as long as the server shall live; see guardian
	guardian  *exec.Cmd
}

func (s *mariadb) url(name string) string { return fmt.Sprintf("mysql://root@%s/%s", s.addr, name) }

// server is this process's MariaDB.
var server = sync.OnceValues(func() (*mariadb, error) {
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
})

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

// install makes a server's folder, and chooses its port.
func install(dir string) (*mariadb, error) {
	program, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &mariadb{dir: dir, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	var out []byte
	for range 2 { // on a machine with many servers the first try was seen to fail
		out, err = exec.Command(program, append(s.common(), "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput()
		if err == nil {
			return s, s.pool()
		}
		if rerr := os.RemoveAll(filepath.Join(dir, "data")); rerr != nil {
			return nil, rerr
		}
	}
	return nil, fmt.Errorf("install MariaDB: %w\n%s", err, out)
}

// common is what installing and running have to agree on.
func (s *mariadb) common() []string {
	args := []string{"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--innodb-log-file-size=128M"}
	if os.Getuid() == 0 {
		args = append(args, "--user=root") // it refuses to be root unless told
	}
	return args
}

// start runs the server and waits until it answers. When it ends the folder remove goes,
// if one is named.
func (s *mariadb) start(remove string) error {
	daemon, err := exec.LookPath("mariadbd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/mariadbd") // not on everyone's path
	}
	if err != nil {
		return err
	}
	// Not our own output: whoever waits for its end would wait for the server's.
	logName := filepath.Join(s.dir, "log")
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer log.Close()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	args := append([]string{"-c", guardian, "guardian", remove, daemon}, s.common()...)
	s.guardian = exec.Command("sh", append(args,
		"--bind-address=127.0.0.1",
		"--port="+port,
		"--socket="+filepath.Join(s.dir, "socket"),
		"--pid-file="+filepath.Join(s.dir, "pid"),
		"--innodb-flush-log-at-trx-commit=1",
		// With io_uring writes of a killed server can land after its successor has begun to
		// recover: one restart in about fifty then found a corrupt page.
		"--innodb-use-native-aio=0",
		"--innodb-buffer-pool-size=256M",
		"--performance-schema=OFF",
		"--skip-name-resolve",
		"--max-connections=1000",
		"--lc-messages=en_US",
	)...)
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
		return errors.Join(fmt.Errorf("start MariaDB: %w\n%s", err, text), s.kill())
	}
	return nil
}

// kill ends the server as a power failure would; it is gone when kill returns.
func (s *mariadb) kill() error { return errors.Join(s.alive.Close(), s.guardian.Wait()) }

func (s *mariadb) pool() error {
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
func (s *mariadb) answers() error {
	end := time.Now().Add(60 * time.Second)
	for {
		err := s.admin.Ping()
		if err == nil || time.Now().After(end) {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *mariadb) exec(ctx context.Context, statement string) error {
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
