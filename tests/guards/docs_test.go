package guards_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What docs/consistency.md promises is shown by tests that are there, and whose commands find
// them.
func TestEveryPromiseHasItsTests(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "consistency.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := declared(t)
	names := regexp.MustCompile("`(Test\\w+)`")
	command := regexp.MustCompile("`(?:TEST_LONG=1 )?go test ([^`]*?)(?: -run '?([^'` ]+)'?)?(?: -timeout \\w+)?`")
	for row := range strings.Lines(string(b)) {
		for _, m := range names.FindAllStringSubmatch(row, -1) {
			if _, ok := all[m[1]]; !ok {
				t.Errorf("there is no %s", m[1])
			}
		}
		commands := command.FindAllStringSubmatch(row, -1)
		for _, m := range names.FindAllStringSubmatch(row, -1) {
			if len(commands) > 0 && !slices.ContainsFunc(commands, func(c []string) bool {
				return regexp.MustCompile(strings.ReplaceAll(c[2], `\|`, "|")).MatchString(m[1]) &&
					slices.ContainsFunc(strings.Fields(c[1]), func(pkg string) bool { return slices.Contains(all[m[1]], filepath.Clean(pkg)) })
			}) {
				t.Errorf("no command of its row runs %s", m[1])
			}
		}
		for _, m := range commands {
			pattern := regexp.MustCompile(strings.ReplaceAll(m[2], `\|`, "|"))
			for pkg := range strings.FieldsSeq(m[1]) {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool {
					return slices.Contains(all[name], filepath.Clean(pkg)) && pattern.MatchString(name)
				}) {
					t.Errorf("%s runs nothing in %s", m[0], pkg)
				}
			}
		}
	}
}

// How many guards there are is said as it is.
func TestGuardsAreCounted(t *testing.T) {
	for file, count := range map[string]string{"README.md": `(\d+) guards are taken out`, "docs/testing.md": "`tests/guards` has (\\d+) patches"} {
		b, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(count).FindStringSubmatch(string(b)); m == nil || m[1] != strconv.Itoa(len(guards)) {
			t.Errorf("%s says %q, there are %d", file, m, len(guards))
		}
	}
}

// declared is every test of the repository, with the packages that have one of that name.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	all := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		for _, m := range test.FindAllStringSubmatch(string(b), -1) {
			all[m[1]] = append(all[m[1]], pkg)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
