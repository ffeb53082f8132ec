package race_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// A flash sale over three replicas on one MariaDB: 300 buyers ask for one of 30 pieces
// (20,000 for one of 1,000 in the long form). As many pay as there are pieces, all others
// are told that it is sold out, nothing is left, and the market adds up. What the driver of the
// sale says of it, the market says as well.
func TestFlashSale(t *testing.T) {
	buyers, pieces, clients := 300, 30, 100
	if dbtest.Long() {
		buyers, pieces, clients = 20000, 1000, 1000
	}
	m := harness.Start(t, harness.Config{Replicas: 3, MariaDB: true, Flags: []string{"--log-level", "warn"}})
	args := []string{"--once", "--verify", "--buyers", fmt.Sprint(buyers), "--stock", fmt.Sprint(pieces), "--clients", fmt.Sprint(clients)}
	for _, shop := range m.Shops {
		args = append(args, "--target", shop)
	}
	var out, report bytes.Buffer
	cmd := m.Command("load", args...)
	cmd.Stdout, cmd.Stderr = &out, &report
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &report)
	}
	t.Logf("%s%s", &out, &report)
	var got struct {
		Orders struct {
			Paid    int
			SoldOut int `json:"sold_out"`
		}
		Stock struct{ After int }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if o := got.Orders; o.Paid != pieces || o.SoldOut != buyers-pieces || got.Stock.After != 0 {
		t.Errorf("%d paid, %d were told that it is sold out, %d pieces are left; want %d, %d and 0", o.Paid, o.SoldOut, got.Stock.After, pieces, buyers-pieces)
	}
	seller := m.LogIn(t, "load-seller@example.com")
	products, err := seller.Shop.OwnProducts(t.Context(), shopclient.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(products.Items); n != 1 || products.Items[0].Stock != 0 {
		t.Errorf("the seller has %d products, %+v; want one that is sold out", n, products.Items)
	}
	sold, buyer := sales(t, seller), map[string]bool{}
	for _, o := range sold {
		buyer[o.Buyer.ID] = true
		if o.State != shopclient.Paid || len(o.Items) != 1 || o.Items[0].Quantity != 1 {
			t.Errorf("order %s is %s and has %+v, want a piece that is paid", o.ID, o.State, o.Items)
		}
	}
	if len(sold) != pieces || len(buyer) != pieces {
		t.Errorf("the seller sees %d sales to %d buyers, want %d to as many", len(sold), len(buyer), pieces)
	}
}
