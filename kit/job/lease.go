//go:build !crash

package job

import "time"

// Lease and a handler's time both count from just before the job is claimed.
const (
	lease    = 60 * time.Second // how long a job of a process that died is left alone
	runFor   = 45 * time.Second // a handler's time; ends before the lease, so that no two runs overlap
	writeFor = 10 * time.Second // how long writing down a result is tried; run and this fit into the lease
)
