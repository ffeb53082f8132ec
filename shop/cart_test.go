package shop

import (
	"context"
	"errors"
	"strings"
	"testing"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

func TestCart(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		p, q := m.product(5), m.productOf(cara, "Cup", "3.50", 100)
		add := func(pid ProductID, n int64) error { return m.AddToCart(ctx, bob.ID, pid, n, nil, "") }
		if err := errors.Join(add(p.ID, 2), add(q.ID, 3), add(p.ID, 1)); err != nil {
			t.Fatal(err)
		}
		c, err := m.Cart(ctx, bob.ID)
		if err != nil || len(c.Lines) != 2 || c.Total.Minor != 3*1200+3*350 || c.Lines[0].Quantity != 3 {
			t.Fatalf("got %+v, %v", c, err)
		}
		if n, err := m.CartCount(ctx, bob.ID); n != 6 || err != nil {
			t.Errorf("%d pieces, %v", n, err)
		}
		for name, err := range map[string]error{
			"none":                   add(p.ID, 0),
			"too many at once":       add(p.ID, 1000),
			"too many together":      add(p.ID, 997),
			"a quantity of none":     m.SetCartQuantity(ctx, bob.ID, p.ID, 0, nil),
			"a quantity of too many": m.SetCartQuantity(ctx, bob.ID, p.ID, 1000, nil),
		} {
			if !errors.Is(err, shopclient.ErrQuantity) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := m.SetCartQuantity(ctx, bob.ID, p.ID, 6, nil); err != nil {
			t.Fatal(err)
		}
		if c, err = m.Cart(ctx, bob.ID); err != nil || c.Lines[0].Trouble != Short || c.Total.Minor != 3*350 {
			t.Errorf("six of five: %+v, %v", c, err)
		}
		if _, err := m.PlaceOrder(ctx, bob, NewOrder{Cart: true}, ""); !errors.Is(err, shopclient.ErrSoldOut) {
			t.Errorf("buy six of five: %v", err)
		}
		if n, _ := m.CartCount(ctx, bob.ID); n != 9 {
			t.Error("a refused order changed the cart")
		}
		if err := errors.Join(m.RemoveFromCart(ctx, bob.ID, p.ID), m.RemoveFromCart(ctx, bob.ID, p.ID)); err != nil {
			t.Error(err)
		}
		if n, _ := m.CartCount(ctx, bob.ID); n != 3 {
			t.Errorf("%d pieces, want 3", n)
		}
	})
}

func TestAddingAtOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, key := m.product(1), token()
		for _, err := range at(10, func(int) error { return m.AddToCart(t.Context(), bob.ID, p.ID, 1, nil, "") }) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, err := range at(10, func(int) error { return m.AddToCart(t.Context(), bob.ID, p.ID, 5, nil, key) }) {
			if err != nil {
				t.Error(err)
			}
		}
		if n, err := m.CartCount(t.Context(), bob.ID); n != 15 || err != nil {
			t.Errorf("%d pieces, %v; want 15", n, err)
		}
	})
}

func TestCheckout(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		p, q := m.product(5), m.productOf(cara, "Cup", "3.50", 100)
		if err := errors.Join(m.AddToCart(ctx, bob.ID, p.ID, 2, nil, ""), m.AddToCart(ctx, bob.ID, q.ID, 3, nil, "")); err != nil {
			t.Fatal(err)
		}
		seen := m.seenCart(bob)
		if err := m.SetCartQuantity(ctx, bob.ID, q.ID, 4, nil); err != nil { // in another tab
			t.Fatal(err)
		}
		if _, err := m.PlaceOrder(ctx, bob, seen, token()); !errors.Is(err, shopclient.ErrCartChanged) {
			t.Fatalf("a cart that changed: %v", err)
		}
		price := "4.00"
		if _, err := m.ChangeProduct(ctx, cara.ID, q.ID, ProductChange{Price: &price}, ""); err != nil {
			t.Fatal(err)
		}
		stale := m.seenCart(bob)
		*stale.Items[1].Seen = q.Amount()
		if _, err := m.PlaceOrder(ctx, bob, stale, token()); !errors.Is(err, shopclient.ErrPriceChanged) {
			t.Fatalf("a price that changed: %v", err)
		}
		o, err := m.PlaceOrder(ctx, bob, m.seenCart(bob), token())
		if err != nil || o.State != Paid || o.Total != 2*1200+4*400 || len(o.Lines) != 2 {
			t.Fatalf("got %+v, %v", o, err)
		}
		if x := m.pay.Payment(string(o.ID)); len(x.Parties) != 2 || x.Parties[0].Amount.Minor != 2400 || x.Parties[1].Amount.Minor != 1600 {
			t.Errorf("shares %+v", x.Parties)
		}
		if n, _ := m.CartCount(ctx, bob.ID); n != 0 {
			t.Errorf("%d pieces are left in the cart", n)
		}
	})
}

