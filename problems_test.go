package jishi_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"jishi/kit/fault"
)

var update = flag.Bool("update", false, "write docs/problems.md anew")

const problemsFile = "docs/problems.md"

const problemsHead = `# Problems

Every refusal of the APIs is a problem document (RFC 9457, ` + "`application/problem+json`" + `):

    {"type": "urn:jishi:problem:shop.sold_out", "title": "Conflict", "status": 409, "code": "shop.sold_out",
     "detail": "There are not enough pieces of a product left.", "product": "prd_…", "available": 1, "wanted": 2}

` + "`type`" + ` and ` + "`code`" + ` never change; ` + "`detail`" + ` is for people and may. ` + "`field`" + ` names the input at fault, and ` + "`errors`" + ` lists
all problems where there are several (of a request's shape 20 at most). Further members are those of the problem; the OpenAPI documents say which call may refuse
what. 429 and 503 carry ` + "`Retry-After`" + `. 504 means that it isn't known whether something was done: ask again with the same id.

This list is made from the code (` + "`go test -run TestProblems . -update`" + `).
`

// declared is a refusal as it stands in the code.
type declared struct {
	status       int
	detail, file string
}

// Every refusal that the code declares is in docs/problems.md, and none has two meanings.
func TestProblems(t *testing.T) {
	all := refusals(t)
	var b bytes.Buffer
	b.WriteString(problemsHead)
	group := "none yet"
	for _, code := range slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(groupOf(a), groupOf(b)), cmp.Compare(a, b))
	}) {
		of := groupOf(code)
		if of != group {
			group = of
			title := of
			if of == "" {
				title = "everywhere"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| code | status | meaning |\n|---|---|---|\n", title)
		}
		d := all[code]
		fmt.Fprintf(&b, "| `%s` | %d %s | %s |\n", code, d.status, http.StatusText(d.status), d.detail)
	}
	if *update {
		if err := os.WriteFile(problemsFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(problemsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s is not what the code says now; write it anew with: go test -run TestProblems . -update", problemsFile)
	}
}

// groupOf is what a code begins with, "" for those of no part of the market.
func groupOf(code string) string {
	of, _, found := strings.Cut(code, ".")
	if !found {
		return ""
	}
	return of
}

// refusals are those that fault.New declares, by code. A code that is declared twice
// means the same in both places.
func refusals(t *testing.T) map[string]declared {
	t.Helper()
	all := map[string]declared{}
	for _, name := range goFiles(t) {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "kit/locale/localetest/") || strings.HasPrefix(name, "tests/") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			code, kind, detail, ok := declaration(n)
			if !ok {
				return true
			}
			d := declared{kind.Status(), detail, name}
			if before, twice := all[code]; twice && before.status != d.status {
				t.Errorf("%s is %d in %s and %d in %s", code, before.status, before.file, d.status, d.file)
			} else if twice && before.file < d.file {
				return true
			}
			all[code] = d
			return true
		})
	}
	if len(all) == 0 {
		t.Fatal("no refusals found")
	}
	return all
}

// kinds are those of package fault, by name.
var kinds = map[string]fault.Kind{
	"Internal": fault.Internal, "Invalid": fault.Invalid, "Malformed": fault.Malformed, "Unauthenticated": fault.Unauthenticated,
	"Forbidden": fault.Forbidden, "NotFound": fault.NotFound, "NotAllowed": fault.NotAllowed, "Late": fault.Late, "Conflict": fault.Conflict,
	"Stale": fault.Stale, "TooLarge": fault.TooLarge, "Unsupported": fault.Unsupported, "Limited": fault.Limited, "Unpaid": fault.Unpaid, "Busy": fault.Busy, "Unknown": fault.Unknown,
}

// declaration reads fault.New(fault.Kind, "code", "detail"), which package fault itself
// writes without its name.
func declaration(n ast.Node) (code string, kind fault.Kind, detail string, ok bool) {
	call, is := n.(*ast.CallExpr)
	if !is || len(call.Args) != 3 || !slices.Contains([]string{"fault.New", "New"}, nameOf(call.Fun)) {
		return "", 0, "", false
	}
	kind, known := kinds[strings.TrimPrefix(nameOf(call.Args[0]), "fault.")]
	if !known {
		return "", 0, "", false
	}
	return text(call.Args[1]), kind, text(call.Args[2]), true
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

func text(e ast.Expr) string {
	literal, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return s
}
