package shop

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
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

// mergeTries bounds how often a merge looks again for what others merged at the same moment.
const mergeTries = 8

// GuestCart is the cart of somebody who isn't logged in. Its keeper is the visitor, so it is
// a value: the methods of Service that change it give the new one. It holds nothing that
// says who the visitor is. The short names are those in the cookie.
type GuestCart struct {
	ID    string      `json:"i,omitempty"` // what of it was merged is known by it
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
// Each piece is merged once, into one user's cart, however often and from wherever the cart
// is sent: what was merged is recorded in the same transaction. What comes late, in a cart
// that a tab was adding to while another one logged in, is merged when it comes.
func (s *Service) MergeCart(ctx context.Context, buyer authclient.UserID, g GuestCart) error {
	if len(g.Lines) == 0 {
		return nil
	}
	var err error
	for range mergeTries {
		err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			rest, claims, err := unmerged(ctx, tx, g)
			if err != nil || len(rest.Lines) == 0 {
				return err
			}
			if err := database.RecordClaims(ctx, tx, claims); err != nil {
				return err
			}
			return s.merge(ctx, tx, s.rowsOf(rest, buyer))
		})
		if !database.Taken(err) { // else somebody merged at the same moment: what is left?
			break
		}
	}
	return err
}

// unmerged is what of a guest's cart wasn't merged yet, and the claims to record when it is.
// The first claim of a line says up to how many pieces it was merged; where the line has
// grown since, its next claim goes on from there.
func unmerged(ctx context.Context, tx bun.Tx, g GuestCart) (GuestCart, []database.Claim, error) {
	rest, lines, merged := GuestCart{ID: g.ID}, g.Lines, map[ProductID]int64{}
	var toRecord []database.Claim
	for len(lines) > 0 { // each time with more pieces merged, so it ends
		claims := make([]database.Claim, len(lines))
		for i, l := range lines {
			u := database.Use{Scope: "cart.merge", Key: fmt.Sprintf("%s/%s/%d", g.ID, l.Product, merged[l.Product])}
			var err error
			if claims[i], err = u.Claim(strconv.FormatInt(l.Quantity, 10)); err != nil {
				return GuestCart{}, nil, err
			}
		}
		past, err := database.LookUpClaims(ctx, tx, claims)
		if err != nil {
			return GuestCart{}, nil, err
		}
		var grown []GuestLine
		for i, l := range lines {
			if past[i].Result == "" {
				l.Quantity -= merged[l.Product]
				rest.Lines, toRecord = append(rest.Lines, l), append(toRecord, claims[i])
				continue
			}
			upTo, err := strconv.ParseInt(past[i].Result, 10, 64)
			if err != nil {
				return GuestCart{}, nil, fmt.Errorf("read what was merged of product %s: %w", l.Product, err)
			}
			if upTo < l.Quantity {
				merged[l.Product], grown = upTo, append(grown, l)
			}
		}
		lines = grown
	}
	return rest, toRecord, nil
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
