// Package demo is the demo market: sellers with their goods, buyers with wallets, and
// orders in every state. It knows what is in it and how to bring it to a market, as any
// program would: over REST, each user with a token of their own.
package demo

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

//go:embed pictures/*.jpg
var pictures embed.FS

const (
	// Currency is that of all prices.
	Currency money.Currency = "CNY"

	// Password is everybody's. It is no secret, so a demo market is for trying out.
	Password = "jishi-demo"

	opening = 14 // days ago
)

// Target is the market that is loaded.
type Target struct {
	AuthURL, PayURL, ShopURL string

	// As is a client that calls as the user of an identifier, or as nobody with "".
	As func(identifier string) *http.Client

	// Ago puts the clock of pay and shop back, so that histories have a past. What comes
	// last happens now.
	Ago func(time.Duration)

	// CatchUp does the background work of the shop that is due at that clock's time.
	CatchUp func(context.Context) error
}

// Account is somebody as whom one can log in.
type Account struct{ Identifier, Name, About string }

// Accounts are everybody's.
func Accounts() []Account {
	var all []Account
	for _, p := range everybody() {
		all = append(all, Account{p.identifier(), p.name, p.about})
	}
	return all
}

// Load fills a market that has no other users. Every step has a key or sets a value, so
// that loading again after an interruption goes on where it ended and doubles nothing.
func Load(ctx context.Context, to Target) error {
	l := &loader{Target: to, products: map[string]string{}}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"register", l.register},
		{"open wallets", l.openWallets},
		{"offer products", l.offer},
		{"trade", l.trade},
		{"fill carts", l.fillCarts},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

type loader struct {
	Target
	products map[string]string // name to id
}

func (l *loader) shop(login string) *shopclient.Client {
	return shopclient.New(l.ShopURL, l.As(person{login: login}.identifier()))
}

// everybody is sellers and buyers.
func everybody() []person { return append(append([]person{}, sellers...), buyers...) }

// register makes the users, several at once: most of the time goes into hashes.
func (l *loader) register(ctx context.Context) error {
	client := authclient.New(l.AuthURL, l.As(""))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range everybody() {
		group.Go(func() error {
			in := authclient.NewUser{Identifier: p.identifier(), Password: Password, Name: p.name}
			if _, err := client.Register(ctx, in, key("user", p.login)); err != nil {
				return fmt.Errorf("%s: %w", p.login, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (l *loader) openWallets(ctx context.Context) error {
	l.Ago(ago(opening))
	for _, p := range everybody() {
		client := payclient.New(l.PayURL, l.As(p.identifier()))
		for _, w := range p.wallets {
			in := payclient.NewWallet{Name: w.name, Amount: w.amount}
			if _, err := client.CreateWallet(ctx, in, key("wallet", p.login, w.name)); err != nil {
				return fmt.Errorf("%s: %w", p.login, err)
			}
		}
	}
	return nil
}

// offer brings the products to market that are not there yet, in order: the list of a
// market is by age. The pictures come first, several at once.
func (l *loader) offer(ctx context.Context) error {
	if err := l.find(ctx); err != nil {
		return err
	}
	l.Ago(0)                      // an upload that no product shows for a day is deleted
	images := map[string]string{} // product's name to picture
	var mu sync.Mutex             // of images
	uploads, uploading := errgroup.WithContext(ctx)
	uploads.SetLimit(runtime.GOMAXPROCS(0))
	for _, o := range listed() {
		if l.products[o.name] != "" {
			continue
		}
		uploads.Go(func() error {
			file, err := pictures.ReadFile("pictures/" + o.name + ".jpg")
			if err != nil {
				return err
			}
			stored, err := l.shop(o.group.seller).AddPicture(uploading, bytes.NewReader(file))
			if err != nil {
				return fmt.Errorf("picture of %s: %w", o.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			images[o.name] = stored.Name
			return nil
		})
	}
	if err := uploads.Wait(); err != nil {
		return err
	}
	l.Ago(ago(opening))
	for _, o := range listed() {
		if l.products[o.name] != "" {
			continue
		}
		p, err := l.shop(o.group.seller).AddProduct(ctx, shopclient.NewProduct{
			Title:       o.title,
			Description: o.description(),
			Image:       images[o.name],
			Price:       money.Input{Amount: o.price},
			Stock:       o.stock,
		}, key("product", o.name))
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		l.products[o.name] = p.ID
	}
	return nil
}

// find looks for what an earlier loading has listed.
func (l *loader) find(ctx context.Context) error {
	names := map[string]string{}
	for _, o := range listed() {
		names[o.title] = o.name
	}
	client, page := shopclient.New(l.ShopURL, l.As("")), shopclient.Page{Limit: 100}
	for {
		found, err := client.Products(ctx, "", "", page)
		if err != nil {
			return err
		}
		for _, p := range found.Items {
			l.products[names[p.Title]] = p.ID
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return nil
		}
	}
}

// buy places an order and gives its id. The wallet of a buyer whose order stays unpaid or is
// canceled has too little for it.
func (l *loader) buy(ctx context.Context, p purchase, key string) (string, error) {
	var in shopclient.NewOrder
	for _, i := range p.items {
		in.Items = append(in.Items, shopclient.NewItem{Product: l.products[i.product], Quantity: i.pieces})
	}
	client := l.shop(p.buyer)
	order, err := client.PlaceOrder(ctx, in, key)
	if errors.Is(err, shopclient.ErrUnpaid) {
		id, _ := fault.Of(err).Extra["order"].(string)
		order, err = client.Order(ctx, id)
	}
	if err == nil && p.end == shopclient.Canceled {
		order, err = client.Cancel(ctx, order.ID)
	}
	if err != nil {
		return "", err
	}
	// When loading was interrupted, one that was paid may have gone on, and one that wasn't may
	// have reached its deadline.
	if order.State != p.end && order.State != shopclient.Completed && order.State != shopclient.Canceled {
		return "", fmt.Errorf("it is %s, not %s", order.State, p.end)
	}
	return order.ID, nil
}

func (l *loader) fillCarts(ctx context.Context) error {
	for _, c := range carts {
		for _, i := range c.items {
			if _, err := l.shop(c.buyer).SetCartItem(ctx, l.products[i.product], i.pieces); err != nil {
				return fmt.Errorf("%s of %s: %w", i.product, c.buyer, err)
			}
		}
	}
	return nil
}

// key makes a step happen once.
func key(parts ...string) string {
	k := "demo"
	for _, p := range parts {
		k += ":" + p
	}
	return k
}

// ago is how long ago that many days are; on each of them it happens at another hour.
func ago(days int) time.Duration {
	const hour = 5 // coprime to 24
	return time.Duration(days)*24*time.Hour + time.Duration(days*hour%24)*time.Hour
}
