package race_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

// The attacks of "ACIDRain: Concurrency-Related Attacks on Database-Backed Web
// Applications" (Warszawski and Bailis, SIGMOD 2017) and their kin, over HTTP. They broke
// most of the shops that were looked at there. Each comes in rounds, against one process on
// SQLite and against three replicas on one MariaDB.

// attack is a market under attack.
type attack struct {
	market *harness.Market
	seller *harness.Person
	rounds int
}

func attacks(t *testing.T, f func(t *testing.T, a *attack)) {
	rounds := 20
	if dbtest.Long() {
		rounds = 1000
	}
	for name, c := range map[string]harness.Config{"sqlite": {}, "three replicas on mariadb": {Replicas: 3, MariaDB: true}} {
		t.Run(name, func(t *testing.T) {
			c.Flags = []string{"--log-level", "warn"}
			m := harness.Start(t, c)
			f(t, &attack{m, m.Register(t, "13800138000", "seller"), rounds})
		})
	}
}

// devices are a person's n devices, each of which talks to a replica of its own as far as
// there are any.
func (a *attack) devices(p *harness.Person, n int) []*harness.Person {
	all := make([]*harness.Person, n)
	for i := range all {
		all[i] = p.At(a.market.Shops[i%len(a.market.Shops)])
	}
	return all
}

// one is an order of a piece.
func one(product shopclient.Product) shopclient.NewOrder {
	return shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 1}}}
}

// stock is how many pieces of a product there are.
func (a *attack) stock(t *testing.T, product shopclient.Product) int64 {
	t.Helper()
	p, err := a.seller.Shop.Product(t.Context(), product.ID)
	if err != nil {
		t.Fatal(err)
	}
	return p.Stock
}

// Eight buyers want the last piece: one gets it.
func TestTheLastPieceIsSoldOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		const buyers = 8
		product := a.seller.Offer(t, "teapot", "1", 0)
		crowd := a.market.Crowd(t, buyers, fmt.Sprint(a.rounds))
		for i, p := range crowd {
			crowd[i] = p.At(a.market.Shops[i%len(a.market.Shops)])
		}
		last := int64(1)
		for round := range a.rounds {
			if _, err := a.seller.Shop.ChangeProduct(t.Context(), product.ID, 0, shopclient.ProductChange{Stock: &last}, ""); err != nil {
				t.Fatal(err)
			}
			errs := make([]error, buyers)
			together(buyers, func(i int) { _, errs[i] = crowd[i].Shop.PlaceOrder(t.Context(), one(product), "") })
			got := 0
			for _, err := range errs {
				switch {
				case err == nil:
					got++
				case !errors.Is(err, shopclient.ErrSoldOut):
					t.Errorf("round %d: %v", round, err)
				}
			}
			if left := a.stock(t, product); got != 1 || left != 0 {
				t.Fatalf("round %d: %d buyers got the last piece, %d are left; want 1 and 0", round, got, left)
			}
		}
	})
}

// Who puts more into the cart while it is being checked out pays for all that is ordered:
// what is in the order is what was paid and what went out of stock.
func TestACartThatChangesAtCheckoutIsPaidAsItIsOrdered(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		cheap, dear := a.seller.Offer(t, "button", "1", 1_000_000), a.seller.Offer(t, "teapot", "100", 1_000_000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000000")
		devices := a.devices(buyer, 3)
		for round := range a.rounds {
			money, cheaps, dears := buyer.Money(t), a.stock(t, cheap), a.stock(t, dear)
			for product, quantity := range map[string]int64{cheap.ID: 1, dear.ID: 1} {
				if _, err := buyer.Shop.SetCartItem(t.Context(), product, quantity); err != nil {
					t.Fatal(err)
				}
			}
			var order shopclient.Order
			errs := make([]error, 3)
			together(3, func(i int) {
				switch i {
				case 0:
					order, errs[i] = devices[i].Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Cart: true}, "")
				case 1:
					_, errs[i] = devices[i].Shop.SetCartItem(t.Context(), cheap.ID, 50)
				case 2:
					_, errs[i] = devices[i].Shop.SetCartItem(t.Context(), dear.ID, 5)
				}
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			pieces, total := map[string]int64{}, int64(0)
			for _, item := range order.Items {
				pieces[item.Product] = item.Quantity
				total += item.Price.Minor * item.Quantity
			}
			spent := money.Minor - buyer.Money(t).Minor
			if order.State != shopclient.Paid || order.Total.Minor != total || spent != total {
				t.Fatalf("round %d: order %s is %s and says %s; its items cost %d, %d was spent", round, order.ID, order.State, order.Total, total, spent)
			}
			if n := cheaps - a.stock(t, cheap); n != pieces[cheap.ID] {
				t.Fatalf("round %d: %d buttons went, ordered were %d", round, n, pieces[cheap.ID])
			}
			if n := dears - a.stock(t, dear); n != pieces[dear.ID] {
				t.Fatalf("round %d: %d teapots went, ordered were %d", round, n, pieces[dear.ID])
			}
		}
	})
}

