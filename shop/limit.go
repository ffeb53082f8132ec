package shop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/shop/shopclient"
)

// scarce is fewer than how many pieces of a product make it one that must be paid soon.
const scarce = 10

// openOrders is what a buyer has in orders that wait for their payment.
type openOrders struct {
	orders int64
	pieces map[ProductID]int64
}

// buyerLock is a row to lock while somebody's open orders, or uploads, are counted and added to.
type buyerLock struct {
	bun.BaseModel `bun:"table:buyers"`

	ID authclient.UserID `bun:",pk"`
}

// openOf is what buyers have in pending orders. It locks them until the transaction ends: of
// two that place orders of one buyer, the second counts what the first has placed.
func (s *Service) openOf(ctx context.Context, tx bun.Tx, buyers ...authclient.UserID) (map[authclient.UserID]*openOrders, error) {
	open := make(map[authclient.UserID]*openOrders, len(buyers))
	for _, b := range buyers {
		open[b] = &openOrders{pieces: map[ProductID]int64{}}
	}
	ids := slices.Sorted(maps.Keys(open))
	if err := lockBuyers(ctx, tx, ids); err != nil {
		return nil, err
	}
	var lines []struct {
		Buyer     authclient.UserID
		ProductID ProductID
		Position  int64
		Quantity  int64
	}
	err := tx.NewSelect().TableExpr("orders AS o").Join("JOIN order_lines AS l ON l.order_id = o.id").
		Column("o.buyer", "l.product_id", "l.position", "l.quantity").
		Where("o.state = ?", Pending).Where("o.buyer IN (?)", bun.In(ids)).Scan(ctx, &lines)
	if err != nil {
		return nil, fmt.Errorf("count the open orders of %d buyers: %w", len(ids), err)
	}
	for _, l := range lines {
		o := open[l.Buyer]
		o.pieces[l.ProductID] += l.Quantity
		if l.Position == 1 { // each order has such a line
			o.orders++
		}
	}
	return open, nil
}

// lockBuyers locks the rows of buyers, in order, and makes those of new ones.
func lockBuyers(ctx context.Context, tx bun.Tx, ids []authclient.UserID) error {
	var known []authclient.UserID
	q := database.ForUpdate(tx.NewSelect().Model((*buyerLock)(nil)).Column("id").Where("id IN (?)", bun.In(ids)).Order("id"))
	if err := q.Scan(ctx, &known); err != nil {
		return fmt.Errorf("lock %d buyers: %w", len(ids), err)
	}
	var unknown []buyerLock
	for _, id := range ids {
		if _, found := slices.BinarySearch(known, id); !found {
			unknown = append(unknown, buyerLock{ID: id})
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if _, err := database.Upsert(database.Insert(tx, &unknown), []string{"id"}).Exec(ctx); err != nil {
		return fmt.Errorf("add %d buyers: %w", len(unknown), err)
	}
	return nil
}

// admit counts a new order among the open ones of its buyer, or refuses it.
func (s *Service) admit(open *openOrders, lines []OrderLine) error {
	if most := s.terms.OpenOrders; most > 0 && open.orders >= most {
		return shopclient.ErrOpenOrders.With("limit", most)
	}
	for _, l := range lines {
		held := open.pieces[l.ProductID]
		if most := s.terms.OpenPieces; most > 0 && held+l.Quantity > most {
			return shopclient.ErrOpenPieces.
				With("product", string(l.ProductID)).With("title", l.Title).With("held", held).With("limit", most)
		}
	}
	open.orders++
	for _, l := range lines {
		open.pieces[l.ProductID] += l.Quantity
	}
	return nil
}

// payBefore is until when an order must be paid that is placed now and leaves that much of
// its products: soon, where there are few for others.
func (s *Service) payBefore(now time.Time, left map[ProductID]int64, lines []OrderLine) time.Time {
	wait := s.payTime
	for _, l := range lines {
		if s.terms.ScarceTime > 0 && left[l.ProductID] < scarce {
			wait = min(wait, s.terms.ScarceTime)
		}
	}
	return now.Add(wait)
}
