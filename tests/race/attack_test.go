package race_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/racetest"
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

// tally is how often something came of the rounds.
type tally map[string]int

// all finds in the long form that each of these did: an attack that always ends in the same way
// meets nobody. The few rounds of the short form can't tell.
func (n tally) all(t *testing.T, ends ...string) {
	t.Helper()
	t.Logf("%v", map[string]int(n))
	for _, end := range ends {
		if dbtest.Long() && n[end] == 0 {
			t.Errorf("it never came to this: %s", end)
		}
	}
}

// numbered are names of the first n of something, to count them by.
func numbered(what string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(what, " ", i)
	}
	return all
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
		last, names, won := int64(1), numbered("buyer", buyers), tally{}
		for round := range a.rounds {
			if _, err := a.seller.Shop.ChangeProduct(t.Context(), product.ID, 0, shopclient.ProductChange{Stock: &last}, ""); err != nil {
				t.Fatal(err)
			}
			orders, errs := make([]shopclient.Order, buyers), make([]error, buyers)
			racetest.Together(buyers, func(i int) { orders[i], errs[i] = crowd[i].Shop.PlaceOrder(t.Context(), one(product), "") })
			got := 0
			for i, err := range errs {
				switch {
				case err == nil && orders[i].State == shopclient.Paid:
					got++
					won[names[i]]++
				case !errors.Is(err, shopclient.ErrSoldOut):
					t.Errorf("round %d: order %q is %q, %v; want one that is paid, or %v", round, orders[i].ID, orders[i].State, err, shopclient.ErrSoldOut)
				}
			}
			if left := a.stock(t, product); got != 1 || left != 0 {
				t.Fatalf("round %d: %d buyers got the last piece, %d are left; want 1 and 0", round, got, left)
			}
		}
		for i, p := range crowd {
			if left, want := p.Money(t).Minor, int64(a.rounds-won[names[i]])*100; left != want {
				t.Errorf("%s got %d pieces and has %d left, want %d", names[i], won[names[i]], left, want)
			}
		}
		won.all(t, names...)
	})
}

// Who puts more into the cart while it is being checked out pays for all that is ordered:
// what is in the order is what was paid and what went out of stock, and what came too late
// for it is in the cart.
func TestACartThatChangesAtCheckoutIsPaidAsItIsOrdered(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		edits := []struct {
			product  shopclient.Product
			quantity int64 // what 1 is changed to
		}{
			{a.seller.Offer(t, "button", "1", 1_000_000), 50},
			{a.seller.Offer(t, "teapot", "100", 1_000_000), 5},
		}
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, "1000000")
		devices, ends := a.devices(buyer, 3), tally{}
		for round := range a.rounds {
			money, stock := buyer.Money(t), make([]int64, len(edits))
			for i, e := range edits {
				stock[i] = a.stock(t, e.product)
				if _, err := buyer.Shop.SetCartItem(t.Context(), e.product.ID, 1); err != nil {
					t.Fatal(err)
				}
			}
			var order shopclient.Order
			errs := make([]error, 3)
			racetest.Together(3, func(i int) {
				if i < len(edits) {
					_, errs[i] = devices[i].Shop.SetCartItem(t.Context(), edits[i].product.ID, edits[i].quantity)
				} else {
					order, errs[i] = devices[i].Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Cart: true}, "")
				}
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			ordered, total := map[string]int64{}, int64(0)
			for _, item := range order.Items {
				ordered[item.Product] = item.Quantity
				total += item.Price.Minor * item.Quantity
			}
			spent := money.Minor - buyer.Money(t).Minor
			if order.State != shopclient.Paid || order.Total.Minor != total || spent != total {
				t.Fatalf("round %d: order %s is %s and says %s; its items cost %d, %d was spent", round, order.ID, order.State, order.Total, total, spent)
			}
			cart, err := buyer.Shop.Cart(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			stays := map[string]int64{}
			for _, item := range cart.Items {
				stays[item.Product.ID] = item.Quantity
			}
			for i, e := range edits {
				title, n, left := e.product.Title, ordered[e.product.ID], stays[e.product.ID]
				if went := stock[i] - a.stock(t, e.product); went != n {
					t.Fatalf("round %d: %d of %s went, ordered were %d", round, went, title, n)
				}
				switch {
				case n == e.quantity && left == 0:
					ends[title+" before the order"]++
				case n == 1 && left == e.quantity:
					ends[title+" after the order"]++
				default:
					t.Fatalf("round %d: of %s %d were ordered, and %d are in the cart", round, title, n, left)
				}
			}
		}
		ends.all(t, "button before the order", "button after the order", "teapot before the order", "teapot after the order")
	})
}

