package dbtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A server's folder, which goes with it, is where it makes others: TiDB does some seconds after
// its start.
func TestAServerStandsInItsFolder(t *testing.T) {
	TiDB(t)
	s, err := tidb()
	if err != nil {
		t.Fatal(err)
	}
	const made = "oom_record"
	for {
		if _, err := os.Stat(filepath.Join(s.dir, made)); err == nil {
			return
		}
		if _, err := os.Stat(made); err == nil {
			t.Fatalf("it made %s in the folder of the tests", made)
		}
		<-time.After(20 * time.Millisecond)
	}
}
