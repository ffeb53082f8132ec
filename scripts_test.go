package jishi_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where the tools of the tests can't be installed, as without a network, the tests that need
// them are skipped, and the others run.
func TestToolsThatCantBeInstalled(t *testing.T) {
	dir := t.TempDir()
	for name, script := range map[string]string{"id": "echo 0", "apt-get": "exit 100", "find": "exit 0", "head": "exit 0"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "scripts/test-tools")
	cmd.Env = []string{"PATH=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "are skipped: mariadb-server chromium") {
		t.Errorf("got %v and %s", err, out)
	}
}
