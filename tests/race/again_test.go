package race_test

import (
	"errors"
	"net/http"
	"testing"

	"jishi/kit/fault"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// times is how often the same thing is sent at once.
const times = 20

// The form that buys a product, sent 20 times at once with its one-time token, buys once
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
	together(times, func(i int) { pages[i], errs[i] = v.Try(t.Context(), form) })
	for i, p := range pages {
		switch {
		case errs[i] != nil:
			t.Errorf("sender %d: %v", i, errs[i])
		case p.Status != http.StatusOK || p.URL.Path != pages[0].URL.Path || p.URL.Path == site.OrdersPath:
			t.Errorf("sender %d came to %d %s, sender 0 to %s; want the same order", i, p.Status, p.URL, pages[0].URL)
		}
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

// A program that sends an order 20 times at once with the same Idempotency-Key gets the
// same order 20 times; with the same key another order is refused.
func TestOneKeyBuysOnce(t *testing.T) {
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "12.50", 100)
		buyer := m.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000")

		in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 2}}}
		orders, errs := make([]shopclient.Order, times), make([]error, times)
		together(times, func(i int) { orders[i], errs[i] = buyer.Shop.PlaceOrder(t.Context(), in, "my-key-1") })
		for i, o := range orders {
			if errs[i] != nil || o.ID != orders[0].ID || o.ID == "" {
				t.Errorf("call %d: got order %q, %v; want %q", i, o.ID, errs[i], orders[0].ID)
			}
		}
		bought(t, buyer, "975.00")

		in.Items[0].Quantity = 3
		_, err := buyer.Shop.PlaceOrder(t.Context(), in, "my-key-1")
		if f := fault.Of(err); err == nil || !errors.Is(err, fault.New(fault.Invalid, "idempotency.mismatch", "")) {
			t.Errorf("another order with the same key: got %v, want idempotency.mismatch", f)
		}
		bought(t, buyer, "975.00")
	})
}
