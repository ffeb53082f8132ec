// Package jishi_test keeps the rules of the whole house.
package jishi_test

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "jishi/"

// The house rules: what a package may import of this repository. The first matching
// line counts; a package without a line may import nothing of ours. A name stands for
// the package and what is below it.
var mayImport = []struct{ pkg, of string }{
	{"kit/fault", ""},
	{"kit/id", ""},
	{"kit/money", "kit/fault"},
	{"kit/rest", "kit/fault"},
	{"kit", "kit static"},
	{"conf", "kit/money"},
	{"static", ""},

	{"auth/authclient", "kit/fault kit/rest kit/money"},
	{"pay/payclient", "kit/fault kit/rest kit/money"},
	{"shop/shopclient", "kit/fault kit/rest kit/money"},

	{"ledger", "kit"},

	{"auth/authguard", "auth/authclient kit"},
	{"auth", "auth kit"},
	{"pay/payapi", "pay auth/authclient auth/authguard kit"},
	{"pay/payweb", "pay auth/authclient auth/authguard kit"},
	{"pay/webhook", "kit"},
	{"pay", "pay/payclient auth/authclient ledger kit"},
	{"shop/shopapi", "shop auth/authclient auth/authguard pay/payclient kit"},
	{"shop/shopweb", "shop auth/authclient auth/authguard pay/payclient kit"},
	{"shop", "shop auth/authclient pay/payclient ledger kit"},

	{"app/demo", "auth/authclient pay/payclient shop/shopclient kit"},
	{"app/load", "auth/authclient pay/payclient shop/shopclient kit"},
	{"app", "app conf auth pay shop ledger kit static"},
	{"cmd/jishi", "app conf kit/fault"},
	{"tests", "tests auth/authclient pay/payclient shop/shopclient kit"},
}

// door is who may use a library.
type door struct{ library, users string }

// doors says it of each: it has one door, so that it can be replaced and its pitfalls are met
// in one place. What only files of tests import needs none.
var doors = []door{
	{"github.com/uptrace/bun", "auth pay shop ledger kit/commit kit/database kit/job kit/session"},
	{"github.com/danielgtaylor/huma/v2", "auth/authapi pay/payapi shop/shopapi kit/web"},
	{"github.com/a-h/templ", "auth/authweb pay/payweb shop/shopweb kit/ui kit/web"},
	{"github.com/zitadel/oidc/v3", "auth/oidc"},
	{"github.com/coreos/go-oidc/v3", "auth/authguard"},
	{"golang.org/x/oauth2", "auth/authguard"},
	{"github.com/alecthomas/kong", "conf cmd/jishi"},
	{"github.com/prometheus/client_golang", "kit/ops"},
	{"modernc.org/sqlite", "kit/database"},
	{"github.com/go-sql-driver/mysql", "kit/database"},
	{"github.com/nicksnyder/go-i18n/v2", "kit/locale"},
	{"gocloud.dev", "shop/picture"},
	{"github.com/go-jose/go-jose/v4", "auth"},
	{"github.com/pressly/goose/v3", "kit/database"},
	{"github.com/zitadel/schema", "auth/oidc"},
	{"github.com/maypok86/otter/v2", "auth/authguard"},
	{"github.com/nyaruka/phonenumbers", "auth"},
	{"github.com/alecthomas/kong-yaml", "conf"},
	{"gopkg.in/yaml.v3", "conf"},
	{"github.com/lmittmann/tint", "kit/ops"},
	{"gopkg.in/natefinch/lumberjack.v2", "kit/ops"},
	{"github.com/bojanz/currency", "kit/locale kit/money"},
	{"github.com/klauspost/compress", "app"},
	{"github.com/google/uuid", "kit/id"},
	{"golang.org/x/crypto", "auth"},
	{"golang.org/x/image", "shop/picture"},
	{"golang.org/x/net", "auth tests"},
	{"golang.org/x/sync", "app auth/authguard shop/picture tests"},
	{"golang.org/x/text", "auth kit/locale"},

	{"github.com/chromedp/chromedp", "tests/browser"},
	{"github.com/chromedp/cdproto", "tests/browser"},
	{"github.com/google/go-cmp", "kit/database/dbtest"},
	{"github.com/Shopify/toxiproxy/v2", "kit/linktest"},
	{"github.com/rs/zerolog", "kit/linktest"},
}