// Two tabs with a form each buy the cart once.
func TestCheckoutInTwoTabs(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(100)
		if err := m.AddToCart(t.Context(), bob.ID, p.ID, 2, nil, ""); err != nil {
			t.Fatal(err)
		}
		seen := m.seenCart(bob)
		bought := 0
		for _, err := range at(8, func(int) error { return second(m.PlaceOrder(t.Context(), bob, seen, token())) }) {
			switch code(err) {
			case "":
				bought++
			case "shop.cart_empty":
			default:
				t.Error(err)
			}
		}
		if bought != 1 || m.stock(p) != 98 {
			t.Errorf("bought %d times, stock %d", bought, m.stock(p))
		}
	})
}

func (m *market) seenCart(who Person) NewOrder {
	m.t.Helper()
	c, err := m.Cart(context.Background(), who.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	in := NewOrder{Cart: true}
	for _, l := range c.Lines {
		price := l.Product.Amount()
		in.Items = append(in.Items, Item{Product: l.Product.ID, Quantity: l.Quantity, Seen: &price})
	}
	return in
}

// fill puts a line in Bob's cart.
func (m *market) fill(p Product, n int64) {
	m.t.Helper()
	if err := m.AddToCart(context.Background(), bob.ID, p.ID, n, nil, ""); err != nil {
		m.t.Fatal(err)
	}
}

func (m *market) cartOf(who authclient.UserID) Cart {
	m.t.Helper()
	c, err := m.Cart(context.Background(), who)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *market) reprice(p Product, price string) Product {
	m.t.Helper()
	p, err := m.ChangeProduct(context.Background(), p.Seller, p.ID, ProductChange{Price: &price}, "")
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

func (m *market) restock(p Product, n int64) {
	m.t.Helper()
	if _, err := m.ChangeProduct(context.Background(), p.Seller, p.ID, ProductChange{Stock: &n}, ""); err != nil {
		m.t.Fatal(err)
	}
}

func cny(minor int64) *money.Amount { return &money.Amount{Minor: minor, Currency: money.CNY} }

// The cart says what has changed since the buyer looked, and its total leaves out what can't
// be bought.
func TestCartSaysWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		dear, short, out, gone := m.product(5), m.productOf(cara, "Cup", "3.50", 10), m.productOf(ann, "Pot", "7", 1), m.productOf(ann, "Lid", "1", 9)
		for _, p := range []Product{dear, short, out, gone} {
			m.fill(p, 1)
		}
		m.fill(short, 4)
		if c := m.cartOf(bob.ID); c.Changed() || c.Total.Minor != 1200+5*350+700+100 {
			t.Fatalf("nothing has changed: %+v", c)
		}
		m.reprice(dear, "15")
		m.restock(short, 2)
		m.restock(out, 0)
		if err := m.TakeDown(t.Context(), ann.ID, gone.ID); err != nil {
			t.Fatal(err)
		}
		c := m.cartOf(bob.ID)
		if !c.Changed() || !c.Buyable() || c.Total != *cny(1500) {
			t.Errorf("got %+v", c)
		}
		for i, want := range []struct {
			trouble Trouble
			price   bool
			stock   int64
		}{{None, true, 5}, {Short, false, 2}, {SoldOut, false, 0}, {Gone, false, 9}} {
			if l := c.Lines[i]; l.Trouble != want.trouble || l.PriceChanged() != want.price || l.Product.Stock != want.stock {
				t.Errorf("%s: trouble %q, price changed %v, stock %d", l.Product.Title, l.Trouble, l.PriceChanged(), l.Product.Stock)
			}
		}
		if l := c.Lines[0]; l.Seen != *cny(1200) || l.Product.Amount() != *cny(1500) {
			t.Errorf("the price was %v and is %v", l.Seen, l.Product.Amount())
		}

		// Everything as it was seen at first: asked again, and nothing happened.
		if _, err := m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true, Items: []Item{{dear.ID, 1, nil}}}, token()); !errors.Is(err, shopclient.ErrPriceChanged) {
			t.Errorf("at the price that was seen: %v", err)
		} else if f := fault.Of(err); f.Extra["price"] != *cny(1500) || f.Extra["seen"] != *cny(1200) {
			t.Errorf("members %v", f.Extra)
		}
		// Confirmed: what can be bought is bought, the rest stays.
		o, err := m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true, Items: []Item{{dear.ID, 1, cny(1500)}}}, token())
		if err != nil || o.Total != 1500 || len(o.Lines) != 1 {
			t.Fatalf("got %+v, %v", o, err)
		}
		if c := m.cartOf(bob.ID); len(c.Lines) != 3 || c.Buyable() || c.Total.Minor != 0 {
			t.Errorf("left is %+v", c)
		}
	})
}

