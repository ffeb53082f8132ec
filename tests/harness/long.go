package harness

import "os"

// LongVariable asks for the long forms of tests when it is set, as `make test-long` does.
const LongVariable = "TEST_LONG"

// Long tells whether tests shall take their long form.
func Long() bool { return os.Getenv(LongVariable) != "" }
