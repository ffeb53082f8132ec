// Package race_test lets many buyers do things at the same moment, over the REST API and
// through the pages, and counts what came of it. Every market is verified afterwards.
package race_test

import (
	"testing"

	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// each runs f on a market with each kind of database, and with these settings.
func each(t *testing.T, f func(t *testing.T, m *harness.Market), flags ...string) {
	for name, c := range map[string]harness.Config{"sqlite": {}, "mariadb": {MariaDB: true}} {
		c.Flags = flags
		t.Run(name, func(t *testing.T) { f(t, harness.Start(t, c)) })
	}
}

// sales are all that a seller has sold.
func sales(t *testing.T, seller *harness.Person) []shopclient.Order {
	t.Helper()
	var all []shopclient.Order
	for page := (shopclient.Page{Limit: 100}); ; {
		list, err := seller.Shop.Sales(t.Context(), page)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return all
		}
	}
}