// rules packages see no request and no template.
var rulesPackages = []string{"auth", "pay", "shop", "ledger"}

func TestHouseRules(t *testing.T) {
	for pkg, imports := range packages(t) {
		for _, imp := range imports {
			if ours, ok := strings.CutPrefix(imp, module); ok {
				if !allowed(pkg, ours) {
					t.Errorf("%s must not import %s", pkg, ours)
				}
				continue
			}
			if host, _, _ := strings.Cut(imp, "/"); strings.Contains(host, ".") && !slices.ContainsFunc(doors, func(d door) bool { return below(imp, d.library) }) {
				t.Errorf("%s imports %s, which has no door", pkg, imp)
			}
			for _, d := range doors {
				if below(imp, d.library) && !slices.ContainsFunc(strings.Fields(d.users), func(u string) bool { return below(pkg, u) }) {
					t.Errorf("%s must not import %s: its users are %s", pkg, imp, d.users)
				}
			}
			if slices.Contains(rulesPackages, pkg) && (imp == "net/http" || imp == "html/template" || below(imp, "github.com/a-h/templ")) {
				t.Errorf("%s holds rules, so it must not import %s", pkg, imp)
			}
		}
	}
}

// Every library is in docs/dependencies.md, as are those that only tests use.
func TestLibrariesAreListed(t *testing.T) {
	list, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	libraries := strings.Fields(string(out))
	if len(libraries) == 0 {
		t.Fatal("no libraries found")
	}
	for _, l := range libraries {
		name := strings.TrimPrefix(l, "github.com/")
		if strings.HasPrefix(name, "uptrace/bun/dialect/") { // is with bun
			continue
		}
		if !strings.Contains(string(list), "`"+name+"`") {
			t.Errorf("%s is not in docs/dependencies.md", name)
		}
	}
}

// Every Go file is as gofmt writes it, also those that are made from templates.
func TestFilesAreFormatted(t *testing.T) {
	for _, name := range goFiles(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if formatted, err := format.Source(b); err != nil || !bytes.Equal(b, formatted) {
			t.Errorf("%s is not as gofmt writes it", name)
		}
	}
}

// goFiles are those of the repository, with what is not committed yet.
func goFiles(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[strings.TrimPrefix(pkg, module)] = strings.Fields(imports)
	}
	return all
}

func allowed(pkg, imp string) bool {
	for _, rule := range mayImport {
		if below(pkg, rule.pkg) {
			return slices.ContainsFunc(strings.Fields(rule.of), func(of string) bool { return below(imp, of) })
		}
	}
	return false
}

func below(pkg, of string) bool {
	return pkg == of || strings.HasPrefix(pkg, of+"/")
}

// Every refusal that is declared has its text in both languages.
func TestEveryRefusalIsTranslated(t *testing.T) {
	out, err := exec.Command("git", "grep", "-hoE", `fault\.New\(fault\.[A-Za-z]+, "[a-z_.]+"`, "--", "*.go", ":!*_test.go", ":!kit/locale/localetest").Output()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, lang := range []string{"en", "zh"} {
		b, err := exec.Command("git", "grep", "-hE", `"fault\.`, "--", "*/locales/"+lang+".json").Output()
		if err != nil {
			t.Fatal(err)
		}
		texts[lang] = string(b)
	}
	codes := regexp.MustCompile(`"([a-z_.]+)"`).FindAllStringSubmatch(string(out), -1)
	if len(codes) == 0 {
		t.Fatal("no refusals found")
	}
	for _, c := range codes {
		for lang, all := range texts {
			if !strings.Contains(all, `"fault.`+c[1]+`"`) {
				t.Errorf("%s has no text for fault.%s", lang, c[1])
			}
		}
	}
}
