//go:build race

package harness

import (
	"fmt"
	"os"
	"os/exec"
)

// The race detector that watches the test watches the program too: one with a data race ends with
// status 66, which [Process.Stop] tells. With log_path in GORACE what it found is written to a file,
// also of processes that are killed.
func init() {
	if _, err := exec.LookPath("cc"); err != nil {
		fmt.Fprintln(os.Stderr, "skipped: the race detector in the program needs a C compiler")
		return
	}
	flags = append(flags, "-race")
}
