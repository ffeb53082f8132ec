package dbtest

import (
	"errors"
	"os/exec"
	"testing"
)

// Server is a MariaDB of one test's own, which it can take away and bring back.
type Server struct {
	db *server
	up bool
}

// NewServer runs one until the test is over, with settings besides those of [MariaDB]. Without
// MariaDB on this machine the test is skipped.
func NewServer(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	return NewServerIn(tb, tb.TempDir(), settings...)
}

// NewServerIn is NewServer with its files in a directory.
func NewServerIn(tb testing.TB, dir string, settings ...string) *Server {
	tb.Helper()
	db, err := installMariaDB(dir)
	if errors.Is(err, exec.ErrNotFound) {
		tb.Skipf("MariaDB isn't installed: %v", err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	db.command = append(db.command, settings...)
	s := &Server{db: db}
	s.Start(tb)
	tb.Cleanup(func() {
		if s.up {
			s.Kill(tb)
		}
		_ = db.admin.Close()
	})
	return s
}

// Database is the URL of a new empty database, which ends with the server.
func (s *Server) Database(tb testing.TB, name string) string {
	tb.Helper()
	if err := s.db.exec(tb.Context(), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	return s.db.url(name)
}

// Answers tells whether the server still does.
func (s *Server) Answers() bool { return s.db.admin.Ping() == nil }

// Kill ends the server with SIGKILL. What it had committed is on disk.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.up = false
	if err := s.db.kill(); err != nil {
		tb.Errorf("kill MariaDB: %v", err)
	}
}

// Start runs the server again, at the same address and with what it had, and returns when
// it answers.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.db.start(""); err != nil {
		tb.Fatal(err)
	}
	s.up = true
}
