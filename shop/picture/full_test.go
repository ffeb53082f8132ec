package picture

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"jishi/kit/database"
)

func TestAddOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("needs a small file system, which only root can make: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	large, small := pngOf(t, 1280, 1280), pngOf(t, 20, 20)
	if err := s.Add(t.Context(), named(t, large), bytes.NewReader(large)); !errors.Is(err, database.ErrFull) {
		t.Errorf("got %v, want %v", err, database.ErrFull)
	}
	// A smaller one has room: nothing of the first one was left.
	if err := s.Add(t.Context(), named(t, small), bytes.NewReader(small)); err != nil {
		t.Error(err)
	}
}
