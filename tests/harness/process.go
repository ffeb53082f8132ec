package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTime = 20 * time.Second // until it listens; much more than it needs, on a busy machine too
	stopTime  = 20 * time.Second // until it has drained
)

// Process is a running program.
type Process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
	err    error         // how it ended; read after exited
	lines  *lines
}

// startProcess runs the program with args and waits until it listens at address.
func startProcess(t testing.TB, binary string, env []string, name, address string, args ...string) *Process {
	t.Helper()
	p := launch(t, binary, env, name, args...)
	if err := p.listens(address); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	return p
}

// launch runs the program, until the test is over.
func launch(t testing.TB, binary string, env []string, name string, args ...string) *Process {
	t.Helper()
	p := &Process{name: name, exited: make(chan struct{}), lines: &lines{}}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Env = append(environment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.lines, p.lines
	if err := p.start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.Stop(t)
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.lines.tail())
		}
	})
	return p
}

// start starts the program so that the kernel ends it when this process dies, however
// that happens. The kernel looks at the thread that started it, so that thread is kept.
func (p *Process) start() error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.exited)
		}
	}()
	return <-started
}

// listens waits until somebody accepts connections at address.
func (p *Process) listens(address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-p.exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := Retry(ctx, startTime, func() error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
	select {
	case <-p.exited:
		return fmt.Errorf("it ended: %w", p.err)
	default:
		return err
	}
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Log is the last log lines of the process.
func (p *Process) Log() string { return p.lines.tail() }

// Stop asks the process to end, as a service manager does, and waits until it has. It
// is an error of the test if it ends badly or only by force. Twice is once.
func (p *Process) Stop(t testing.TB) {
	t.Helper()
	select {
	case <-p.exited:
	default:
		p.signal(t, syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(stopTime):
			t.Errorf("%s did not end within %s of SIGTERM", p.name, stopTime)
			p.signal(t, syscall.SIGKILL)
			<-p.exited
		}
	}
	if p.err != nil {
		t.Errorf("%s ended with: %v", p.name, p.err)
		p.err = nil // once
	}
}

// Kill ends the process at once, as a power failure would.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.exited
	p.err = nil // as was asked for
}

// Dies waits until the process has been killed, by itself or by others, and tells whether it
// was within that time. It is an error of the test if it ended in another way.
func (p *Process) Dies(t testing.TB, within time.Duration) bool {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("%s ended with: %v", p.name, p.err)
	}
	p.err = nil // as was asked for
	return true
}

// Signal sends one to the process, as SIGSTOP and SIGCONT.
func (p *Process) Signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	p.signal(t, s)
}

// signal goes to the whole group of the process.
func (p *Process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.PID(), s); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal %s: %v", p.name, err)
	}
}

// FreeAddress is one on which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return freeAddresses(t, 1)[0]
}

// freeAddresses gives addresses on which nobody listens, all different.
func freeAddresses(t testing.TB, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, l.Addr().String())
		defer func() { _ = l.Close() }() // after the last one was found
	}
	return all
}

const (
	maxLog     = 256 << 10 // how much of a process's log is kept, in bytes
	shownLines = 60        // how much of that is shown
)

// lines keeps the end of what is written to it.
type lines struct {
	mu   sync.Mutex
	kept bytes.Buffer // guarded by mu
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept.Len() > maxLog {
		l.kept.Next(l.kept.Len() / 2)
	}
	return l.kept.Write(b)
}

func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.SplitAfter(l.kept.String(), "\n")
	return strings.Join(all[max(0, len(all)-shownLines):], "")
}
