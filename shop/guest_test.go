package shop

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"jishi/auth/authclient"
	"jishi/kit/web"
	"jishi/shop/shopclient"
)

// guest is a guest's cart with n of each product.
func (m *market) guest(n int64, products ...Product) GuestCart {
	m.t.Helper()
	var g GuestCart
	for _, p := range products {
		var err error
		if g, err = m.AddToGuestCart(m.t.Context(), g, p.ID, n, nil, ""); err != nil {
			m.t.Fatal(err)
		}
	}
	return g
}

func TestGuestCart(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx, p, q := t.Context(), m.product(5), m.productOf(cara, "Cup", "3.50", 100)
		g, key := m.guest(2, p, q), token()
		for range 2 { // a double click
			var err error
			if g, err = m.AddToGuestCart(ctx, g, p.ID, 1, nil, key); err != nil {
				t.Fatal(err)
			}
		}
		c, err := m.GuestCart(ctx, g)
		if err != nil || len(c.Lines) != 2 || c.Lines[0].Quantity != 3 || c.Total.Minor != 3*1200+2*350 || g.Count() != 5 || c.Changed() {
			t.Fatalf("got %+v, %v", c, err)
		}
		for name, c := range map[string]struct {
			pid  ProductID
			n    int64
			want error
		}{
			"none":                     {p.ID, 0, shopclient.ErrQuantity},
			"less than none":           {p.ID, -1, shopclient.ErrQuantity},
			"too many together":        {p.ID, 997, shopclient.ErrQuantity},
			"so many that they wrap":   {p.ID, 1<<63 - 1, shopclient.ErrQuantity},
			"what there never was":     {"prd_x", 1, shopclient.ErrNoProduct},
			"what there can't ever be": {ProductID(strings.Repeat("x", 5000)), 1, shopclient.ErrNoProduct},
		} {
			if after, err := m.AddToGuestCart(ctx, g, c.pid, c.n, nil, ""); !errors.Is(err, c.want) || after.Count() != 5 {
				t.Errorf("%s: %v, %d pieces", name, err, after.Count())
			}
		}
		g, err = m.SetGuestQuantity(ctx, g.Without(q.ID), p.ID, 6, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.reprice(p, "15")
		if c, err = m.GuestCart(ctx, g); err != nil || len(c.Lines) != 1 || c.Lines[0].Trouble != Short || !c.Lines[0].PriceChanged() || c.Total.Minor != 0 {
			t.Errorf("six of five: %+v, %v", c, err)
		}
		if err := m.TakeDown(ctx, ann.ID, p.ID); err != nil {
			t.Fatal(err)
		}
		if c, err = m.GuestCart(ctx, g); err != nil || c.Lines[0].Trouble != Gone {
			t.Errorf("what was taken down: %+v, %v", c, err)
		}
		if _, err := m.AddToGuestCart(ctx, GuestCart{}, p.ID, 1, nil, ""); !errors.Is(err, shopclient.ErrNoProduct) {
			t.Errorf("put in what was taken down: %v", err)
		}
	})
}

// A guest's cart has a limit, and at it the sealed cookie is one that browsers keep.
func TestGuestCartFitsACookie(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		var g GuestCart
		for i := range guestLines + 1 {
			p := m.productOf(ann, fmt.Sprint("Cup ", i), "1", 1)
			next, err := m.AddToGuestCart(t.Context(), g, p.ID, maxQuantity, cny(maxSeen), token())
			if full := i == guestLines; full != errors.Is(err, shopclient.ErrGuestFull) || (err != nil && !full) {
				t.Fatalf("product %d: %v", i, err)
			}
			g = next
		}
		plain, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(web.NewSealer([][]byte{web.NewSecret()}).Seal("cart", plain)); n > 3900 {
			t.Errorf("the cookie has %d bytes", n)
		}
	})
}

// After login the cart is as if the buyer had been logged in all along.
func TestMerge(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx, p, q, r := t.Context(), m.product(5), m.productOf(cara, "Cup", "3.50", 100), m.productOf(ann, "Lid", "1", 2000)
		m.fill(p, 2)
		m.fill(r, 990)
		g := m.guest(3, q, p)
		g, err := m.AddToGuestCart(ctx, g, r.ID, 10, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		m.reprice(p, "15")
		if g, err = m.SetGuestQuantity(ctx, g, p.ID, 3, nil); err != nil { // the guest saw the new price
			t.Fatal(err)
		}
		if err := m.MergeCart(ctx, bob.ID, g); err != nil {
			t.Fatal(err)
		}
		c := m.cartOf(bob.ID)
		if len(c.Lines) != 3 || c.Lines[0].Product.ID != p.ID || c.Lines[0].Quantity != 5 || c.Lines[0].PriceChanged() ||
			c.Lines[1].Quantity != maxQuantity || c.Lines[2].Product.ID != q.ID || c.Lines[2].Quantity != 3 {
			t.Fatalf("got %+v", c)
		}
		// The reply was lost, and the cookie comes once more; or somebody else logs in with it.
		for _, user := range []authclient.UserID{bob.ID, cara.ID} {
			if err := m.MergeCart(ctx, user, g); err != nil {
				t.Fatal(err)
			}
		}
		if n, _ := m.CartCount(ctx, bob.ID); n != 5+maxQuantity+3 {
			t.Errorf("%d pieces after the second time", n)
		}
		if n, _ := m.CartCount(ctx, cara.ID); n != 0 {
			t.Errorf("somebody else has got %d pieces", n)
		}
		if err := m.MergeCart(ctx, bob.ID, GuestCart{}); err != nil {
			t.Errorf("an empty cart: %v", err)
		}
	})
}