// What a buyer doesn't name and could buy is asked about: it came back, or was added.
func TestCheckoutLeavesOnlyWhatIsStuck(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(5), m.productOf(cara, "Cup", "3.50", 0)
		m.fill(p, 1)
		m.fill(q, 2)
		seen := NewOrder{Cart: true, Items: []Item{{p.ID, 1, cny(1200)}}}
		m.restock(q, 2)
		if _, err := m.PlaceOrder(t.Context(), bob, seen, token()); !errors.Is(err, shopclient.ErrCartChanged) {
			t.Errorf("a line that can be bought again: %v", err)
		}
		m.restock(q, 1)
		if o, err := m.PlaceOrder(t.Context(), bob, seen, token()); err != nil || o.Total != 1200 {
			t.Errorf("one of two: %+v, %v", o, err)
		}
		// A program that names nothing wants all or nothing, at the prices seen.
		if _, err := m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true}, token()); !errors.Is(err, shopclient.ErrSoldOut) {
			t.Errorf("all of a cart that is stuck: %v", err)
		}
		m.restock(q, 2)
		m.reprice(q, "3.49")
		if _, err := m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true}, token()); !errors.Is(err, shopclient.ErrPriceChanged) {
			t.Errorf("all of a cart, at another price: %v", err)
		}
		if err := m.SetCartQuantity(t.Context(), bob.ID, q.ID, 2, nil); err != nil { // today's price is seen
			t.Fatal(err)
		}
		if o, err := m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true}, token()); err != nil || o.Total != 698 {
			t.Errorf("all of the cart: %+v, %v", o, err)
		}
	})
}

// The price that counts is that of the page on which the buyer was last.
func TestPriceSeen(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.reprice(m.product(5), "15")
		for name, c := range map[string]struct {
			do   func() error
			seen int64
		}{
			"added from an old page": {func() error { return m.AddToCart(t.Context(), bob.ID, p.ID, 1, cny(1200), "") }, 1200},
			"added from a new page":  {func() error { return m.AddToCart(t.Context(), bob.ID, p.ID, 1, nil, "") }, 1500},
			"changed on an old page": {func() error { return m.SetCartQuantity(t.Context(), bob.ID, p.ID, 2, cny(1200)) }, 1200},
			"changed on a new page":  {func() error { return m.SetCartQuantity(t.Context(), bob.ID, p.ID, 2, cny(1500)) }, 1500},
			"a price that can't be":  {func() error { return m.SetCartQuantity(t.Context(), bob.ID, p.ID, 2, cny(-1)) }, 1500},
			"a price of another money": {func() error {
				return m.SetCartQuantity(t.Context(), bob.ID, p.ID, 2, &money.Amount{Minor: 7, Currency: "EUR"})
			}, 1500},
		} {
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			if got := m.cartOf(bob.ID).Lines[0].Seen.Minor; got != c.seen {
				t.Errorf("%s: %d seen, want %d", name, got, c.seen)
			}
		}
	})
}

// A key that was used gives the same answer whatever has become of the product and the cart.
func TestTheSameAdditionAgain(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx := t.Context()
		p, key := m.product(5), token()
		add := func() error { return m.AddToCart(ctx, bob.ID, p.ID, 2, nil, key) }
		for _, err := range []error{add(), m.RemoveFromCart(ctx, bob.ID, p.ID), m.TakeDown(ctx, ann.ID, p.ID)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := add(); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if n, err := m.CartCount(ctx, bob.ID); err != nil || n != 0 {
			t.Errorf("%d pieces are in the cart, %v; want none", n, err)
		}
		if err := m.AddToCart(ctx, bob.ID, p.ID, 2, nil, token()); !errors.Is(err, shopclient.ErrNoProduct) {
			t.Errorf("another one: %v", err)
		}
	})
}

// An id longer than any product's is one that there isn't, with a key too.
func TestAddWhatThereCantBe(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		for _, pid := range []ProductID{ProductID(strings.Repeat("x", 5000)), ProductID(strings.Repeat("🫖", 64))} {
			for _, key := range []string{"", token()} {
				if err := m.AddToCart(t.Context(), bob.ID, pid, 1, nil, key); !errors.Is(err, shopclient.ErrNoProduct) {
					t.Errorf("%d bytes with key %q: %v", len(pid), key, err)
				}
			}
		}
	})
}
