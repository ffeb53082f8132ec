package shop

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

// What a guest's cart holds at most, so that a cookie has room for it.
const (
	guestLines = 40
	guestKeys  = 8
)

// GuestCart is the cart of somebody who isn't logged in. Its keeper is the visitor, so it is
// a value: the methods of Service that change it give the new one. It holds nothing that
// says who the visitor is. The short names are those in the cookie.
type GuestCart struct {
	ID    string      `json:"i,omitempty"` // spent when it is merged
	Lines []GuestLine `json:"l,omitempty"` // as they were added
	Keys  []string    `json:"k,omitempty"` // of the last additions, so that a form adds once
}

// GuestLine is a product in a guest's cart.
type GuestLine struct {
	Product  ProductID `json:"p"`
	Quantity int64     `json:"n"`
	Price    int64     `json:"s"` // of one piece as the guest saw it, minor units
}

// Count is how many pieces are in the cart.
func (g GuestCart) Count() int {
	n := int64(0)
	for _, l := range g.Lines {
		n += l.Quantity
	}
	return int(n)
}

func (g GuestCart) find(pid ProductID) int {
	return slices.IndexFunc(g.Lines, func(l GuestLine) bool { return l.Product == pid })
}

// AddToGuestCart is AddToCart for somebody who isn't logged in.
func (s *Service) AddToGuestCart(ctx context.Context, g GuestCart, pid ProductID, n int64, seen *money.Amount, key string) (GuestCart, error) {
	mark := markOf(key)
	if key != "" && slices.Contains(g.Keys, mark) {
		return g, nil
	}
	if k := g.find(pid); k >= 0 && n >= 1 {
		n += g.Lines[k].Quantity
	}
	g, err := s.SetGuestQuantity(ctx, g, pid, n, seen)
	if err != nil {
		return g, err
	}
	if key != "" {
		g.Keys = append(slices.Clone(g.Keys), mark)
		g.Keys = g.Keys[max(0, len(g.Keys)-guestKeys):]
	}
	return g, nil
}

// markOf is as much of a key as a guest's cart has room for.
func markOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// SetGuestQuantity is SetCartQuantity for somebody who isn't logged in.
func (s *Service) SetGuestQuantity(ctx context.Context, g GuestCart, pid ProductID, n int64, seen *money.Amount) (GuestCart, error) {
	l, p, err := s.newLine(ctx, s.db.NewSelect(), pid, n, seen)
	if err != nil {
		return g, err
	}
	line := GuestLine{Product: pid, Quantity: n, Price: l.Price}
	if k := g.find(pid); k >= 0 {
		g.Lines = slices.Clone(g.Lines)
		g.Lines[k] = line
		return g, nil
	}
	if len(g.Lines) >= guestLines {
		return g, shopclient.ErrGuestFull
	}
	if p.State != Listed {
		return g, shopclient.ErrNoProduct
	}
	if g.ID == "" {
		g.ID = rand.Text()
	}
	g.Lines = append(slices.Clone(g.Lines), line)
	return g, nil
}

// Without is the cart without a product.
func (g GuestCart) Without(pid ProductID) GuestCart {
	g.Lines = slices.DeleteFunc(slices.Clone(g.Lines), func(l GuestLine) bool { return l.Product == pid })
	return g
}

// GuestCart is a guest's cart with today's prices.
func (s *Service) GuestCart(ctx context.Context, g GuestCart) (Cart, error) {
	return s.today(ctx, s.rowsOf(g, ""))
}

// rowsOf are the lines of a guest's cart as those of a user's.
func (s *Service) rowsOf(g GuestCart, buyer authclient.UserID) []cartLine {
	rows, now := make([]cartLine, len(g.Lines)), s.now()
	for i, l := range g.Lines {
		rows[i] = cartLine{
			Buyer: buyer, ProductID: l.Product, Quantity: l.Quantity, Price: l.Price,
			AddedAt: database.At(now.Add(time.Duration(i) * time.Microsecond)), // they stay in order
		}
	}
	return rows
}

// MergeCart puts what a guest had in the cart into that of the user that the guest turned
// out to be, as if the user had been logged in all along: quantities add up, to the most
// that a line may have, and the price seen is the guest's, which is newer. The cart may
// have more lines than maxLines then; none is lost.
//
// A guest's cart is merged once, into one user's cart, however often and from wherever it
// is sent: its id is spent in the same transaction.
func (s *Service) MergeCart(ctx context.Context, buyer authclient.UserID, g GuestCart) error {
	if len(g.Lines) == 0 {
		return nil
	}
	const scope = "cart.merge"
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := database.Once(ctx, tx, scope, g.ID, "", string(buyer)); err != nil {
			return err
		}
		return s.merge(ctx, tx, s.rowsOf(g, buyer))
	})
	if errors.Is(err, database.ErrUsed) {
		return nil
	}
	if errors.Is(err, database.ErrUnknown) { // the reply to our commit got lost: look
		if _, used, lookErr := s.db.Used(ctx, scope, g.ID, ""); lookErr == nil && used {
			return nil
		}
	}
	return err
}

func (s *Service) merge(ctx context.Context, tx bun.Tx, rows []cartLine) error {
	// In the order in which rows are locked.
	slices.SortFunc(rows, func(a, b cartLine) int { return cmp.Compare(a.ProductID, b.ProductID) })
	buyer, ids, none := rows[0].Buyer, make([]ProductID, len(rows)), slices.Clone(rows)
	for i := range rows {
		ids[i], none[i].Quantity = rows[i].ProductID, 0
	}
	// The rows come first, so that all are there to be locked: what others add or take away
	// meanwhile counts before or after.
	if _, err := database.Upsert(tx.NewInsert().Model(&none), cartKey).Exec(ctx); err != nil {
		return fmt.Errorf("merge a cart: %w", err)
	}
	var have []cartLine
	q := tx.NewSelect().Model(&have).Where("buyer = ?", buyer).Where("product_id IN (?)", bun.In(ids)).Order("product_id")
	if err := database.ForUpdate(q).Scan(ctx); err != nil {
		return fmt.Errorf("read the cart to merge into: %w", err)
	}
	for i := range have {
		k := slices.Index(ids, have[i].ProductID)
		have[i].Quantity = min(have[i].Quantity+rows[k].Quantity, maxQuantity)
		have[i].Price = rows[k].Price
	}
	if _, err := database.Upsert(tx.NewInsert().Model(&have), cartKey, "quantity", "price").Exec(ctx); err != nil {
		return fmt.Errorf("merge a cart: %w", err)
	}
	return nil
}
