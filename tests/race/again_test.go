package race_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/fault"
	"jishi/kit/racetest"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// times is how often the same thing is sent at once.
const times = 50

// The form that buys a product, sent 50 times at once with its one-time token, buys once
// and leads every sender to the same order.
func TestOneFormBuysOnce(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "12.50", 100)
		buyer := m.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000")
		visitor := harness.NewVisitor(t)
		visitor.LogIn(t, m, "buyer@example.com")

		form := visitor.Get(t, m.Shop+site.ProductsPath).Form(t, site.Buy(product.ID))
		form.Fields.Set("quantity", "2")
		sendAtOnce(t, visitor, form)
		bought(t, buyer, "975.00")
	})
}

// The same for the form that buys what is in the cart.
func TestOneCheckoutBuysOnce(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "12.50", 100)
		buyer := m.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000")
		if _, err := buyer.Shop.SetCartItem(t.Context(), product.ID, 2); err != nil {
			t.Fatal(err)
		}
		visitor := harness.NewVisitor(t)
		visitor.LogIn(t, m, "buyer@example.com")

		form := visitor.Get(t, m.Shop+site.CartPath).Form(t, site.CheckoutForm)
		sendAtOnce(t, visitor, form)
		bought(t, buyer, "975.00")
	})
}

// sendAtOnce finds that a form, however often it is sent, leads to one order.
func sendAtOnce(t *testing.T, v *harness.Visitor, form harness.Form) {
	t.Helper()
	pages, errs := make([]*harness.Page, times), make([]error, times)
	racetest.Together(times, func(i int) { pages[i], errs[i] = v.Try(t.Context(), form) })
	order := site.OrderPath
	for i, p := range pages {
		if errs[i] != nil {
			t.Errorf("sender %d: %v", i, errs[i])
			continue
		}
		if p.Status != http.StatusOK || !strings.HasPrefix(p.URL.Path, order) {
			t.Errorf("sender %d came to %d %s, want %s", i, p.Status, p.URL, order)
			continue
		}
		order = p.URL.Path // the others come to the first one's
	}
}

// bought finds one paid order of the buyer, and so much money left.
func bought(t *testing.T, buyer *harness.Person, left string) {
	t.Helper()
	orders := buyer.Orders(t)
	if len(orders) != 1 || orders[0].State != shopclient.Paid {
		t.Errorf("orders are %+v, want one that is paid", orders)
	}
	if got := buyer.Money(t).String(); got != left {
		t.Errorf("the buyer has %s left, want %s", got, left)
	}
}

// A program that sends an order 50 times at once with the same Idempotency-Key gets the
// same answer 50 times; with the same key another order is refused.
func TestOneKeyBuysOnce(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "12.50", 100)
		buyer := m.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000")

		in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 2}}}
		orders, errs := make([]shopclient.Order, times), make([]error, times)
		racetest.Together(times, func(i int) { orders[i], errs[i] = buyer.Shop.PlaceOrder(t.Context(), in, "my-key-1") })
		for i, o := range orders {
			if errs[i] != nil || o.ID == "" {
				t.Errorf("call %d: got order %q, %v", i, o.ID, errs[i])
			}
			if diff := cmp.Diff(orders[0], o); diff != "" {
				t.Errorf("call %d got another answer than call 0:\n%s", i, diff)
			}
		}
		bought(t, buyer, "975.00")

		in.Items[0].Quantity = 3
		_, err := buyer.Shop.PlaceOrder(t.Context(), in, "my-key-1")
		if f := fault.Of(err); err == nil || f.Kind != fault.Invalid || f.Code != "idempotency.mismatch" {
			t.Errorf("another order with the same key: got %v, want idempotency.mismatch", err)
		}
		bought(t, buyer, "975.00")
	})
}

// A program that tops up 50 times at once with the same Idempotency-Key has the money
// once, and 50 times the same top-up.
func TestOneKeyTopsUpOnce(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		buyer := m.Register(t, "buyer@example.com", "buyer")
		wallet := buyer.OpenWallet(t, "1")

		in := payclient.NewTopUp{Wallet: wallet.ID, Amount: "10"}
		topUps, errs := make([]payclient.TopUp, times), make([]error, times)
		racetest.Together(times, func(i int) { topUps[i], errs[i] = buyer.Pay.CreateTopUp(t.Context(), in, "my-key-1") })
		for i, u := range topUps {
			if errs[i] != nil || u != topUps[0] || u.State != payclient.Succeeded {
				t.Errorf("call %d: got %+v, %v; want %+v", i, u, errs[i], topUps[0])
			}
		}
		in.Amount = "11"
		_, err := buyer.Pay.CreateTopUp(t.Context(), in, "my-key-1")
		if f := fault.Of(err); err == nil || f.Code != "idempotency.mismatch" {
			t.Errorf("another amount with the same key: got %v, want idempotency.mismatch", err)
		}
		if got := buyer.Money(t).String(); got != "11.00" {
			t.Errorf("there is %s in the wallet, want 11.00", got)
		}
	})
}
