package dbtest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Where the TiDB server is, if not in bin/tidb-server of the repository, where `make tidb`
// puts it; and what asks for tests on it, as TEST_LONG does too.
const (
	tidbServer = "TIDB_SERVER"
	testTiDB   = "TEST_TIDB"
)

// TiDB is the URL of a fresh, empty database on this process's server; it is dropped when
// the test ends. Without a TiDB server the test is skipped.
func TiDB(tb testing.TB) string {
	tb.Helper()
	if _, err := findTiDB(); err != nil {
		tb.Skipf("there is no TiDB server; make tidb builds one: %v", err)
	}
	s, err := tidb()
	if err != nil {
		tb.Fatal(err)
	}
	return s.fresh(tb)
}

// wantsTiDB tells whether Each runs on TiDB.
func wantsTiDB() bool { return os.Getenv(testTiDB) != "" || Long() }

// tidb is this process's TiDB. Its storage, unistore, is one file tree in the same process.
var tidb = sync.OnceValues(once(installTiDB))

func installTiDB(dir string) (*server, error) {
	program, err := findTiDB()
	if err != nil {
		return nil, err
	}
	s, err := newServer("TiDB", dir)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.toml")
	settings := fmt.Sprintf("temp-dir = %q\nlog.slow-query-file = %q\n", filepath.Join(dir, "temp"), filepath.Join(dir, "slow"))
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	s.command = []string{program,
		"-config", config,
		"-store", "unistore",
		"-path", filepath.Join(dir, "data"),
		"-host", "127.0.0.1",
		"-P", s.port(),
		"-socket", filepath.Join(dir, "socket"),
		"-report-status=false",
		"-lease", "1s", // how long a change of the schema waits for other servers; there are none
		"-L", "error",
	}
	return s, nil
}

// findTiDB is the path of the server.
func findTiDB() (string, error) {
	path := os.Getenv(tidbServer)
	if path == "" {
		root, err := repository()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, "bin", "tidb-server")
	}
	path, err := filepath.Abs(path) // the server stands elsewhere
	if err == nil {
		_, err = os.Stat(path)
	}
	return path, err
}

// repository is the folder of go.mod, above that of the package that is tested.
func repository() (string, error) {
	for dir, err := os.Getwd(); ; dir = filepath.Dir(dir) {
		if err != nil || dir == filepath.Dir(dir) {
			return dir, err
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
}
