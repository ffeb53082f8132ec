package shopweb

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"jishi/kit/money"
	"jishi/kit/ops"
	"jishi/kit/ui"
	"jishi/shop"
)

// The cart of somebody who isn't logged in lies in the browser, sealed. After an addition the
// cookie lives for as long as the market remembers what it has merged.
const (
	guestCookie = "jishi_cart"
	cartLife    = 30 * 24 * time.Hour
)

type guestKey struct{}

// guest is the cart that the browser brought along. Only the handlers behind carts have it,
// and only while nobody is logged in it is the one that counts.
func guest(ctx context.Context) shop.GuestCart {
	g, _ := ctx.Value(guestKey{}).(shop.GuestCart)
	return g
}

// carts finds the cart of whoever reads a page. The first page after a login merges a
// guest's cart into the user's; if that can't be done now, the next page does.
func (p *pages) carts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		g, sealed := p.readGuest(r)
		if p.user(ctx).ID == "" {
			_, none := r.Cookie(ui.CartCookie)
			if n := g.Count(); n != ui.From(ctx).Cart || (n == 0 && none == nil) {
				p.showBadge(w, r, n)
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, guestKey{}, g)))
			return
		}
		var err error
		if sealed {
			if err = p.shop.MergeCart(ctx, p.user(ctx).ID, g); err == nil {
				p.cookies.Clear(w, guestCookie)
			}
		}
		if _, none := r.Cookie(ui.CartCookie); err == nil && (sealed || none != nil) {
			_, err = p.countCart(w, r)
		}
		if err != nil {
			ops.Note(ctx, slog.String("cart_err", err.Error()))
		}
		next.ServeHTTP(w, r)
	})
}

// readGuest tells also whether there is a cookie at all: one that can't be read is taken
// back like one that was merged.
func (p *pages) readGuest(r *http.Request) (g shop.GuestCart, sealed bool) {
	value := p.cookies.Get(r, guestCookie)
	if value == "" {
		return shop.GuestCart{}, false
	}
	plain, err := p.sealer.Open(guestCookie, value)
	if err != nil || json.Unmarshal(plain, &g) != nil {
		return shop.GuestCart{}, true
	}
	return g, true
}

// keepGuest gives the browser its cart as it is now, and the handler a request that has it.
func (p *pages) keepGuest(w http.ResponseWriter, r *http.Request, g shop.GuestCart) (*http.Request, error) {
	if len(g.Lines) == 0 {
		p.cookies.Clear(w, guestCookie)
	} else {
		plain, err := json.Marshal(g)
		if err != nil {
			return nil, err
		}
		p.cookies.Set(w, guestCookie, p.sealer.Seal(guestCookie, plain), cartLife)
	}
	return r.WithContext(context.WithValue(r.Context(), guestKey{}, g)), nil
}

// showBadge has the header of this page show that many pieces and, by a cookie, those of
// the other modules. A guest's nothing is no cookie, so that a login looks for the user's
// number.
func (p *pages) showBadge(w http.ResponseWriter, r *http.Request, n int) {
	ui.From(r.Context()).Cart = n
	c := http.Cookie{
		Name: ui.CartCookie, Value: strconv.Itoa(n), Path: "/", MaxAge: int(cartLife / time.Second),
		HttpOnly: true, Secure: p.cookies.Secure, SameSite: http.SameSiteLaxMode,
	}
	if n == 0 && p.user(r.Context()).ID == "" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, &c) // plain: its name is the same for all modules
}

// countCart brings the badge up to date.
func (p *pages) countCart(w http.ResponseWriter, r *http.Request) (int, error) {
	ctx := r.Context()
	n := guest(ctx).Count()
	if user := p.user(ctx); user.ID != "" {
		var err error
		if n, err = p.shop.CartCount(ctx, user.ID); err != nil {
			return 0, err
		}
	}
	p.showBadge(w, r, n)
	return n, nil
}

// The three that follow do the same to the cart of a user and to that of a guest; they
// give the request with the cart as it is then.

func (p *pages) putInCart(w http.ResponseWriter, r *http.Request, pid shop.ProductID, n int64, seen *money.Amount, token string) (*http.Request, error) {
	ctx := r.Context()
	if user := p.user(ctx); user.ID != "" {
		return r, p.shop.AddToCart(ctx, user.ID, pid, n, seen, token)
	}
	g, err := p.shop.AddToGuestCart(ctx, guest(ctx), pid, n, seen, token)
	if err != nil {
		return r, err
	}
	return p.keepGuest(w, r, g)
}

func (p *pages) setInCart(w http.ResponseWriter, r *http.Request, pid shop.ProductID, n int64, seen *money.Amount) (*http.Request, error) {
	ctx := r.Context()
	if user := p.user(ctx); user.ID != "" {
		return r, p.shop.SetCartQuantity(ctx, user.ID, pid, n, seen)
	}
	g, err := p.shop.SetGuestQuantity(ctx, guest(ctx), pid, n, seen)
	if err != nil {
		return r, err
	}
	return p.keepGuest(w, r, g)
}

func (p *pages) takeFromCart(w http.ResponseWriter, r *http.Request, pid shop.ProductID) (*http.Request, error) {
	ctx := r.Context()
	if user := p.user(ctx); user.ID != "" {
		return r, p.shop.RemoveFromCart(ctx, user.ID, pid)
	}
	return p.keepGuest(w, r, guest(ctx).Without(pid))
}

// cartOf is the reader's cart.
func (p *pages) cartOf(ctx context.Context) (shop.Cart, error) {
	if user := p.user(ctx); user.ID != "" {
		return p.shop.Cart(ctx, user.ID)
	}
	return p.shop.GuestCart(ctx, guest(ctx))
}

// glimpsed is the price that stood beside a form of the cart, nil where it says none.
func (p *pages) glimpsed(decimal string) *money.Amount {
	a, err := money.Parse(decimal, p.shop.Currency())
	if err != nil {
		return nil
	}
	return &a
}
