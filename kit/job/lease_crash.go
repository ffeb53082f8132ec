//go:build crash

package job

import "time"

// A program that dies for a test over and over is not waited for as long as others.
const (
	lease    = 6 * time.Second
	runFor   = 4 * time.Second
	writeFor = time.Second
)
