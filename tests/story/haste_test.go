package story_test

import (
	"fmt"
	"net/http"
	"testing"

	"jishi/tests/browser"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// gate keeps the forms that are sent back, until it is opened.
type gate struct {
	arrived chan string   // the path of each form
	open    chan struct{} // closed when they may go on
}

func newGate() *gate { return &gate{make(chan string, 99), make(chan struct{})} }

func (g *gate) meddle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			g.arrived <- r.URL.Path
			<-g.open
		}
		next.ServeHTTP(w, r)
	})
}

// Whoever is not logged in adds two products before the market has answered: both are in the cart.
func TestTwoAreAddedAtOnce(t *testing.T) {
	m := harness.Start(t, harness.Config{})
	seller := m.Register(t, "13800138000", "林掌柜")
	teapot, basket := seller.Offer(t, "青花茶壶", "45", 5), seller.Offer(t, "竹编篮子", "20", 10)
	g := newGate()
	b := browser.Open(t, browser.Config{Script: true, Language: "zh-CN"})
	b.Go(m.Behind(t, g.meddle) + site.ProductsPath)
	b.Click(site.Submit(site.Add(teapot.ID)))
	<-g.arrived
	b.Click(site.Submit(site.Add(basket.ID)))
	close(g.open)
	for _, product := range []string{teapot.ID, basket.ID} {
		b.See(site.Add(product), "已将 1 件商品添加至购物车")
	}
	b.See(site.CartBadge, "2")
	b.Go(m.Shop + site.CartPath)
	b.See(site.Line(teapot.ID), "¥45.00")
	b.See(site.Line(basket.ID), "¥20.00")
	b.Problems()
}

// ordered is a script that gives what the cart's page would order, quantities by product.
const ordered = `(all => Object.fromEntries(all("product").map((product, i) => [product, all("quantity")[i]])))(
	name => [...document.querySelectorAll("#checkout [name=" + name + "]")].map(e => e.value))`

// Quantities are changed faster than the market answers: the page and the market agree on the last
// one, and what is being typed stays.
func TestQuantitiesAreChangedQuickly(t *testing.T) {
	m := harness.Start(t, harness.Config{})
	buyer := m.Register(t, "13900139000", "王小明")
	var products []string
	for _, price := range []string{"100", "10", "1"} {
		p := m.Register(t, price+"@example.com", "林掌柜").Offer(t, "茶壶 "+price, price, 9)
		if _, err := buyer.Shop.SetCartItem(t.Context(), p.ID, 1); err != nil {
			t.Fatal(err)
		}
		products = append(products, p.ID)
	}
	b := browser.Open(t, browser.Config{Script: true, Language: "zh-CN"})
	(&story{market: m, tab: b}).enter(person{"13900139000", "王小明"}, m.Shop+site.HomePath)
	b.At(site.HomePath)
	agrees := func(total string, quantities ...int64) {
		t.Helper()
		b.See(site.Cart, total)
		cart, err := buyer.Shop.Cart(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ordered := browser.Ask[map[string]string](b, ordered)
		for _, item := range cart.Items {
			if got := ordered[item.Product.ID]; got != fmt.Sprint(item.Quantity) {
				t.Errorf("the page orders %s of %s, the market has %d in the cart", got, item.Product.Title, item.Quantity)
			}
		}
		for i, q := range quantities {
			if got := b.Value(site.Quantity(products[i])); got != fmt.Sprint(q) {
				t.Errorf("the field of line %d says %s, want %d", i+1, got, q)
			}
		}
	}

	// Three steps up in one field.
	g := newGate()
	b.Go(m.Behind(t, g.meddle) + site.CartPath)
	b.Click(site.Quantity(products[0]))
	b.Press(browser.KeyUp)
	<-g.arrived
	b.Press(browser.KeyUp)
	b.Press(browser.KeyUp)
	close(g.open)
	agrees("¥411.00", 4, 1, 1)

	// Two fields, and a third that is being written in.
	g = newGate()
	b.Go(m.Behind(t, g.meddle) + site.CartPath)
	b.Fill(site.Quantity(products[0]), "2")
	b.Fill(site.Quantity(products[1]), "3")
	<-g.arrived
	b.Fill(site.Quantity(products[2]), "7")
	close(g.open)
	agrees("¥231.00", 2, 3, 7)
	b.Press(browser.KeyNext)
	agrees("¥237.00", 2, 3, 7)
	b.Problems()
}
