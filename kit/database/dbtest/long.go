package dbtest

import "os"

// Long tells whether tests shall take their long form (see docs/testing.md).
func Long() bool { return os.Getenv("TEST_LONG") != "" }
