package app

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"jishi/app/demo"
	"jishi/auth/authclient"
	"jishi/conf"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

func defaults(t *testing.T) *conf.Config {
	t.Helper()
	var c conf.Config
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--data", t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	return &c
}

func open(t *testing.T, c *conf.Config) *Market {
	t.Helper()
	m, err := Open(t.Context(), c, conf.Modules, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// census is what a market has, as its users see it.
type census struct {
	Products, SoldOut, Single, Sellers, Groups int
	Wallets, Entries                           int
	Orders, Shipments, Refunds                 map[string]int // by state
	Mixed, Sales, Carts                        int            // orders of several sellers; sold; pieces in carts
}

func count(t *testing.T, m *Market) census {
	t.Helper()
	ctx, base := t.Context(), m.conf.BaseURL
	n := census{Orders: map[string]int{}, Shipments: map[string]int{}, Refunds: map[string]int{}}
	groups, sellers := map[string]bool{}, map[string]bool{}
	for _, p := range products(t, m) {
		n.Products++
		sellers[p.Seller.ID] = true
		groups[p.Description[strings.LastIndex(p.Description, "\n"):]] = true
		switch p.Stock {
		case 0:
			n.SoldOut++
		case 1:
			n.Single++
		}
	}
	n.Groups, n.Sellers = len(groups), len(sellers)
	for _, a := range demo.Accounts() {
		pay, shop := payclient.New(base, m.as(a.Identifier)), shopclient.New(base, m.as(a.Identifier))
		wallets, err := pay.Wallets(ctx, payclient.Page{})
		if err != nil {
			t.Fatal(err)
		}
		n.Wallets += len(wallets.Items)
		for _, w := range wallets.Items {
			entries, err := pay.Entries(ctx, w.ID, payclient.Page{})
			if err != nil {
				t.Fatal(err)
			}
			n.Entries += len(entries.Items)
		}
		orders, err := shop.Orders(ctx, shopclient.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range orders.Items {
			n.Orders[o.State]++
			for _, sh := range o.Shipments {
				n.Shipments[sh.State]++
				for _, r := range sh.Refunds {
					n.Refunds[r.State]++
				}
			}
			if several(o) {
				n.Mixed++
			}
		}
		sales, err := shop.Sales(ctx, shopclient.Page{})
		if err != nil {
			t.Fatal(err)
		}
		n.Sales += len(sales.Items)
		cart, err := shop.Cart(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n.Carts += len(cart.Items)
	}
	return n
}

func several(o shopclient.Order) bool {
	for _, i := range o.Items {
		if i.Seller != o.Items[0].Seller {
			return true
		}
	}
	return false
}

func products(t *testing.T, m *Market) []shopclient.Product {
	t.Helper()
	found, err := shopclient.New(m.conf.BaseURL, m.client()).Products(t.Context(), "", "", shopclient.Page{Limit: 100})
	if err != nil || found.Next != "" {
		t.Fatal(err, found.Next)
	}
	return found.Items
}

// demoCensus is what the demo market has.
var demoCensus = census{
	Products: 65, SoldOut: 2, Single: 1, Sellers: 5, Groups: 8,
	Wallets: 12, Entries: 36,
	Orders:    map[string]int{shopclient.Paid: 9, shopclient.Completed: 5, shopclient.Canceled: 2, shopclient.Pending: 2},
	Shipments: map[string]int{shopclient.Waiting: 7, shopclient.Shipped: 9, shopclient.Received: 7, shopclient.Refunded: 1},
	Refunds:   map[string]int{shopclient.Granted: 2, shopclient.Asked: 1, shopclient.Refused: 1},
	Mixed:     11, Sales: 24, Carts: 5,
}

// The demo market has everything that it promises, adds up, and is loaded once.
func TestDemo(t *testing.T) {
	c := defaults(t)
	for range 2 {
		if err := Demo(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		m := open(t, c)
		if diff := cmp.Diff(demoCensus, count(t, m)); diff != "" {
			t.Error(diff)
		}
	}
	var report bytes.Buffer
	if err := Verify(t.Context(), c, Scope{Modules: conf.Modules}, &report); err != nil {
		t.Error(err, report.String())
	}
	m := open(t, c)
	for _, p := range products(t, m) {
		res, err := m.client().Get(p.Image)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "image/jpeg" {
			t.Errorf("picture of %s: %s %s", p.Title, res.Status, res.Header.Get("Content-Type"))
		}
	}
}

// Nothing is put between what people have.
func TestNoDemoAmongUsers(t *testing.T) {
	c := defaults(t)
	m := open(t, c)
	user := authclient.NewUser{Identifier: "somebody@example.com", Password: "correct horse"}
	if _, err := authclient.New(m.conf.BaseURL, m.client()).Register(t.Context(), user, ""); err != nil {
		t.Fatal(err)
	}
	if err := Demo(t.Context(), c); !errors.Is(err, ErrInhabited) {
		t.Errorf("%v, want ErrInhabited", err)
	}
	if n := len(products(t, m)); n != 0 {
		t.Errorf("%d products", n)
	}
}

// A loading that breaks off, before a call or after it, goes on later and doubles nothing.
func TestDemoGoesOn(t *testing.T) {
	c := defaults(t)
	for i, calls := range []int64{3, 16, 80, 60} {
		m, line := open(t, c), &line{done: i%2 == 0}
		line.left.Store(calls)
		as := func(identifier string) *http.Client {
			hc := m.as(identifier)
			hc.Transport = breaking{line, hc.Transport}
			return hc
		}
		if err := m.demo(t.Context(), as, func(time.Duration) {}); !errors.Is(err, errBroken) {
			t.Fatalf("after %d calls: %v, want the break", calls, err)
		}
	}
	if err := Demo(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(demoCensus, count(t, open(t, c))); diff != "" {
		t.Error(diff)
	}
	if err := Verify(t.Context(), c, Scope{Modules: conf.Modules}, io.Discard); err != nil {
		t.Error(err)
	}
}

var errBroken = errors.New("the line broke")

// line breaks after some calls. The last one is done all the same, or it is not.
type line struct {
	left atomic.Int64
	done bool
}

// breaking is a client's end of a line.
type breaking struct {
	line *line
	next http.RoundTripper
}

func (b breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	left := b.line.left.Add(-1)
	if left > 0 {
		return b.next.RoundTrip(r)
	}
	if left == 0 && b.line.done {
		res, err := b.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		_ = res.Body.Close()
	}
	return nil, errBroken
}
