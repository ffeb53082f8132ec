package shop

import (
	"context"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

const (
	maxQuantity = 999            // pieces of one product in a cart or an order
	maxLines    = 100            // products in a cart or an order
	maxSeen     = 10_000_000_000 // minor units of a price that somebody says to have seen
)

// cartLine is a row.
type cartLine struct {
	bun.BaseModel `bun:"table:cart_lines"`

	Buyer     authclient.UserID `bun:",pk"`
	ProductID ProductID         `bun:",pk"`
	Quantity  int64
	Price     int64 // of one piece as the buyer saw it, minor units of the product's currency; 0 is not known
	AddedAt   database.Time
}

var cartKey = []string{"buyer", "product_id"}

// Cart is what somebody means to buy. Nothing in it is reserved.
type Cart struct {
	Lines []CartLine   // as they were added
	Total money.Amount // of the lines that can be bought
}

// Changed tells whether something is not as the buyer saw it.
func (c Cart) Changed() bool {
	return slices.ContainsFunc(c.Lines, func(l CartLine) bool { return l.Trouble != None || l.PriceChanged() })
}

// Buyable tells whether there is something that can be bought.
func (c Cart) Buyable() bool {
	return slices.ContainsFunc(c.Lines, func(l CartLine) bool { return l.Trouble == None })
}

// Trouble is why a line of a cart can't be bought.
type Trouble string

// The troubles of a line. None is none.
const (
	None    Trouble = ""
	Gone    Trouble = shopclient.Gone    // it was taken down
	SoldOut Trouble = shopclient.SoldOut // nothing is left
	Short   Trouble = shopclient.Short   // too little is left
)

// CartLine is a product in a cart, as it is sold now.
type CartLine struct {
	Product  Product
	Quantity int64
	Total    money.Amount
	Trouble  Trouble
	Seen     money.Amount // price of one piece as the buyer saw it last
}

// PriceChanged tells whether a piece costs something else than the buyer saw.
func (l CartLine) PriceChanged() bool { return l.Trouble != Gone && l.Seen != l.Product.Amount() }

// AddToCart puts n more of a product in the cart, once per key; key may be empty. Seen is
// the price that the buyer saw, nil for today's.
func (s *Service) AddToCart(ctx context.Context, buyer authclient.UserID, pid ProductID, n int64, seen *money.Amount, key string) error {
	_, err := s.db.InTxOnce(ctx, use("cart", buyer, key, []any{pid, n}), "", func(ctx context.Context, tx bun.Tx) error {
		row, err := s.lineFor(ctx, tx, buyer, pid, n, seen)
		if err != nil {
			return err
		}
		row.Quantity = 0
		// The row comes first, so that the update always finds one and two additions at once
		// both count.
		_, err = database.Upsert(tx.NewInsert().Model(&row), cartKey).Exec(ctx)
		if err != nil {
			return fmt.Errorf("add product %s to the cart: %w", pid, err)
		}
		fits, err := database.Changed(tx.NewUpdate().Model((*cartLine)(nil)).
			Set("quantity = quantity + ?", n).
			Set("price = ?", row.Price).
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

// SetCartQuantity puts n of a product in the cart, however many there were. Seen is the
// price that the buyer saw, nil for today's.
func (s *Service) SetCartQuantity(ctx context.Context, buyer authclient.UserID, pid ProductID, n int64, seen *money.Amount) error {
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := s.lineFor(ctx, tx, buyer, pid, n, seen)
		if err != nil {
			return err
		}
		_, err = database.Upsert(tx.NewInsert().Model(&row), cartKey, "quantity", "price").Exec(ctx)
		if err != nil {
			return fmt.Errorf("set the quantity of product %s in the cart: %w", pid, err)
		}
		return nil
	})
}

// newLine is a line of nobody's cart yet, and its product. q decides whether in a transaction.
func (s *Service) newLine(ctx context.Context, q *bun.SelectQuery, pid ProductID, n int64, seen *money.Amount) (cartLine, Product, error) {
	if n < 1 || n > maxQuantity {
		return cartLine{}, Product{}, shopclient.ErrQuantity
	}
	products, err := s.productsByID(ctx, q, []ProductID{pid})
	if err != nil {
		return cartLine{}, Product{}, err
	}
	p, ok := products[pid]
	if !ok {
		return cartLine{}, Product{}, shopclient.ErrNoProduct
	}
	l := cartLine{ProductID: pid, Quantity: n, Price: p.Price, AddedAt: database.At(s.now())}
	if seen != nil && seen.Currency == p.Currency && seen.Minor > 0 && seen.Minor <= maxSeen {
		l.Price = seen.Minor
	}
	return l, p, nil
}

// lineFor is a line of a user's cart whose product may come into it: it is sold, or there
// already, and the cart isn't full. Two additions at once may pass the limit by one, which
// harms nobody.
func (s *Service) lineFor(ctx context.Context, tx bun.Tx, buyer authclient.UserID, pid ProductID, n int64, seen *money.Amount) (cartLine, error) {
	l, p, err := s.newLine(ctx, tx.NewSelect(), pid, n, seen)
	if err != nil {
		return cartLine{}, err
	}
	l.Buyer = buyer
	var ids []ProductID
	if err := tx.NewSelect().Model((*cartLine)(nil)).Column("product_id").Where("buyer = ?", buyer).Scan(ctx, &ids); err != nil {
		return cartLine{}, fmt.Errorf("read the cart: %w", err)
	}
	switch {
	case slices.Contains(ids, pid):
		return l, nil
	case len(ids) >= maxLines:
		return cartLine{}, shopclient.ErrCartFull
	case p.State != Listed:
		return cartLine{}, shopclient.ErrNoProduct
	}
	return l, nil
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
	var rows []cartLine
	err := s.db.NewSelect().Model(&rows).Where("buyer = ?", buyer).Order("added_at", "product_id").Scan(ctx)
	if err != nil {
		return Cart{}, fmt.Errorf("read the cart: %w", err)
	}
	return s.today(ctx, rows)
}

// today is lines of a cart as their products are sold now.
func (s *Service) today(ctx context.Context, rows []cartLine) (Cart, error) {
	c := Cart{Total: money.Amount{Currency: s.currency}}
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
		l := CartLine{Product: p, Quantity: r.Quantity, Trouble: s.trouble(p, p.Stock, r.Quantity), Seen: p.Amount()}
		if r.Price > 0 {
			l.Seen.Minor = r.Price
		}
		if l.Total, err = p.Amount().Times(r.Quantity); err != nil {
			return Cart{}, fmt.Errorf("total of product %s in the cart: %w", p.ID, err)
		}
		if l.Trouble == None {
			if c.Total, err = c.Total.Add(l.Total); err != nil {
				return Cart{}, fmt.Errorf("total of the cart: %w", err)
			}
		}
		c.Lines = append(c.Lines, l)
	}
	return c, nil
}

// trouble is why n of a product can't be bought while that many are in stock.
func (s *Service) trouble(p Product, stock, n int64) Trouble {
	switch {
	case !s.buyable(p):
		return Gone
	case stock <= 0:
		return SoldOut
	case stock < n:
		return Short
	}
	return None
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

// lockCarts reads the carts of buyers and locks them: of two orders from one cart the second
// one finds it empty.
func (s *Service) lockCarts(ctx context.Context, tx bun.Tx, buyers []authclient.UserID) (map[authclient.UserID][]cartLine, error) {
	if len(buyers) == 0 {
		return nil, nil
	}
	var rows []cartLine
	err := database.ForUpdate(tx.NewSelect().Model(&rows).Where("buyer IN (?)", bun.In(buyers)).Order("buyer", "added_at", "product_id")).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read carts: %w", err)
	}
	carts := map[authclient.UserID][]cartLine{}
	for _, r := range rows {
		carts[r.Buyer] = append(carts[r.Buyer], r)
	}
	return carts, nil
}

// fromCart is what is bought of a cart, with the prices that the buyer saw. What the buyer
// didn't see, or saw otherwise, is asked about again.
func (s *Service) fromCart(rows []cartLine, seen []Item) (items []Item, left []cartLine, err error) {
	if len(rows) == 0 {
		return nil, nil, shopclient.ErrCartEmpty
	}
	rows, left = chosen(rows, seen)
	if len(seen) > 0 && len(rows) != len(seen) {
		return nil, nil, shopclient.ErrCartChanged
	}
	if len(rows) > maxLines {
		return nil, nil, shopclient.ErrCartFull
	}
	items = make([]Item, len(rows))
	for i, r := range rows {
		items[i] = Item{Product: r.ProductID, Quantity: r.Quantity}
		if r.Price > 0 {
			items[i].Seen = &money.Amount{Minor: r.Price, Currency: s.currency}
		}
		k := slices.IndexFunc(seen, func(s Item) bool { return s.Product == r.ProductID })
		if k >= 0 && seen[k].Seen != nil {
			items[i].Seen = seen[k].Seen
		}
	}
	return items, left, nil
}

// chosen parts the lines that the buyer saw from the others. A buyer who names none takes
// all.
func chosen(rows []cartLine, seen []Item) (take, left []cartLine) {
	if len(seen) == 0 {
		return rows, nil
	}
	for _, r := range rows {
		if slices.ContainsFunc(seen, func(s Item) bool { return s.Product == r.ProductID && s.Quantity == r.Quantity }) {
			take = append(take, r)
		} else {
			left = append(left, r)
		}
	}
	return take, left
}

// stuck tells whether lines that stay in the cart could be bought: they came, or came
// back, after the buyer looked.
func (s *Service) stuck(left []cartLine, products map[ProductID]Product, stock map[ProductID]int64) bool {
	return slices.ContainsFunc(left, func(l cartLine) bool {
		return s.trouble(products[l.ProductID], stock[l.ProductID], l.Quantity) == None
	})
}

// boughtOf are the lines of a cart that an order has.
func boughtOf(cart []cartLine, o Order) []cartLine {
	var all []cartLine
	for _, l := range cart {
		if slices.ContainsFunc(o.Lines, func(x OrderLine) bool { return x.ProductID == l.ProductID }) {
			all = append(all, l)
		}
	}
	return all
}
