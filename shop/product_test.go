package shop

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/shop/shopclient"
)

func TestAddProductRefuses(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		good := NewProduct{Title: " Teapot ", Description: "a\r\nb", Price: "12", Stock: 1, Image: "https://example.org/a.jpg"}
		p, err := m.AddProduct(t.Context(), ann, good, "")
		if err != nil || p.Title != "Teapot" || p.Description != "a\nb" || p.Price != 1200 || p.Stock != 1 {
			t.Fatalf("got %+v, %v", p, err)
		}
		for name, c := range map[string]struct {
			spoil func(*NewProduct)
			want  error
		}{
			"no title":                   {func(p *NewProduct) { p.Title = "  " }, shopclient.ErrTitle},
			"a title of 121 characters":  {func(p *NewProduct) { p.Title = strings.Repeat("茶", 121) }, shopclient.ErrTitle},
			"a title with a bell":        {func(p *NewProduct) { p.Title = "a\a" }, shopclient.ErrTitle},
			"a title that is no text":    {func(p *NewProduct) { p.Title = "\xff" }, shopclient.ErrTitle},
			"a description that is long": {func(p *NewProduct) { p.Description = strings.Repeat("茶", 10_001) }, shopclient.ErrDescription},
			"no price":                   {func(p *NewProduct) { p.Price = "" }, shopclient.ErrPrice},
			"for free":                   {func(p *NewProduct) { p.Price = "0.00" }, shopclient.ErrPrice},
			"a negative price":           {func(p *NewProduct) { p.Price = "-1" }, shopclient.ErrPrice},
			"too dear":                   {func(p *NewProduct) { p.Price = "1000000.01" }, shopclient.ErrPrice},
			"negative stock":             {func(p *NewProduct) { p.Stock = -1 }, shopclient.ErrStock},
			"too much stock":             {func(p *NewProduct) { p.Stock = 1_000_001 }, shopclient.ErrStock},
			"an address that is script":  {func(p *NewProduct) { p.Image = "javascript:alert(1)" }, shopclient.ErrImage},
			"an address without a host":  {func(p *NewProduct) { p.Image = "https:///x" }, shopclient.ErrImage},
			"an address that is long":    {func(p *NewProduct) { p.Image = "https://a/" + strings.Repeat("x", 2000) }, shopclient.ErrImage},
			"a picture nobody stored":    {func(p *NewProduct) { p.Image = "pic_" + strings.Repeat("0", 26) + ".jpg" }, shopclient.ErrImage},
		} {
			in := good
			c.spoil(&in)
			if _, err := m.AddProduct(t.Context(), ann, in, ""); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
		for name, in := range map[string]NewProduct{
			"the longest": {Title: strings.Repeat("茶", 120), Description: strings.Repeat("😀", 10_000), Price: "1000000.00", Stock: 1_000_000},
			"the least":   {Title: "茶", Price: "0.01"},
		} {
			if p, err := m.AddProduct(t.Context(), ann, in, ""); err != nil || p.Title != in.Title || p.Description != in.Description {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = m.AddProduct(t.Context(), ann, NewProduct{Price: "x", Stock: -1}, "")
		if all := fault.All(err); len(all) != 3 {
			t.Errorf("%d things are wrong with the form, want 3: %v", len(all), err)
		}
	})
}

// A form that is sent twice stores its picture under two names, and is one product. With another
// picture it is another form.
func TestOneFormIsOneProduct(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		add := func(side int) (Product, error) {
			return m.AddProduct(t.Context(), ann, NewProduct{Title: "Cup", Price: "1", Stock: 7, Image: m.uploadOf(ann, side)}, "key")
		}
		ids := at(5, func(int) ProductID {
			p, err := add(9)
			if err != nil {
				t.Error(err)
			}
			return p.ID
		})
		for _, pid := range ids {
			if pid != ids[0] {
				t.Errorf("products %s and %s", ids[0], pid)
			}
		}
		if _, err := add(8); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("with another picture: %v", err)
		}
	})
}

func TestChangeProduct(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(10)
		title, price, five, ten := "Pot", "13.00", int64(5), int64(10)
		got, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Version: 1, Title: &title, Price: &price, Stock: &five, StockSeen: &ten}, "")
		if err != nil || got.Title != "Pot" || got.Price != 1300 || got.Stock != 5 || got.Version != 2 || got.Description != p.Description {
			t.Fatalf("got %+v, %v", got, err)
		}
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Version: 1, Title: &title}, ""); !errors.Is(err, shopclient.ErrStale) {
			t.Errorf("an old version: %v", err)
		}
		if _, err := m.ChangeProduct(t.Context(), bob.ID, p.ID, ProductChange{Title: &title}, ""); !errors.Is(err, shopclient.ErrNotSeller) {
			t.Errorf("somebody else's: %v", err)
		}
		if err := m.TakeDown(t.Context(), bob.ID, p.ID); !errors.Is(err, shopclient.ErrNotSeller) {
			t.Errorf("somebody else takes it down: %v", err)
		}
		for version := int64(2); version < 7; version++ {
			wins := 0
			for _, err := range at(10, func(int) error {
				_, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Version: version, Title: &title}, "")
				return err
			}) {
				if err == nil {
					wins++
				} else if !errors.Is(err, shopclient.ErrStale) {
					t.Error(err)
				}
			}
			if wins != 1 {
				t.Errorf("%d changes of version %d, want 1", wins, version)
			}
		}
	})
}

