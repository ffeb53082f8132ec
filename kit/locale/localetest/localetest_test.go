package localetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// recorder is a test that is allowed to fail.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(args ...any)         { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.failures = append(r.failures, fmt.Sprintf(f, a...)) }

func TestCheckFindsWhatIsWrong(t *testing.T) {
	source := `package x
		var ErrSold = fault.New(fault.Conflict, "x.sold", "Sold.")
		func f() { locale.T(ctx, "x.title"); web.SetFlash(w, r, "x.done", "n", 1); locale.T(ctx, "x.state."+s) }`
	inFault := `package fault
		var ErrLost = New(Conflict, "x.lost", "Lost.")`
	both := func(zh, en string) fstest.MapFS {
		return fstest.MapFS{
			"locales/zh.json": {Data: []byte(zh)},
			"locales/en.json": {Data: []byte(en)},
		}
	}
	all := `{"x.title":"a","x.done":"a","x.state.paid":"a","fault.x.sold":"a","fault.x.lost":"a"}`
	for _, c := range []struct {
		name, zh, en, want string
	}{
		{"all is well", all, all, ""},
		{"a language lacks a text", all, strings.Replace(all, `"x.done":"a",`, "", 1), `text "x.done" is missing in en`},
		{"a shown key has no text", strings.ReplaceAll(all, "x.title", "x.state.t"), strings.ReplaceAll(all, "x.title", "x.state.t"), `shows "x.title"`},
		{"a flash has no text", strings.ReplaceAll(all, "x.done", "x.state.t"), strings.ReplaceAll(all, "x.done", "x.state.t"), `shows "x.done"`},
		{"a refusal has no text", strings.ReplaceAll(all, "fault.x.sold", "fault.x.gone"), strings.ReplaceAll(all, "fault.x.sold", "fault.x.gone"), `"fault.x.sold"`},
		{"a refusal of package fault has no text", strings.ReplaceAll(all, "fault.x.lost", "fault.x.gone"), strings.ReplaceAll(all, "fault.x.lost", "fault.x.gone"), `"fault.x.lost"`},
		{"a text is never shown", strings.ReplaceAll(all, "}", `,"x.old":"a"}`), strings.ReplaceAll(all, "}", `,"x.old":"a"}`), `nothing shows "x.old"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"x.go": source, "fault.go": inFault} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := &recorder{TB: t}
			Check(r, both(c.zh, c.en), Sources{Dirs: []string{dir}, Dynamic: []string{"x.state."}})
			got := strings.Join(r.failures, "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
