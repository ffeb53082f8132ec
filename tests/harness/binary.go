package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// BinaryVariable names a built program to test. Without it the tests build one.
const BinaryVariable = "MARKET_BINARY"

// built is the program that is tested.
type built struct {
	path  string
	alive *os.File // held open for as long as its folder shall be there; see guardian
}

var build = sync.OnceValues(func() (built, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		path, err := filepath.Abs(path)
		return built{path: path}, err
	}
	dir, err := os.MkdirTemp("", "market-binary-")
	if err != nil {
		return built{}, err
	}
	alive, err := guard(dir)
	if err != nil {
		return built{}, errors.Join(err, os.RemoveAll(dir))
	}
	path, err := compile(dir, alive)
	return built{path, alive}, err
})

// guardian is a shell that waits for the end of its input, a pipe that nobody writes to: the
// kernel closes it when the test process ends, be it by a panic or a kill, and the compiler, which
// would make the folder again. Then the guardian removes the folder "$1".
const guardian = `cat >/dev/null; rm -rf "$1"`

func guard(dir string) (alive *os.File, err error) {
	input, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	sh := exec.Command("sh", "-c", guardian, "guardian", dir)
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for the test
	sh.Stdin = input
	return alive, errors.Join(sh.Start(), input.Close())
}

// flags are those of every build.
var flags []string

// compile builds the program in a folder; the compiler has alive, if there is one, open until it ends.
func compile(dir string, alive *os.File, more ...string) (string, error) {
	path := filepath.Join(dir, "jishi")
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, more, []string{"jishi/cmd/jishi"})...)
	if alive != nil {
		cmd.ExtraFiles = []*os.File{alive}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// CrashBinary builds the program so that it dies where [crash.Variable] says; for
// [Config.Binary].
func CrashBinary(t testing.TB) string {
	t.Helper()
	path, err := compile(t.TempDir(), nil, "-tags", "crash")
	if err := errors.Join(err, lookAtSources()); err != nil {
		t.Fatal(err)
	}
	return path
}

// Binary is the path of the program, built once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	b, err := build()
	if err := errors.Join(err, lookAtSources()); err != nil {
		t.Fatal(err)
	}
	return b.path
}

// lookAtSources makes a kept result of a test worth nothing when the program has changed: `go test`
// knows the files that a test itself looks at, and not those that the compiler reads for it.
var lookAtSources = sync.OnceValue(func() error {
	return filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "docs", "tests", "node_modules"}, d.Name()):
			return fs.SkipDir
		}
		_, err = os.Stat(path)
		return err
	})
})

// Main is what a package's TestMain calls: it builds the program and runs the tests. What was
// built goes with the process.
func Main(m *testing.M) {
	_, _ = build() // each test says by itself that there is no program
	os.Exit(m.Run())
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

// Needs skips the test where a program isn't installed, and says so.
func Needs(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program) // not on everyone's path
	}
	if err != nil {
		Lacks(t, program, err)
	}
	return path
}

// Lacks skips the test for want of something, and says so. Where the tests run as root with
// CI=true, `make test` has seen to it, so there it is a failure.
func Lacks(t testing.TB, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("there is no %s, although this is CI: %v", what, err)
	}
	t.Skipf("there is no %s, so this is not tested here: %v", what, err)
}