// A change whose answer was lost is asked for again, and done once.
func TestChangeProductOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, ten, twelve := m.product(10), int64(10), int64(12)
		for range 2 {
			got, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &twelve, StockSeen: &ten}, "again")
			if err != nil || got.Stock != 12 || got.Version != 2 {
				t.Errorf("got %d in version %d, %v", got.Stock, got.Version, err)
			}
		}
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &ten}, "again"); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("another change with the key: %v", err)
		}
		shown := ""
		for range 2 {
			image := m.uploadOf(ann, 9)
			got, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Image: &image}, "picture")
			if shown = cmp.Or(shown, image); err != nil || got.Image != shown {
				t.Errorf("got picture %s, %v; want %s", got.Image, err, shown)
			}
		}
		image := m.uploadOf(ann, 8)
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Image: &image}, "picture"); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("another picture with the key: %v", err)
		}
	})
}

// What is sold while the seller writes stays sold.
func TestStockChangesBesideSales(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(10)
		ten, twelve, nothing := int64(10), int64(12), int64(0)
		held := m.pending(p, 3)
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &ten, StockSeen: &ten}, ""); err != nil || m.stock(p) != 7 {
			t.Fatalf("a form that left the stock alone: %v, stock %d, want 7", err, m.stock(p))
		}
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &twelve, StockSeen: &ten}, ""); err != nil || m.stock(p) != 9 {
			t.Fatalf("two more: %v, stock %d, want 9", err, m.stock(p))
		}
		_, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &nothing, StockSeen: &twelve}, "")
		if !errors.Is(err, shopclient.ErrStockTaken) || fault.Of(err).Extra["available"] != int64(9) || m.stock(p) != 9 {
			t.Errorf("twelve fewer of nine: %v, stock %d", err, m.stock(p))
		}
		if got, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &nothing}, ""); err != nil || got.Stock != 0 {
			t.Errorf("nothing to buy from now on: %v, %d", err, got.Stock)
		}
		if _, err := m.Cancel(t.Context(), bob.ID, held.ID); err != nil || m.stock(p) != 3 {
			t.Errorf("what was held comes back: %v, stock %d, want 3", err, m.stock(p))
		}
	})
}

// Buyers and the seller reach for the same pieces.
func TestStockRaces(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(30)
		ten, zero := int64(10), int64(0)
		at(30, func(i int) error {
			var err error
			switch {
			case i%3 == 0:
				_, err = m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Stock: &zero, StockSeen: &ten}, "")
			default:
				_, err = m.PlaceOrder(t.Context(), buyer(i), items(p, 2), token())
			}
			switch code(err) {
			case "", "shop.sold_out", "shop.stock_taken", "shop.stale":
			default:
				t.Error(err)
			}
			return err
		})
		if s := m.stock(p); s < 0 {
			t.Errorf("stock %d", s)
		}
	})
}

func TestTakeDown(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(10)
		o := m.pending(p, 1)
		if err := m.AddToCart(t.Context(), bob.ID, p.ID, 1, nil, ""); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := m.TakeDown(t.Context(), ann.ID, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		all, _, err := m.Products(t.Context(), ProductQuery{}, database.Page{})
		if err != nil || len(all) != 0 {
			t.Errorf("it is still listed: %d, %v", len(all), err)
		}
		if got, err := m.Product(t.Context(), p.ID); err != nil || got.State != Down {
			t.Errorf("its page: %s, %v", got.State, err)
		}
		if _, err := m.PlaceOrder(t.Context(), bob, items(p, 1), ""); !errors.Is(err, shopclient.ErrUnavailable) {
			t.Errorf("buy it: %v", err)
		}
		if err := m.AddToCart(t.Context(), cara.ID, p.ID, 1, nil, ""); !errors.Is(err, shopclient.ErrNoProduct) {
			t.Errorf("put it in a cart: %v", err)
		}
		c, err := m.Cart(t.Context(), bob.ID)
		if err != nil || len(c.Lines) != 1 || c.Lines[0].Trouble != Gone || c.Total.Minor != 0 {
			t.Errorf("in a cart: %+v, %v", c, err)
		}
		if got, err := m.Pay(t.Context(), bob.ID, o.ID, ""); err != nil || got.State != Paid {
			t.Errorf("an order placed before: %s, %v", got.State, err)
		}
	})
}

func TestListAndSearch(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		var want []ProductID
		for i := range 25 {
			p := m.productOf(ann, fmt.Sprintf("Cup %d", i), "1", 1)
			want = append([]ProductID{p.ID}, want...)
		}
		m.productOf(cara, "100% wool_sock", "1", 1)
		m.productOf(cara, "Ten thousand socks", "1", 1)
		if _, err := m.AddProduct(t.Context(), cara, NewProduct{Title: "盖碗", Description: "景德镇 Porcelain!", Price: "1"}, ""); err != nil {
			t.Fatal(err)
		}
		var got []ProductID
		for page := (database.Page{}); ; {
			all, next, err := m.Products(t.Context(), ProductQuery{Seller: ann.ID}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range all {
				got = append(got, p.ID)
				if p.Stock != 1 {
					t.Errorf("stock %d", p.Stock)
				}
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		for q, n := range map[string]int{
			"sock": 2, "SOCK": 2, "%": 1, "_": 1, "100%": 1, "0% W": 1, "l_s": 1, "盖": 1, "景德": 1, "porcelain!": 1,
			"!": 1, `\`: 0, "'": 0, "c%p": 0, "c_p": 0, "nothing": 0,
		} {
			all, _, err := m.Products(t.Context(), ProductQuery{Search: q, Seller: ""}, database.Page{Limit: 100})
			if err != nil || len(all) != n {
				t.Errorf("%q: %d, %v; want %d", q, len(all), err, n)
			}
		}
	})
}