// Who pays an order while calling it off has either the order or the money, and both devices
// are told which.
func TestPayAndCancelAtOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		product := a.seller.Offer(t, "teapot", "1", 1_000_000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		wallet := buyer.OpenWallet(t, "")
		devices := a.devices(buyer, 2)
		ends := tally{}
		for round := range a.rounds {
			stock := a.stock(t, product)
			_, err := buyer.Shop.PlaceOrder(t.Context(), one(product), "")
			if !errors.Is(err, shopclient.ErrUnpaid) {
				t.Fatalf("round %d: got %v, want %v", round, err, shopclient.ErrUnpaid)
			}
			id := fault.Of(err).Extra["order"].(string)
			topUp(t, buyer, wallet.ID, "1")
			var paying, canceling shopclient.Order
			var payErr, cancelErr error
			racetest.Together(2, func(i int) {
				if i == 0 {
					paying, payErr = devices[i].Shop.Pay(t.Context(), id, "")
				} else {
					canceling, cancelErr = devices[i].Shop.Cancel(t.Context(), id)
				}
			})
			order, err := buyer.Shop.Order(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			left, sold := buyer.Money(t).Minor, stock-a.stock(t, product)
			switch {
			case order.State == shopclient.Paid && left == 0 && sold == 1 && errors.Is(cancelErr, shopclient.ErrWrongState):
				topUp(t, buyer, wallet.ID, "1") // so that each round ends with it
			case order.State == shopclient.Canceled && left == 100 && sold == 0 && cancelErr == nil && canceling.State == shopclient.Canceled:
			default:
				t.Fatalf("round %d: the order is %s, %d are left in the wallet, %d pieces went; who called it off was told %q, %v", round, order.State, left, sold, canceling.State, cancelErr)
			}
			if payErr != nil || paying.State != order.State { // paying what has ended tells how
				t.Fatalf("round %d: the order is %s, who paid was told %q, %v", round, order.State, paying.State, payErr)
			}
			ends[order.State]++
			if _, err := buyer.Shop.PlaceOrder(t.Context(), one(product), ""); err != nil { // empties the wallet
				t.Fatal(err)
			}
		}
		ends.all(t, shopclient.Paid, shopclient.Canceled)
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
		devices, names, won := a.devices(buyer, n), numbered("device", n), tally{}
		for round := range a.rounds {
			topUp(t, buyer, wallet.ID, "1")
			orders, errs := make([]shopclient.Order, n), make([]error, n)
			racetest.Together(n, func(i int) { orders[i], errs[i] = devices[i].Shop.PlaceOrder(t.Context(), one(products[i]), "") })
			paid := 0
			for i, err := range errs {
				switch {
				case err == nil && orders[i].State == shopclient.Paid:
					paid++
					won[names[i]]++
				case errors.Is(err, shopclient.ErrUnpaid):
					id := fault.Of(err).Extra["order"].(string)
					if _, err := buyer.Shop.Cancel(t.Context(), id); err != nil {
						t.Fatalf("round %d: cancel %s: %v", round, id, err)
					}
				default:
					t.Errorf("round %d: order %q is %q, %v; want one that is paid, or %v", round, orders[i].ID, orders[i].State, err, shopclient.ErrUnpaid)
				}
			}
			if left := buyer.Money(t); paid != 1 || left.Minor != 0 {
				t.Fatalf("round %d: %d orders were paid, %s is left; want 1 and nothing", round, paid, left)
			}
		}
		for i, p := range products {
			if went := p.Stock - a.stock(t, p); went != int64(won[names[i]]) {
				t.Errorf("%d of %s went, %d orders were paid", went, p.Title, won[names[i]])
			}
		}
		won.all(t, names...)
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
			racetest.Together(sends, func(i int) {
				got, err := devices[i].Shop.PlaceOrder(t.Context(), one(product), fmt.Sprint("key ", k))
				mu.Lock()
				defer mu.Unlock()
				if orders[k].ID == "" {
					orders[k] = got
				}
				if diff := cmp.Diff(orders[k], got); err != nil || diff != "" || got.State != shopclient.Paid {
					t.Errorf("key %d: order %q is %q, %v\n%s", k, got.ID, got.State, err, diff)
				}
			})
		}
		a.market.Crash(t)
		for k, want := range orders {
			racetest.Together(len(a.market.Shops), func(i int) {
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

// A buyer asks for half the money of an order, and for the other half, from several devices,
// while the seller grants every request and gives back unasked what is left from others, each
// over and over until nothing is left: what comes back is what was taken.
func TestARefundIsPaidOnce(t *testing.T) {
	attacks(t, func(t *testing.T, a *attack) {
		product := a.seller.Offer(t, "teapot", "1", 1_000_000)
		buyer := a.market.Register(t, "buyer@example.com", "buyer")
		buyer.OpenWallet(t, fmt.Sprint(a.rounds))
		const n = 4 // devices of each kind
		asking, granting, giving := a.devices(buyer, n), a.devices(a.seller, n), a.devices(a.seller, n)
		half := shopclient.NewRefund{Amount: &money.Input{Amount: "0.50"}, Reason: "broken"}
		kinds := []string{"request refused", "grant refused", "giving back refused"}
		ways := []string{"all given back", "half granted, half given back", "all granted"} // by the number of requests
		orders, ends := make([]string, a.rounds), tally{}
		for round := range orders {
			order, err := buyer.Shop.PlaceOrder(t.Context(), one(product), "")
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			orders[round] = order.ID
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			var mu sync.Mutex
			asked := map[string]bool{} // what the buyer was told of; guarded by mu
			refused, errs := make([]int, 3*n), make([]error, 3*n)
			racetest.Together(3*n, func(i int) {
				switch k := i / 3; i % 3 {
				case 0:
					turn := 0
					refused[i], errs[i] = untilRefunded(ctx, asking[k], order.ID, func(s shopclient.Shipment) error {
						turn++
						r, err := asking[k].Shop.AskRefund(ctx, s.ID, half, fmt.Sprint(order.ID, turn, k/2)) // some keys come twice
						if err == nil {
							mu.Lock()
							asked[r.ID] = true
							mu.Unlock()
						}
						return err
					}, shopclient.ErrRefundOpen, shopclient.ErrShipmentState)
				case 1:
					refused[i], errs[i] = untilRefunded(ctx, granting[k], order.ID, func(s shopclient.Shipment) error {
						for _, r := range s.Refunds {
							if _, err := granting[k].Shop.Grant(ctx, r.ID); err != nil {
								return err
							}
						}
						return nil
					}, shopclient.ErrRefundState)
				case 2:
					refused[i], errs[i] = untilRefunded(ctx, giving[k], order.ID, func(s shopclient.Shipment) error {
						_, err := giving[k].Shop.GiveBack(ctx, s.ID, "sold out")
						return err
					}, shopclient.ErrRefundOpen, shopclient.ErrShipmentState)
				}
			})
			stop()
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			for i, times := range refused {
				ends[kinds[i%3]] += times
			}
			s := shipment(t, buyer, order.ID)
			requests, back := 0, int64(0)
			for _, r := range s.Refunds {
				if r.State != shopclient.Granted || asked[r.ID] != (r.Reason == half.Reason) {
					t.Errorf("round %d: refund %s (%s) is %s; the buyer was told of it: %t", round, r.ID, r.Reason, r.State, asked[r.ID])
				}
				if r.Reason == half.Reason {
					requests++
				}
				back += r.Amount.Minor
			}
			if left := a.stock(t, product); requests != len(asked) || back != order.Total.Minor || left != product.Stock {
				t.Fatalf("round %d: %d of %d requests are there, %d of %s go back, %d pieces are on sale", round, requests, len(asked), back, order.Total, left)
			}
			ends[ways[requests]]++
		}
		for _, id := range orders {
			harness.Eventually(t, time.Minute, func() error {
				for _, r := range shipment(t, buyer, id).Refunds {
					if r.PaidAt == nil {
						return fmt.Errorf("refund %s of order %s is not paid", r.ID, id)
					}
				}
				return nil
			})
		}
		if money := buyer.Money(t); money.Minor != int64(a.rounds)*100 {
			t.Errorf("the buyer has %s, want %d.00", money, a.rounds)
		}
		if money := a.seller.Money(t); money.Minor != 0 {
			t.Errorf("the seller has %s", money)
		}
		ends.all(t, append(ways, kinds...)...)
	})
}

// untilRefunded does something with the shipment of an order over and over, until all its money
// goes back. It counts how often that was refused as it may be; anything else ends it.
func untilRefunded(ctx context.Context, who *harness.Person, order string, do func(shopclient.Shipment) error, may ...error) (refused int, err error) {
	for {
		o, err := who.Shop.Order(ctx, order)
		if err != nil || o.Shipments[0].State == shopclient.Refunded {
			return refused, err
		}
		err = do(o.Shipments[0])
		if slices.ContainsFunc(may, func(refusal error) bool { return errors.Is(err, refusal) }) {
			refused++
		} else if err != nil {
			return refused, err
		}
	}
}

// shipment is that of an order as the buyer sees it.
func shipment(t *testing.T, buyer *harness.Person, order string) shopclient.Shipment {
	t.Helper()
	o, err := buyer.Shop.Order(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	return o.Shipments[0]
}
