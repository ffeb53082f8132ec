package app

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Processes that start together on an empty directory end with the same secret.
func TestOneSecretForAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "secret")
	var got [16][]byte
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			s, err := loadSecrets(path)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = s[0]
		})
	}
	wg.Wait()
	for _, s := range got {
		if !bytes.Equal(s, got[0]) {
			t.Fatal("two secrets")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestABadSecretFileIsRefused(t *testing.T) {
	for name, text := range map[string]string{"empty": "\n", "short": "c2hvcnQ=\n", "no base64": "hello!\n"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSecrets(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
