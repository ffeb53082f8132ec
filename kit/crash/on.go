//go:build crash

package crash

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

var (
	name      string
	remaining atomic.Int64
)

func init() {
	var n int64
	if _, err := fmt.Sscan(os.Getenv(Variable), &name, &n); err == nil {
		remaining.Store(n)
	}
}

// Point kills the process if it is the named one and its time has come.
func Point(at string) {
	if at != name || remaining.Add(-1) != 0 {
		return
	}
	fmt.Fprintln(os.Stderr, "crash at", at)
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(err)
	}
	select {} // until the kernel has done it
}