// A tab adds to the guest's cart while another one logs in and merges it: what comes late
// counts as well, once.
func TestMergeOfWhatCameLate(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx, p, q := t.Context(), m.product(5), m.productOf(cara, "Cup", "3.50", 100)
		first := m.guest(2, p)
		other, otherErr := m.AddToGuestCart(ctx, first, q.ID, 1, nil, "")
		more, moreErr := m.AddToGuestCart(ctx, first, p.ID, 3, nil, "")
		fewer, fewerErr := m.SetGuestQuantity(ctx, first, p.ID, 1, nil)
		if err := errors.Join(otherErr, moreErr, fewerErr); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name     string
			g        GuestCart
			ofP, ofQ int64
		}{
			{"the first", first, 2, 0},
			{"another product", other, 2, 1},
			{"more of the same", more, 5, 1},
			{"fewer", fewer, 5, 1},
			{"the first again", first, 5, 1},
			{"another product again", other, 5, 1},
			{"more again", more, 5, 1},
		} {
			if err := m.MergeCart(ctx, bob.ID, c.g); err != nil {
				t.Fatal(err)
			}
			n := map[ProductID]int64{}
			for _, l := range m.cartOf(bob.ID).Lines {
				n[l.Product.ID] = l.Quantity
			}
			if n[p.ID] != c.ofP || n[q.ID] != c.ofQ {
				t.Errorf("%s: %d and %d in the cart, want %d and %d", c.name, n[p.ID], n[q.ID], c.ofP, c.ofQ)
			}
		}
	})
}

// Several that came late, at once and each more than once: the most of them counts.
func TestMergingWhatCameLateAtOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(5), m.productOf(cara, "Cup", "3.50", 100)
		for round := range 5 {
			user, first := authclient.UserID(fmt.Sprint("usr_", round)), m.guest(1, p, q)
			for _, err := range at(12, func(i int) error {
				g, err := m.SetGuestQuantity(t.Context(), first, p.ID, int64(1+i%3), nil)
				if err != nil {
					return err
				}
				return m.MergeCart(t.Context(), user, g)
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			if n, err := m.CartCount(t.Context(), user); n != 3+1 || err != nil {
				t.Errorf("round %d: %d pieces, %v; want 4", round, n, err)
			}
		}
	})
}

// However many requests bring the same cookie at once, while another tab goes on adding.
func TestMergingAtOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		products := make([]Product, 6)
		for i := range products {
			products[i] = m.productOf(ann, fmt.Sprint("Cup ", i), "1", 100)
		}
		m.fill(products[0], 1)
		for round := range 5 {
			user := authclient.UserID(fmt.Sprint("usr_", round))
			g := m.guest(2, products...)
			for _, err := range at(12, func(i int) error {
				if i%4 == 0 {
					return m.AddToCart(t.Context(), user, products[i/4].ID, 1, nil, "")
				}
				return m.MergeCart(t.Context(), user, g)
			}) {
				if err != nil {
					t.Error(err)
				}
			}
			for _, l := range m.cartOf(user).Lines {
				want := int64(2)
				if l.Product.ID == products[0].ID || l.Product.ID == products[1].ID || l.Product.ID == products[2].ID {
					want = 3
				}
				if l.Quantity != want {
					t.Errorf("round %d: %d of %s, want %d", round, l.Quantity, l.Product.Title, want)
				}
			}
		}
	})
}

// The cart is ordered in one tab while another one logs in: each line is bought or still
// there, none is lost or doubled.
func TestMergeRacesCheckout(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(100), m.productOf(cara, "Cup", "1", 100)
		for range 5 {
			m.fill(p, 1)
			g, seen := m.guest(2, p, q), m.seenCart(bob)
			var bought bool
			at(2, func(i int) error {
				if i == 0 {
					err := m.MergeCart(t.Context(), bob.ID, g)
					if err != nil {
						t.Error(err)
					}
					return err
				}
				_, err := m.PlaceOrder(t.Context(), bob, seen, token())
				if bought = err == nil; !bought && !errors.Is(err, shopclient.ErrCartChanged) {
					t.Error(err)
				}
				return nil
			})
			want := 5
			if bought {
				want = 4
			}
			if n, _ := m.CartCount(t.Context(), bob.ID); n != want {
				t.Fatalf("bought %v, %d pieces left, want %d", bought, n, want)
			}
			for _, x := range []Product{p, q} {
				if err := m.RemoveFromCart(t.Context(), bob.ID, x.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
