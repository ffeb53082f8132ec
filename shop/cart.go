package shop

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

const (
	maxQuantity = 999 // pieces of one product in a cart or an order
	maxLines    = 100 // products in a cart or an order
)

// cartLine is a row.
type cartLine struct {
	bun.BaseModel `bun:"table:cart_lines"`

	Buyer     authclient.UserID `bun:",pk"`
	ProductID ProductID         `bun:",pk"`
	Quantity  int64
	AddedAt   database.Time
}

var cartKey = []string{"buyer", "product_id"}

func (s *Service) cartLine(buyer authclient.UserID, pid ProductID, n int64) *cartLine {
	return &cartLine{Buyer: buyer, ProductID: pid, Quantity: n, AddedAt: database.At(s.now())}
}

// Cart is what a buyer means to buy. Nothing in it is reserved.
type Cart struct {
	Lines []CartLine   // as they were added
	Total money.Amount // of the available lines
}

// CartLine is a product in a cart, as it is sold now.
type CartLine struct {
	Product   Product
	Quantity  int64
	Total     money.Amount
	Available bool // it is still sold, and there are that many
}

// AddToCart puts n more of a product in the cart, once per key; key may be empty.
func (s *Service) AddToCart(ctx context.Context, buyer authclient.UserID, pid ProductID, n int64, key string) error {
	if n < 1 || n > maxQuantity {
		return shopclient.ErrQuantity
	}
	if err := s.fits(ctx, buyer, pid); err != nil {
		return err
	}
	_, err := s.once(ctx, use{"cart", buyer, key, []any{pid, n}}, string(pid), func(ctx context.Context, tx bun.Tx) error {
		// The row comes first, so that the update always finds one and two additions at once
		// both count.
		_, err := database.Upsert(tx.NewInsert().Model(s.cartLine(buyer, pid, 0)), cartKey).Exec(ctx)
		if err != nil {
			return fmt.Errorf("add product %s to the cart: %w", pid, err)
		}
		fits, err := database.Changed(tx.NewUpdate().Model((*cartLine)(nil)).
			Set("quantity = quantity + ?", n).
			Where("buyer = ?", buyer).
			Where("product_id = ?", pid).
			Where("quantity + ? <= ?", n, maxQuantity).
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("count product %s in the cart: %w", pid, err)
		}
		if !fits {
			return shopclient.ErrQuantity
		}
		return nil
	})
	return err
}

// SetCartQuantity puts n of a product in the cart, however many there were.
func (s *Service) SetCartQuantity(ctx context.Context, buyer authclient.UserID, pid ProductID, n int64) error {
	if n < 1 || n > maxQuantity {
		return shopclient.ErrQuantity
	}
	if err := s.fits(ctx, buyer, pid); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := database.Upsert(tx.NewInsert().Model(s.cartLine(buyer, pid, n)), cartKey, "quantity").Exec(ctx)
		if err != nil {
			return fmt.Errorf("set the quantity of product %s in the cart: %w", pid, err)
		}
		return nil
	})
}

// fits tells whether a product may come into the cart: it is sold, or there already, and
// the cart isn't full. Two additions at once may pass the limit by one, which harms nobody.
func (s *Service) fits(ctx context.Context, buyer authclient.UserID, pid ProductID) error {
	var lines []cartLine
	if err := s.db.NewSelect().Model(&lines).Where("buyer = ?", buyer).Scan(ctx); err != nil {
		return fmt.Errorf("read the cart: %w", err)
	}
	for _, l := range lines {
		if l.ProductID == pid {
			return nil
		}
	}
	if len(lines) >= maxLines {
		return shopclient.ErrCartFull
	}
	p, err := s.Product(ctx, pid)
	if err != nil {
		return err
	}
	if p.State != Listed {
		return shopclient.ErrNoProduct
	}
	return nil
}

// RemoveFromCart takes a product out of the cart; one that isn't there is no error.
func (s *Service) RemoveFromCart(ctx context.Context, buyer authclient.UserID, pid ProductID) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*cartLine)(nil)).Where("buyer = ?", buyer).Where("product_id = ?", pid).Exec(ctx)
		if err != nil {
			return fmt.Errorf("take product %s out of the cart: %w", pid, err)
		}
		return nil
	})
}

// Cart is the buyer's cart with today's prices.
func (s *Service) Cart(ctx context.Context, buyer authclient.UserID) (Cart, error) {
	c := Cart{Total: money.Amount{Currency: s.currency}}
	var rows []cartLine
	err := s.db.NewSelect().Model(&rows).Where("buyer = ?", buyer).Order("added_at", "product_id").Scan(ctx)
	if err != nil {
		return Cart{}, fmt.Errorf("read the cart: %w", err)
	}
	ids := make([]ProductID, len(rows))
	for i, r := range rows {
		ids[i] = r.ProductID
	}
	products, err := s.productsByID(ctx, s.db.NewSelect(), ids)
	if err != nil {
		return Cart{}, err
	}
	stock, err := s.stockOf(ctx, ids...)
	if err != nil {
		return Cart{}, err
	}
	for _, r := range rows {
		p := products[r.ProductID]
		p.Stock = stock[p.ID]
		l := CartLine{Product: p, Quantity: r.Quantity, Available: s.buyable(p) && p.Stock >= r.Quantity}
		if l.Total, err = p.Amount().Times(r.Quantity); err != nil {
			return Cart{}, fmt.Errorf("total of product %s in the cart: %w", p.ID, err)
		}
		if l.Available {
			if c.Total, err = c.Total.Add(l.Total); err != nil {
				return Cart{}, fmt.Errorf("total of the cart: %w", err)
			}
		}
		c.Lines = append(c.Lines, l)
	}
	return c, nil
}

// buyable tells whether a product may come into an order; its stock is the ledger's matter.
func (s *Service) buyable(p Product) bool {
	return p.State == Listed && p.Currency == s.currency
}

// productsByID reads products, whatever their state. q decides whether in a transaction.
func (s *Service) productsByID(ctx context.Context, q *bun.SelectQuery, ids []ProductID) (map[ProductID]Product, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var all []Product
	if err := q.Model(&all).Where("id IN (?)", bun.In(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	products := make(map[ProductID]Product, len(all))
	for _, p := range all {
		products[p.ID] = p
	}
	return products, nil
}

// CartCount is how many pieces are in the cart.
func (s *Service) CartCount(ctx context.Context, buyer authclient.UserID) (int, error) {
	var n int
	err := s.db.NewSelect().Model((*cartLine)(nil)).ColumnExpr("COALESCE(SUM(quantity), 0)").Where("buyer = ?", buyer).Scan(ctx, &n)
	if err != nil {
		return 0, fmt.Errorf("count the cart: %w", err)
	}
	return n, nil
}