// Who pays an order while calling it off has either the order or the money.
func TestPayAndCancelAtOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		product := a.seller.Offer(t, "teapot", "1", 1_000_000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		wallet := buyer.OpenWallet(t, "")
		devices := a.devices(buyer, 2)
		ends := map[string]int{}
		for round := range a.rounds {
			stock := a.stock(t, product)
			_, err := buyer.Shop.PlaceOrder(t.Context(), one(product), "")
			if !errors.Is(err, shopclient.ErrUnpaid) {
				t.Fatalf("round %d: got %v, want %v", round, err, shopclient.ErrUnpaid)
			}
			id := fault.Of(err).Extra["order"].(string)
			topUp(t, buyer, wallet.ID, "1")
			together(2, func(i int) {
				if i == 0 {
					_, _ = devices[i].Shop.Pay(t.Context(), id, "")
				} else {
					_, _ = devices[i].Shop.Cancel(t.Context(), id)
				}
			})
			order, err := buyer.Shop.Order(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			left, sold := buyer.Money(t).Minor, stock-a.stock(t, product)
			switch {
			case order.State == shopclient.Paid && left == 0 && sold == 1:
				topUp(t, buyer, wallet.ID, "1") // so that each round ends with it
			case order.State == shopclient.Canceled && left == 100 && sold == 0:
			default:
				t.Fatalf("round %d: the order is %s, %d are left in the wallet, %d pieces went", round, order.State, left, sold)
			}
			ends[order.State]++
			if _, err := buyer.Shop.PlaceOrder(t.Context(), one(product), ""); err != nil { // empties the wallet
				t.Fatal(err)
			}
		}
		t.Logf("ends: %v", ends)
	})
}

func topUp(t *testing.T, p *harness.Person, wallet, amount string) {
	t.Helper()
	if _, err := p.Pay.CreateTopUp(t.Context(), payclient.NewTopUp{Wallet: wallet, Amount: amount}, ""); err != nil {
		t.Fatal(err)
	}
}

// Money for one order, spent from eight devices at once, pays one.
func TestMoneyIsSpentOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		const n = 8
		products := make([]shopclient.Product, n)
		for i := range products {
			products[i] = a.seller.Offer(t, fmt.Sprint("teapot ", i), "1", 1_000_000)
		}
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		wallet := buyer.OpenWallet(t, "")
		devices := a.devices(buyer, n)
		for round := range a.rounds {
			topUp(t, buyer, wallet.ID, "1")
			errs := make([]error, n)
			together(n, func(i int) { _, errs[i] = devices[i].Shop.PlaceOrder(t.Context(), one(products[i]), "") })
			paid := 0
			for _, err := range errs {
				switch {
				case err == nil:
					paid++
				case errors.Is(err, shopclient.ErrUnpaid):
					id := fault.Of(err).Extra["order"].(string)
					if _, err := buyer.Shop.Cancel(t.Context(), id); err != nil {
						t.Fatalf("round %d: cancel %s: %v", round, id, err)
					}
				default:
					t.Errorf("round %d: %v", round, err)
				}
			}
			if left := buyer.Money(t); paid != 1 || left.Minor != 0 {
				t.Fatalf("round %d: %d orders were paid, %s is left; want 1 and nothing", round, paid, left)
			}
		}
	})
}

