// Package ops is what the operator sees: log lines, metrics, health, profiles.
//
// There is one line per request, written when it is over; handlers add to it with
// [Note]. Messages are constants and everything that varies is an attribute.
package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lmittmann/tint"
	"gopkg.in/natefinch/lumberjack.v2"
)

const (
	logFile        = "jishi.log"
	logMegabytes   = 100
	logGenerations = 10
)

// NewLog gives a logger that is readable on a terminal and JSON elsewhere. With a
// directory the lines also go, as JSON, to jishi.log in it, rotated at 100 MB with
// ten compressed generations kept. That file is one process's alone until the closer closes
// it: who didn't rotate it would go on writing into one that is removed.
func NewLog(stderr *os.File, dir string, level slog.Level) (*slog.Logger, io.Closer, error) {
	var console slog.Handler = slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level})
	if Terminal(stderr) {
		console = tint.NewHandler(stderr, &tint.Options{Level: level, TimeFormat: "15:04:05.000"})
	}
	if dir == "" {
		return slog.New(console), io.NopCloser(nil), nil
	}
	file := &lumberjack.Logger{
		Filename:   filepath.Join(dir, logFile),
		MaxSize:    logMegabytes,
		MaxBackups: logGenerations,
		Compress:   true,
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, fmt.Errorf("log-dir %s: %w", dir, err)
	}
	lock, err := lockFile(file.Filename + ".lock") // before the log is opened, which compresses old generations
	if err != nil {
		return nil, nil, fmt.Errorf("log-dir %s: %w", dir, err)
	}
	// It is opened by what is written first, whose error slog drops.
	if _, err := file.Write(nil); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("log-dir %s: %w", dir, err), lock.Close())
	}
	return slog.New(slog.NewMultiHandler(console, slog.NewJSONHandler(file, &slog.HandlerOptions{Level: level}))), lockedFile{file, lock}, nil
}

// lockedFile is a log with the lock that goes with it.
type lockedFile struct {
	*lumberjack.Logger
	lock io.Closer
}

func (f lockedFile) Close() error { return errors.Join(f.Logger.Close(), f.lock.Close()) }

// Terminal tells whether somebody reads along.
func Terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Libraries is a logger for what other people's code has to say: warnings and errors.
func Libraries(log *slog.Logger) *slog.Logger {
	return slog.New(warnings{log.Handler()}).With(slog.String("from", "library"))
}

// warnings is a handler that takes nothing below a warning.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
