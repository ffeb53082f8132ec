package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// Password is that of every person whom the harness registers.
const Password = "correct horse 42"

// Person is a user who calls the modules' REST APIs.
type Person struct {
	authclient.User
	Token string // for all modules, as programs send it
	Auth  *authclient.Client
	Pay   *payclient.Client
	Shop  *shopclient.Client

	pictures func(t testing.TB, png []byte) string // uploads one and gives its name
}

// Register makes a user with that phone number or e-mail address, and gives them a token.
func (m *Market) Register(t testing.TB, identifier, name string) *Person {
	t.Helper()
	p, err := m.register(t.Context(), identifier, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Crowd makes n users, each with a wallet with that much in it.
func (m *Market) Crowd(t testing.TB, n int, amount string) []*Person {
	t.Helper()
	crowd := make([]*Person, n)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range crowd {
		group.Go(func() (err error) {
			if crowd[i], err = m.register(t.Context(), fmt.Sprintf("user%d@example.com", i), fmt.Sprintf("user %d", i)); err != nil {
				return err
			}
			_, err = crowd[i].Pay.CreateWallet(t.Context(), payclient.NewWallet{Amount: amount}, "")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return crowd
}

func (m *Market) register(ctx context.Context, identifier, name string) (*Person, error) {
	u, err := authclient.New(m.Auth, program()).Register(ctx, authclient.NewUser{Identifier: identifier, Password: Password, Name: name}, "")
	if err != nil {
		return nil, fmt.Errorf("register %s: %w", identifier, err)
	}
	return m.logIn(u)
}

// LogIn gives a user who has registered another token.
func (m *Market) LogIn(t testing.TB, identifier string) *Person {
	t.Helper()
	p, err := m.logIn(authclient.User{Identifier: identifier})
	if err != nil {
		t.Fatal(err)
	}
	if p.User, err = p.Auth.Me(t.Context()); err != nil {
		t.Fatalf("who is %s: %v", identifier, err)
	}
	return p
}

func (m *Market) logIn(u authclient.User) (*Person, error) {
	var stderr bytes.Buffer
	cmd := m.Command("token", "--user", u.Identifier)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w\n%s", u.Identifier, err, &stderr)
	}
	return call(u, strings.TrimSpace(string(out)), m.Auth, m.Pay, m.Shop), nil
}

// At is the same person who calls a replica of the whole market, from another device.
func (p *Person) At(base string) *Person { return call(p.User, p.Token, base, base, base) }

func call(u authclient.User, token, auth, pay, shop string) *Person {
	hc := rest.Bearer(program(), func(context.Context) (string, error) { return token, nil })
	return &Person{
		User:     u,
		Token:    token,
		Auth:     authclient.New(auth, hc),
		Pay:      payclient.New(pay, hc),
		Shop:     shopclient.New(shop, hc),
		pictures: func(t testing.TB, png []byte) string { return upload(t, hc, shop+"/api/v1/pictures", png) },
	}
}

// program is an HTTP client with connections of its own, as every other program has.
func program() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
}

// OpenWallet makes a wallet with that much in it.
func (p *Person) OpenWallet(t testing.TB, amount string) payclient.Wallet {
	t.Helper()
	w, err := p.Pay.CreateWallet(t.Context(), payclient.NewWallet{Amount: amount}, "")
	if err != nil {
		t.Fatalf("open a wallet of %s: %v", p.Name, err)
	}
	return w
}

// Offer puts a product up for sale.
func (p *Person) Offer(t testing.TB, title, price string, stock int64) shopclient.Product {
	t.Helper()
	return p.offer(t, shopclient.NewProduct{Title: title, Price: money.Input{Amount: price}, Stock: stock})
}

// OfferWithPicture puts a product up for sale that has a picture, and a description of
// several lines.
func (p *Person) OfferWithPicture(t testing.TB, title, price string, stock int64, png []byte) shopclient.Product {
	t.Helper()
	return p.offer(t, shopclient.NewProduct{
		Title: title, Price: money.Input{Amount: price}, Stock: stock, Image: p.pictures(t, png),
		Description: "手工制作，每一件都略有不同。\n\nMade by hand, so no two are quite alike. Ships within two days, well padded.",
	})
}

func (p *Person) offer(t testing.TB, in shopclient.NewProduct) shopclient.Product {
	t.Helper()
	x, err := p.Shop.AddProduct(t.Context(), in, "")
	if err != nil {
		t.Fatalf("offer %s: %v", in.Title, err)
	}
	return x
}

// upload sends a picture and gives the name that a product can have it by.
func upload(t testing.TB, hc *http.Client, address string, png []byte) string {
	t.Helper()
	res, err := hc.Post(address, "image/png", bytes.NewReader(png))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var picture shopclient.Picture
	if err := json.NewDecoder(res.Body).Decode(&picture); err != nil || res.StatusCode >= 300 {
		t.Fatalf("upload a picture: got %d, %v", res.StatusCode, err)
	}
	return picture.Name
}

// Money is what the person has in all wallets.
func (p *Person) Money(t testing.TB) money.Amount {
	t.Helper()
	list, err := p.Pay.Wallets(t.Context(), payclient.Page{Limit: 100})
	if err != nil {
		t.Fatalf("wallets of %s: %v", p.Name, err)
	}
	sum := money.Amount{Currency: money.CNY}
	for _, w := range list.Items {
		if sum, err = sum.Add(w.Balance); err != nil {
			t.Fatal(err)
		}
	}
	return sum
}

// Orders is what the person has bought, up to 100.
func (p *Person) Orders(t testing.TB) []shopclient.Order {
	t.Helper()
	list, err := p.Shop.Orders(t.Context(), shopclient.Page{Limit: 100})
	if err != nil {
		t.Fatalf("orders of %s: %v", p.Name, err)
	}
	return list.Items
}
