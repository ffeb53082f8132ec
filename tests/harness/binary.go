package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// BinaryVariable names a built program to test. Without it the tests build one.
const BinaryVariable = "MARKET_BINARY"

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "market-binary-")
	if err != nil {
		return "", err
	}
	path, err := compile(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
	}
	return path, err
})

func compile(dir string, flags ...string) (string, error) {
	path := filepath.Join(dir, "jishi")
	out, err := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"jishi/cmd/jishi"})...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// CrashBinary builds the program so that it dies where [crash.Variable] says; for
// [Config.Binary].
func CrashBinary(t testing.TB) string {
	t.Helper()
	path, err := compile(t.TempDir(), "-tags", "crash")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Binary is the path of the program, built once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main is what a package's TestMain calls: it builds the program, runs the tests and
// removes what was built.
func Main(m *testing.M) {
	path, err := build()
	code := m.Run() // each test says by itself that there is no program
	if err == nil && os.Getenv(BinaryVariable) == "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// environment is the test's own without settings of the program, which it would read.
func environment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "JISHI_") {
			env = append(env, pair)
		}
	}
	return env
}

// Needs skips the test where a program isn't installed, and says so. Where the tests run
// as root with CI=true, `make test` has installed it, so there it is a failure.
func Needs(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("%s is not installed, although this is CI: %v", program, err)
	}
	t.Skipf("%s is not installed, so this is not tested here", program)
	return ""
}
