// Package guards_test takes out what guards money and stock, one guard at a time, and finds
// that a test notices. A guard that can go without a test failing is not tested, however
// much else is.
//
// Each guard is a patch in this directory. The short form finds that all of them still fit the
// source, so that none rots; the long form applies each to a copy of the tree and runs the
// test that has to fail there, and has to pass without it.
package guards_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jishi/kit/database/dbtest"
)

// root is of the repository.
const root = "../.."

// The patches of this directory, without their ending, are those of the table, and fit. The
// tests that have to fail are there.
func TestEveryGuardIsThere(t *testing.T) {
	all := declared(t)
	var named []string
	for _, g := range guards {
		named = append(named, g.patch+".patch")
		if out, err := apply(t, root, g.patch, "--check"); err != nil {
			t.Errorf("%s doesn't fit the source any more: %v\n%s", g.patch, err, out)
		}
		name, _, _ := strings.Cut(g.test, "/")
		if !slices.Contains(all[name], g.pkg) {
			t.Errorf("%s: %s has no test %s", g.patch, g.pkg, name)
		}
	}
	found, err := filepath.Glob("*.patch")
	if err != nil {
		t.Fatal(err)
	}
	if slices.Sort(named); !slices.Equal(found, named) {
		t.Errorf("patches are %v, in the table %v", found, named)
	}
}

// Without a guard its test fails; with it, it passes.
func TestEveryGuardIsMissed(t *testing.T) {
	if !dbtest.Long() {
		t.Skipf("%d guards are taken out in the long form (%s)", len(guards), dbtest.LongVariable)
	}
	tree := copied(t)
	for _, g := range guards {
		t.Run(g.patch, func(t *testing.T) {
			if out, passed := runs(t, tree, g); !passed {
				t.Fatalf("%s %s fails as it is:\n%s", g.pkg, g.test, out)
			}
			if out, err := apply(t, tree, g.patch); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			defer func() {
				if out, err := apply(t, tree, g.patch, "--reverse"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}()
			out, passed := runs(t, tree, g)
			if failure := regexp.MustCompile(`(?m)^--- FAIL: `); passed || !failure.MatchString(out) {
				t.Errorf("nobody missed that %s:\n%s", g.why, out)
			}
		})
	}
}

// apply applies a patch to a tree.
func apply(t *testing.T, tree, patch string, flags ...string) (string, error) {
	t.Helper()
	file, err := filepath.Abs(patch + ".patch")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("git", slices.Concat([]string{"apply"}, flags, []string{file})...)
	cmd.Dir = tree
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// runs runs a guard's test in a tree. What is built is the same wherever the tree is.
func runs(t *testing.T, tree string, g guard) (out string, passed bool) {
	t.Helper()
	pattern := "^" + strings.ReplaceAll(g.test, "/", "$/^") + "$"
	cmd := exec.CommandContext(t.Context(), "go", "test", "-trimpath", "-count=1", "-timeout=5m", "-run", pattern, "./"+g.pkg)
	cmd.Dir = tree
	b, err := cmd.CombinedOutput()
	if strings.Contains(string(b), "no tests to run") {
		t.Fatalf("%s has no test %s", g.pkg, g.test)
	}
	return string(b), err == nil
}

// copied is a copy of the repository as it is now, with what is not committed yet.
func copied(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted and not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}
