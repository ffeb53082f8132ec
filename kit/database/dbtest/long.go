package dbtest

import "os"

// LongVariable asks for the long forms of tests when it is set, as `make test-long` does.
const LongVariable = "TEST_LONG"

// Long tells whether tests shall take their long form (see docs/testing.md).
func Long() bool { return os.Getenv(LongVariable) != "" }
