package outage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// answer is a status, a body and its headers.
type answer struct {
	status int
	body   string
	header http.Header
}

func get(t *testing.T, address string) answer {
	t.Helper()
	res, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, string(b), res.Header}
}

// refuses finds that a page and a call say that the market is away: when to come back, in
// the frame of all pages or as a problem that blames no field.
func refuses(t *testing.T, m *harness.Market) {
	t.Helper()
	page := get(t, m.Shop+site.ProductsPath)
	if page.status != http.StatusServiceUnavailable || page.header.Get("Retry-After") == "" || !strings.Contains(page.body, "</main>") {
		t.Errorf("page: got %d, Retry-After %q\n%.300s", page.status, page.header.Get("Retry-After"), page.body)
	}
	call := get(t, m.Shop+"/api/v1/products")
	var problem map[string]any
	if err := json.Unmarshal([]byte(call.body), &problem); err != nil || call.status != http.StatusServiceUnavailable || call.header.Get("Retry-After") == "" {
		t.Errorf("call: got %d, Retry-After %q, %v\n%.300s", call.status, call.header.Get("Retry-After"), err, call.body)
	}
	if problem["code"] != "database.unavailable" || problem["field"] != nil || strings.Contains(call.body, "127.0.0.1") {
		t.Errorf("problem: got %v", problem)
	}
}

// readiness finds what the operator's address says.
func readiness(t *testing.T, ops string, status int) {
	t.Helper()
	if a := get(t, "http://"+ops+"/healthz"); a.status != http.StatusOK {
		t.Errorf("healthz: got %d, want 200", a.status)
	}
	if a := get(t, "http://"+ops+"/readyz"); a.status != status {
		t.Errorf("readyz: got %d %s, want %d", a.status, a.body, status)
	}
}

// databases are new ones of a server's, by module.
func databases(t *testing.T, server *dbtest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"auth", "pay", "shop"} {
		all[name] = server.Database(t, name)
	}
	return all
}

// A market whose database is away when it starts says so, and opens when it is there; so it
// does when the database goes away later.
func TestTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	server := harness.NewServer(t)
	empty := databases(t, server)
	server.Kill(t)
	ops := harness.FreeAddress(t)
	m := harness.Start(t, harness.Config{Databases: empty, Flags: []string{"--ops-listen", ops}})
	harness.Eventually(t, patience, func() error {
		if a := get(t, m.Shop+site.ProductsPath); a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("got %d", a.status)
		}
		return nil
	})
	refuses(t, m)
	readiness(t, ops, http.StatusServiceUnavailable)
	if out, err := m.Command("migrate").CombinedOutput(); err == nil || !strings.Contains(string(out), "auth: open database") {
		t.Errorf("migrate: got %v, want an error that says which database\n%s", err, out)
	}

	server.Start(t)
	harness.Eventually(t, patience, func() error {
		if a := get(t, "http://"+ops+"/readyz"); a.status != http.StatusOK {
			return errors.New(a.body)
		}
		return nil
	})
	seller := m.Register(t, "13800138000", "seller")
	product := seller.Offer(t, "teapot", price, 10)
	server.Kill(t)
	refuses(t, m)
	readiness(t, ops, http.StatusServiceUnavailable)
	server.Start(t)
	readiness(t, ops, http.StatusOK)
	if _, err := seller.Shop.Product(t.Context(), product.ID); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}
