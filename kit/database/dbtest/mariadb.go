package dbtest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// MariaDB is the URL of a fresh, empty database on this process's server; it is
// dropped when the test ends. Without MariaDB on this machine the test is skipped.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	s, err := mariadb()
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skipf("MariaDB isn't installed: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return s.fresh(tb)
}

// mariadb is this process's MariaDB.
var mariadb = sync.OnceValues(once(installMariaDB))

func installMariaDB(dir string) (*server, error) {
	program, err := exec.LookPath("mariadb-install-db")
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
	log, pool := "16M", "64M"
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		log, pool = "512M", "1G" // as one has them who is after speed: the log isn't written round and round
	}
	// What installing and running have to agree on.
	common := []string{"--no-defaults", "--datadir=" + filepath.Join(dir, "data"), "--innodb-log-file-size=" + log}
	if os.Getuid() == 0 {
		common = append(common, "--user=root") // it refuses to be root unless told
	}
	// A server that starts removes all temporary tables in its folder for them, those of others
	// too, which installing needs.
	install := append(common, "--tmpdir="+dir, "--auth-root-authentication-method=normal", "--skip-test-db")
	if out, err := exec.Command(program, install...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("install MariaDB: %w\n%s", err, out)
	}
	s, err := newServer("MariaDB", dir) // now, since its port is free until somebody takes it
	if err != nil {
		return nil, err
	}
	s.command = append(append([]string{daemon}, common...),
		"--bind-address=127.0.0.1",
		"--port="+s.port(),
		"--socket="+filepath.Join(dir, "socket"),
		"--pid-file="+filepath.Join(dir, "pid"),
		"--innodb-flush-log-at-trx-commit=1",
		// With io_uring writes of a killed server can land after its successor has begun to
		// recover: one restart in about fifty then found a corrupt page.
		"--innodb-use-native-aio=0",
		"--innodb-buffer-pool-size="+pool,
		"--performance-schema=OFF",
		"--skip-name-resolve",
		"--max-connections=1000",
		"--lc-messages=en_US",
	)
	return s, nil
}
