package race_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// A buyer who goes away in the middle of a purchase, whenever that is, leaves nothing half
// done: an order is paid exactly when its money was taken.
func TestABuyerLeaves(t *testing.T) {
	const (
		purchases = 30
		settled   = 60 * time.Second // until everything must be at its end: what pay was never asked for is called off in half of it
		quiet     = 2 * time.Second  // for which nothing may change any more
	)
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "1", 1000)
		buyer := m.Register(t, "buyer@example.com", "buyer")
		wallet := buyer.OpenWallet(t, "1000")
		in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 1}}}

		began := time.Now()
		if _, err := buyer.Shop.PlaceOrder(t.Context(), in, ""); err != nil {
			t.Fatal(err)
		}
		patience := time.Since(began)
		gone := 0
		for range purchases {
			ctx, leave := context.WithCancel(t.Context())
			timer := time.AfterFunc(rand.N(patience), leave)
			_, err := buyer.Shop.PlaceOrder(ctx, in, "")
			timer.Stop()
			leave()
			// About two of three are left, however long a purchase takes.
			switch {
			case err == nil:
				patience = patience * 5 / 6
			case errors.Is(err, context.Canceled):
				gone++
				patience = patience * 11 / 10
			default:
				t.Errorf("a purchase: %v", err)
			}
		}
		if gone == 0 || gone == purchases {
			t.Errorf("of %d purchases %d were left", purchases, gone)
		}

		var before string
		since := time.Now()
		harness.Eventually(t, settled, func() error {
			state, err := agree(t, buyer, wallet.ID)
			if now := fmt.Sprint(state, err); now != before {
				before, since = now, time.Now()
			}
			if err == nil && time.Since(since) < quiet {
				err = fmt.Errorf("it is still changing: %v", state)
			}
			return err
		})
		t.Logf("of %d purchases %d were left; the orders are %s", purchases, gone, before)
		comeBack(t, buyer)
		if state, err := agree(t, buyer, wallet.ID); err != nil || state[shopclient.Pending] > 0 {
			t.Errorf("when the buyer has come back: %v, %v; want no pending orders", state, err)
		}
	}, "--open-orders", "0") // else the shop soon refuses a buyer who leaves orders open
}

// comeBack finds that every order that was left before it was paid can be paid, or called
// off.
func comeBack(t *testing.T, buyer *harness.Person) {
	t.Helper()
	ends := []struct {
		state string
		call  func(id string) (shopclient.Order, error)
	}{
		{shopclient.Paid, func(id string) (shopclient.Order, error) { return buyer.Shop.Pay(t.Context(), id, "") }},
		{shopclient.Canceled, func(id string) (shopclient.Order, error) { return buyer.Shop.Cancel(t.Context(), id) }},
	}
	left := 0
	for _, o := range buyer.Orders(t) {
		if o.State != shopclient.Pending {
			continue
		}
		end := ends[left%len(ends)]
		left++
		// After a while the market itself calls off what pay was never asked for.
		if got, err := end.call(o.ID); err != nil || (got.State != end.state && got.State != shopclient.Canceled) {
			t.Errorf("order %s: got %s, %v; want %s", o.ID, got.State, err, end.state)
		}
	}
}

// agree compares what the shop calls paid with what was taken from the wallet. It gives
// how many orders are in which state.
func agree(t *testing.T, buyer *harness.Person, wallet string) (map[string]int, error) {
	t.Helper()
	states, paid := map[string]int{}, []string{}
	for _, o := range buyer.Orders(t) {
		states[o.State]++
		if o.State == shopclient.Paid {
			paid = append(paid, o.ID)
		}
	}
	entries, err := buyer.Pay.Entries(t.Context(), wallet, payclient.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	taken := []string{}
	for _, e := range entries.Items {
		if e.Order != "" {
			taken = append(taken, e.Order)
		}
	}
	slices.Sort(paid)
	slices.Sort(taken)
	if !slices.Equal(paid, taken) {
		return states, fmt.Errorf("paid orders are %v, but money was taken for %v", paid, taken)
	}
	return states, nil
}
