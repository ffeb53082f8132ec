// Package jishi_test keeps the rules of the whole house.
package jishi_test

import (
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

// doors says who may use a library: each has one door, so that it can be replaced
// and its pitfalls are met in one place.
var doors = []struct{ library, users string }{
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
