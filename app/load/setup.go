package load

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

const (
	seller = "load-seller@example.com"
	price  = "1"
	// A wallet with less than low, in minor units, is topped up by amount.
	amount = "1000000"
	low    = 50_000_000

	setupCalls = 64 // at the same time
)

// world is what a run acts on.
type world struct {
	tokens   []string // of the buyers
	products []string // ids
	shop     *shopclient.Client
	supplied int64 // pieces of all products when the run began
	fresh    bool  // none of the products is an earlier run's
}

// setUp makes what an earlier run has not left behind.
func setUp(ctx context.Context, to Target, o Options) (*world, error) {
	w := &world{tokens: make([]string, o.Buyers), supplied: o.Stock * int64(o.Products)}
	token, err := to.Enroll(ctx, seller)
	if err != nil {
		return nil, fmt.Errorf("enroll %s: %w", seller, err)
	}
	hc := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: setupCalls}}
	w.shop = shopclient.New(to.ShopURL, bearer(hc, token))
	if w.products, w.fresh, err = offer(ctx, w.shop, o); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setupCalls)
	for i := range w.tokens {
		group.Go(func() error {
			who := fmt.Sprintf("load-%05d@example.com", i+1)
			token, err := to.Enroll(ctx, who)
			if err != nil {
				return fmt.Errorf("enroll %s: %w", who, err)
			}
			w.tokens[i] = token
			if err := fill(ctx, payclient.New(to.PayURL, bearer(hc, token))); err != nil {
				return fmt.Errorf("wallet of %s: %w", who, err)
			}
			return nil
		})
	}
	return w, group.Wait()
}

func bearer(hc *http.Client, token string) *http.Client {
	return rest.Bearer(hc, func(context.Context) (string, error) { return token, nil })
}

// offer has the products on sale, each with that much stock, and gives their ids; and
// whether all are new.
func offer(ctx context.Context, shop *shopclient.Client, o Options) (ids []string, fresh bool, err error) {
	have := map[string]shopclient.Product{} // by title
	for page := (shopclient.Page{Limit: 100}); ; {
		list, err := shop.OwnProducts(ctx, page)
		if err != nil {
			return nil, false, fmt.Errorf("find products: %w", err)
		}
		for _, p := range list.Items {
			if p.Listed {
				have[p.Title] = p
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	ids, fresh = make([]string, o.Products), true
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(setupCalls)
	for i := range ids {
		title := fmt.Sprintf("load %05d", i+1)
		p, there := have[title]
		fresh = fresh && !there
		group.Go(func() (err error) {
			switch {
			case !there:
				p, err = shop.AddProduct(ctx, shopclient.NewProduct{Title: title, Price: money.Input{Amount: price}, Stock: o.Stock}, "")
			case p.Stock != o.Stock:
				p, err = shop.ChangeProduct(ctx, p.ID, 0, shopclient.ProductChange{Stock: &o.Stock}, "")
			}
			if err != nil {
				return fmt.Errorf("offer %s: %w", title, err)
			}
			ids[i] = p.ID
			return nil
		})
	}
	return ids, fresh, group.Wait()
}

// fill has enough money in a buyer's wallet.
func fill(ctx context.Context, pay *payclient.Client) error {
	list, err := pay.Wallets(ctx, payclient.Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(list.Items) == 0 {
		_, err := pay.CreateWallet(ctx, payclient.NewWallet{Amount: amount}, "load")
		return err
	}
	w := list.Items[0]
	if w.Available.Minor >= low {
		return nil
	}
	_, err = pay.CreateTopUp(ctx, payclient.NewTopUp{Wallet: w.ID, Amount: amount}, "")
	return err
}

// stock is how many pieces of the products there are now.
func (w *world) stock(ctx context.Context) (Stock, error) {
	s := Stock{Before: w.supplied}
	for _, id := range w.products {
		p, err := w.shop.Product(ctx, id)
		if err != nil {
			return s, err
		}
		s.After += p.Stock
	}
	return s, nil
}
