//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package ops

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile takes a file for this process until it is closed, or the process ends however it
// does. A file system that knows no locks has none.
func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(errors.New("another process writes its log there"), f.Close())
	}
	return f, nil
}
