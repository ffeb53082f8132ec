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
	return fmt.Sprintf("mysql://root@%s/%s", s.addr, name)
}

type mariadb struct {
	addr      string
	admin     *sql.DB
	databases atomic.Int64
	alive     io.WriteCloser // held open for as long as this process lives; see guardian
}

// server is this process's MariaDB.
var server = sync.OnceValues(func() (*mariadb, error) {
	dir, err := os.MkdirTemp("", "dbtest-")
	if err != nil {
		return nil, err
	}
	s, err := start(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
})

// guardian is a shell that starts the server and waits for the end of its input, a
// pipe that the test process never writes to: the kernel closes it when that process
// ends, be it by a panic or a kill. Then the guardian ends the server and removes its
// folder, "$1". The rest of its arguments are the server's command line.
const guardian = `
dir=$1; shift
"$@" </dev/null &
cat >/dev/null
kill -9 $!
wait
rm -rf "$dir"
`

func start(dir string) (*mariadb, error) {
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	daemon, err := exec.LookPath("mariadbd")
	if err != nil {
		daemon, err = exec.LookPath("/usr/sbin/mariadbd") // not on everyone's path
	}
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	common := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--innodb-log-file-size=16M"}
	if os.Getuid() == 0 {
		common = append(common, "--user=root") // it refuses to be root unless told
	}

	out, err := exec.Command(install, append(common, "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("install MariaDB: %w\n%s", err, out)
	}

	// Not our own output: whoever waits for its end would wait for the server's.
	logName := filepath.Join(dir, "log")
	log, err := os.Create(logName)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := append([]string{"-c", guardian, "guardian", dir, daemon}, common...)
	cmd := exec.Command("sh", append(args,
		"--bind-address=127.0.0.1",
		"--port="+strconv.Itoa(port),
		"--socket="+filepath.Join(dir, "socket"),
		"--pid-file="+filepath.Join(dir, "pid"),
		"--innodb-flush-log-at-trx-commit=1",
		"--innodb-buffer-pool-size=64M",
		"--performance-schema=OFF",
		"--skip-name-resolve",
		"--max-connections=1000",
		"--lc-messages=en_US",
	)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the test
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	s := &mariadb{addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), alive: alive}
	if err := s.connect(); err != nil {
		text, _ := os.ReadFile(logName)
		return nil, errors.Join(fmt.Errorf("start MariaDB: %w\n%s", err, text), alive.Close(), cmd.Wait())
	}
	return s, nil
}

// connect waits until the server answers.
func (s *mariadb) connect() error {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.Logger = "root", "tcp", s.addr, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	s.admin = sql.OpenDB(connector)
	s.admin.SetMaxIdleConns(1)
	end := time.Now().Add(60 * time.Second)
	for {
		if err = s.admin.Ping(); err == nil || time.Now().After(end) {
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