// An order that is sent 100 times with one key has one effect and 100 equal answers, from
// whichever replica, and the same ones after all of them were killed. There are 10 such keys,
// 1,000 in the long form.
func TestAKeyCountsOnceAcrossReplicasAndRestarts(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		const sends = 100
		keys := a.rounds / 2
		if dbtest.Long() {
			keys = 1000
		}
		product := a.seller.Offer(t, "teapot", "1", int64(keys)+1000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, fmt.Sprint(2*keys))
		devices := a.devices(buyer, sends)
		orders := make([]shopclient.Order, keys)
		for k := range orders {
			var mu sync.Mutex
			together(sends, func(i int) {
				got, err := devices[i].Shop.PlaceOrder(t.Context(), one(product), fmt.Sprint("key ", k))
				mu.Lock()
				defer mu.Unlock()
				if orders[k].ID == "" {
					orders[k] = got
				}
				if diff := cmp.Diff(orders[k], got); err != nil || diff != "" {
					t.Errorf("key %d: %v\n%s", k, err, diff)
				}
			})
		}
		a.market.Crash(t)
		for k, want := range orders {
			together(len(a.market.Shops), func(i int) {
				got, err := devices[i].Shop.PlaceOrder(t.Context(), one(product), fmt.Sprint("key ", k))
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("key %d after a restart, replica %d: %v\n%s", k, i, err, diff)
				}
			})
		}
		if left, want := a.stock(t, product), int64(1000); left != want {
			t.Errorf("%d pieces are left, want %d", left, want)
		}
		if left, want := buyer.Money(t), (money.Amount{Minor: int64(keys) * 100, Currency: money.CNY}); left != want {
			t.Errorf("%s is left, want %s", left, want)
		}
	})
}

// A buyer asks for the money of an order from several devices, and the seller grants every
// request and gives the money back unasked from others, all at once and each over and over:
// it comes back once.
func TestARefundIsPaidOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		product := a.seller.Offer(t, "teapot", "1", 1_000_000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1")
		const n = 4
		buyers, sellers := a.devices(buyer, n), a.devices(a.seller, 2*n)
		for round := range a.rounds {
			order, err := buyer.Shop.PlaceOrder(t.Context(), one(product), "")
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			shipment := a.read(t, buyer, order.ID).Shipments[0].ID
			together(3*n, func(i int) {
				switch kind, k := i%3, i/3; kind {
				case 0:
					_, _ = buyers[k].Shop.AskRefund(t.Context(), shipment, shopclient.NewRefund{Reason: "broken"}, fmt.Sprint(order.ID, k/2))
				case 1:
					for _, r := range a.read(t, sellers[k], order.ID).Shipments[0].Refunds {
						_, _ = sellers[k].Shop.Grant(t.Context(), r.ID)
					}
				case 2:
					_, _ = sellers[n+k].Shop.GiveBack(t.Context(), shipment, "sold out")
				}
			})
			// Whatever was asked last is granted, and so is what comes twice.
			for _, r := range a.read(t, buyer, order.ID).Shipments[0].Refunds {
				_, _ = a.seller.Shop.Grant(t.Context(), r.ID)
			}
			_, _ = a.seller.Shop.GiveBack(t.Context(), shipment, "sold out")
			harness.Eventually(t, time.Minute, func() error {
				granted := 0
				for _, r := range a.read(t, buyer, order.ID).Shipments[0].Refunds {
					if r.State != shopclient.Granted {
						continue
					}
					if granted++; r.PaidAt == nil {
						return fmt.Errorf("refund %s is not paid", r.ID)
					}
				}
				if granted != 1 {
					return fmt.Errorf("%d refunds are granted, want 1", granted)
				}
				return nil
			})
			if money, left := buyer.Money(t), a.stock(t, product); money.Minor != 100 || left != 1_000_000 {
				t.Fatalf("round %d: the buyer has %s, %d pieces are on sale; want 1.00 and all", round, money, left)
			}
		}
		if money := a.seller.Money(t); money.Minor != 0 {
			t.Errorf("the seller has %s", money)
		}
	})
}

// read is an order as somebody sees it.
func (a *attack) read(t *testing.T, who *harness.Person, order string) shopclient.Order {
	t.Helper()
	o, err := who.Shop.Order(t.Context(), order)
	if err != nil {
		t.Error(err)
		return shopclient.Order{Shipments: make([]shopclient.Shipment, 1)}
	}
	return o
}
