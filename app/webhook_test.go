package app

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"jishi/conf"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/shopclient"
)

// serving is a market's modules, each in a process of its own or all in one, as far as
// they answer: none of their jobs run.
func serving(t *testing.T, split bool) map[string]*Market {
	t.Helper()
	c := &conf.Config{BaseURL: "http://localhost:8080", Data: t.TempDir(), Currency: money.CNY, Sandbox: true, OrderDeadline: time.Hour, PhoneRegion: "CN"}
	processes := [][]string{conf.Modules}
	markets := map[string]*Market{}
	if split {
		processes = nil
		for name, module := range map[string]*conf.Module{"auth": &c.Auth, "pay": &c.Pay, "shop": &c.Shop} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { markets[name].Handler.ServeHTTP(w, r) }))
			t.Cleanup(server.Close)
			module.URL = server.URL
			processes = append(processes, []string{name})
		}
	}
	for _, modules := range processes {
		m, err := Open(t.Context(), c, modules, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, name := range modules {
			markets[name] = m
		}
	}
	return markets
}

// beside is a market of the same rules, whose calls go where m's go.
func (m *Market) beside(t *testing.T) *Market {
	b := newMarket(m.conf, m.here, m.log)
	b.secrets, b.Handler = m.secrets, m.Handler
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// An order that is paid at pay itself is paid at once: pay tells the shop, which asks back. Nothing
// else does here, since neither the shop's jobs nor the buyer's browser are about.
func TestTheShopHearsWhatIsPaidAtPay(t *testing.T) {
	for name, split := range map[string]bool{"in one process": false, "in three": true} {
		t.Run(name, func(t *testing.T) {
			markets := serving(t, split)
			ctx := t.Context()
			p, _, err := markets["pay"].beside(t).payService(ctx)
			if err != nil {
				t.Fatal(err)
			}
			there := markets["shop"].beside(t)
			db, err := there.openShop(ctx)
			if err != nil {
				t.Fatal(err)
			}
			s := there.shopOver(db, shop.Config{Jobs: job.New(db, time.Now), Payer: &teller{pay: p}})
			product, err := s.AddProduct(ctx, shop.Person{ID: "usr_seller", Name: "seller"}, shop.NewProduct{Title: "teapot", Price: "12.00", Stock: 10}, "")
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.PlaceOrder(ctx, shop.Person{ID: buyer, Name: "buyer"}, shop.NewOrder{Items: []shop.Item{{Product: product.ID, Quantity: 1}}}, "")
			if !errors.Is(err, shopclient.ErrUnpaid) {
				t.Fatal(err)
			}
			if _, err := p.OpenWallet(ctx, buyer, pay.NewWallet{TopUp: 10000}, ""); err != nil {
				t.Fatal(err)
			}
			payment, err := p.PaymentOf(ctx, pay.Caller{Merchant: "shop"}, string(o.ID))
			if err != nil {
				t.Fatal(err)
			}
			if payment, err = p.Pay(ctx, buyer, payment.ID, ""); err != nil || payment.State != payclient.Captured {
				t.Fatalf("%s, %v", payment.State, err)
			}
			if err := p.CatchUp(ctx, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			if o, err = s.Order(ctx, buyer, o.ID); err != nil || o.State != shop.Paid {
				t.Errorf("the order is %s, %v; want %s", o.State, err, shop.Paid)
			}
		})
	}
}
