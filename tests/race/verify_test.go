package race_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"jishi/kit/database/dbtest"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// What is merely being written is no violation: while buyers buy, receive, and have
// orders paid back, all that `jishi verify` checks holds each time it is asked.
func TestVerifyBesideBuyers(t *testing.T) {
	checks := 3
	if dbtest.Long() {
		checks = 100
	}
	for name, c := range map[string]harness.Config{"sqlite": {}, "three replicas on mariadb": {MariaDB: true, Replicas: 3}} {
		t.Run(name, func(t *testing.T) {
			m := harness.Start(t, c)
			seller := m.Register(t, "13800138000", "seller")
			product := seller.Offer(t, "teapot", "1", 1_000_000)
			crowd := m.Crowd(t, 4, "10000")
			var over atomic.Bool
			var bought [4]atomic.Int64
			var buyers sync.WaitGroup
			for i, p := range crowd {
				there := p.At(m.Shops[i%len(m.Shops)]).Shop
				buyers.Go(func() {
					for !over.Load() {
						if err := buys(t.Context(), there, seller.Shop, product.ID); err != nil {
							t.Errorf("buyer %d: %v", i, err)
							return
						}
						bought[i].Add(1)
					}
				})
			}
			for range checks {
				if out, err := m.Command("verify", "--chain").CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
			over.Store(true)
			buyers.Wait()
			for i := range bought {
				if bought[i].Load() == 0 {
					t.Errorf("buyer %d had nothing meanwhile", i)
				}
			}
		})
	}
}

// buys has one piece sent and receives it, and another one paid back.
func buys(ctx context.Context, buyer, seller *shopclient.Client, product string) error {
	sent, err := piece(ctx, buyer, product)
	if err != nil {
		return err
	}
	if _, err := seller.Ship(ctx, sent, shopclient.Shipping{Carrier: "SF", Tracking: "1"}); err != nil {
		return err
	}
	if _, err := buyer.Receive(ctx, sent); err != nil {
		return err
	}
	given, err := piece(ctx, buyer, product)
	if err == nil {
		_, err = seller.GiveBack(ctx, given, "Sold out after all.")
	}
	return err
}

// piece orders one and gives its shipment.
func piece(ctx context.Context, buyer *shopclient.Client, product string) (string, error) {
	o, err := buyer.PlaceOrder(ctx, shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product, Quantity: 1}}}, "")
	if err == nil && len(o.Shipments) == 0 {
		o, err = buyer.Order(ctx, o.ID)
	}
	if err == nil && len(o.Shipments) != 1 {
		err = fmt.Errorf("order %s is %s and has %d shipments", o.ID, o.State, len(o.Shipments))
	}
	if err != nil {
		return "", err
	}
	return o.Shipments[0].ID, nil
}
