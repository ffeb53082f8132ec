// Package openapi_test checks the committed OpenAPI documents with the tools of others: a
// linter, and a generator whose client makes a purchase.
package openapi_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

var documents = []string{"auth", "pay", "shop"}

// install gets the tools once, at the versions of the lock file.
var install = sync.OnceValues(func() ([]byte, error) {
	if _, err := os.Stat("node_modules"); err == nil {
		return nil, nil
	}
	return exec.Command("npm", "ci", "--no-audit", "--no-fund", "--silent").CombinedOutput()
})

// tool is the path of a tool from npm; without npm, or without a way to its packages, the
// test is skipped.
func tool(t *testing.T, name string) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("npm is not installed, so this is not tested here")
	}
	if out, err := install(); err != nil {
		t.Skipf("npm can't install the tools, so this is not tested here: %v\n%s", err, out)
	}
	path, err := filepath.Abs(filepath.Join("node_modules", ".bin", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func document(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "docs", "openapi", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a tool in a folder and gives what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
	return string(out)
}

func TestTheDocumentsAreClean(t *testing.T) {
	redocly := tool(t, "redocly")
	args := []string{"lint", "--config", "redocly.yaml"}
	for _, name := range documents {
		args = append(args, document(t, name))
	}
	t.Log(run(t, ".", redocly, args...))
}

// A client that was generated from the documents, and compiled against them, buys.
func TestAGeneratedClientBuys(t *testing.T) {
	generator, compiler := tool(t, "openapi-ts"), tool(t, "tsc")
	dir := t.TempDir()
	for _, name := range documents {
		run(t, dir, generator, "-i", document(t, name), "-o", filepath.Join(dir, name), "-c", "@hey-api/client-fetch")
	}
	source, err := os.ReadFile("purchase.ts")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "purchase.ts"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, compiler, "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "commonjs",
		"--moduleResolution", "node10", "--skipLibCheck", "--outDir", "out", "purchase.ts")

	m := harness.Start(t, harness.Config{})
	market, err := json.Marshal(map[string]any{"shop": m.Shop, "pay": m.Pay, "auth": m.Auth, "command": m.Command("token").Args})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(run(t, ".", "node", "run.cjs", filepath.Join(dir, "out", "purchase.js"), string(market)))
}
