//go:build unix

package dbtest

import (
	"os/signal"
	"syscall"
	"testing"
)

// BreakDisk has every write of this process into a file fail, until mend is called: SQLite takes it
// for an error of the disk other than that it is full.
func BreakDisk(tb testing.TB) (mend func()) {
	tb.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		tb.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1, Max: was.Max}); err != nil {
		tb.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			tb.Fatal(err)
		}
		signal.Reset(syscall.SIGXFSZ)
	}
}
