package race_test

import (
	"errors"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/kit/racetest"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// 300 buyers want one of 50 pieces at once (100 one of 20 in the short form): as many as
// there are pieces get one and pay for it, the others are told that it is sold out and keep
// their money.
func TestSoldOutInARush(t *testing.T) {
	buyers, pieces := 100, 20
	if dbtest.Long() {
		buyers, pieces = 300, 50
	}
	each(t, func(t *testing.T, m *harness.Market) {
		seller := m.Register(t, "13800138000", "seller")
		product := seller.Offer(t, "teapot", "12.50", int64(pieces))
		crowd := m.Crowd(t, buyers, "20")

		orders, errs := make([]shopclient.Order, buyers), make([]error, buyers)
		racetest.Together(buyers, func(i int) {
			in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 1}}}
			orders[i], errs[i] = crowd[i].Shop.PlaceOrder(t.Context(), in, "")
		})

		paid := 0
		for i, err := range errs {
			left := "20.00"
			switch {
			case err == nil && orders[i].State == shopclient.Paid:
				paid++
				left = "7.50"
			case err == nil:
				t.Errorf("buyer %d: order %s is %s, want paid", i, orders[i].ID, orders[i].State)
			case !errors.Is(err, shopclient.ErrSoldOut):
				t.Errorf("buyer %d: got %v, want an order or %v", i, err, shopclient.ErrSoldOut)
			}
			if got := crowd[i].Money(t).String(); got != left {
				t.Errorf("buyer %d has %s left, want %s", i, got, left)
			}
		}
		t.Logf("%d buyers, %d pieces: %d paid, %d sold out", buyers, pieces, paid, buyers-paid)
		if paid != pieces {
			t.Errorf("%d orders were paid, want %d", paid, pieces)
		}
		left, err := seller.Shop.Product(t.Context(), product.ID)
		if err != nil {
			t.Fatal(err)
		}
		if left.Stock != 0 {
			t.Errorf("%d pieces are left, want 0", left.Stock)
		}
		if n := len(sales(t, seller)); n != pieces {
			t.Errorf("the seller sees %d sales, want %d", n, pieces)
		}
	})
}
