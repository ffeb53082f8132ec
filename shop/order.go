package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/shop/shopclient"
)

// OrderID is "ord_…". It is also the id of the order's payment at pay, and of its
// holds in the ledger: whatever is asked twice for one order is done once.
type OrderID string

// State is where an order is in its life.
type State string

// The states of an order.
const (
	Pending   State = shopclient.Pending // its stock is held, its payment is open
	Paid      State = shopclient.Paid
	Completed State = shopclient.Completed
	Canceled  State = shopclient.Canceled
)

// from is the whole life of an order: the states in which each can follow.
var from = map[State][]State{
	Paid:      {Pending},
	Canceled:  {Pending},
	Completed: {Paid},
}

// Order is a purchase, and its row.
type Order struct {
	bun.BaseModel `bun:"table:orders"`

	ID         OrderID `bun:",pk"`
	Buyer      authclient.UserID
	BuyerName  string
	State      State
	Total      int64 // minor units of Currency
	Currency   money.Currency
	DeadlineAt database.Time // canceled then, unless it is paid
	CreatedAt  database.Time

	Lines  []OrderLine `bun:"-"`
	PaidAt time.Time   `bun:"-"` // zero before that
}

// Amount is what the order costs.
func (o Order) Amount() money.Amount { return money.Amount{Minor: o.Total, Currency: o.Currency} }

// OrderLine is one product of an order, as it was when the order was placed, and its row.
type OrderLine struct {
	bun.BaseModel `bun:"table:order_lines"`

	OrderID    OrderID `bun:",pk"`
	Position   int64   `bun:",pk"` // 1, 2, …
	ProductID  ProductID
	Seller     authclient.UserID
	SellerName string
	Title      string
	Image      string
	Price      int64 // of one piece, minor units of the order's currency
	Quantity   int64
}

// orderEvent is a row of an order's history.
type orderEvent struct {
	bun.BaseModel `bun:"table:order_events"`

	OrderID OrderID `bun:",pk"`
	State   State   `bun:",pk"`
	At      database.Time
}

// NewOrder is what a buyer asks for: Items, or with Cart what is in the cart. Then Items (if
// there are any) are the lines that the buyer saw could be bought; others stay in the cart.
type NewOrder struct {
	Items  []Item
	Cart   bool
	Wallet string // "" is the buyer's default one
}

// Item is one product of a new order.
type Item struct {
	Product  ProductID
	Quantity int64
	Seen     *money.Amount // the price that the buyer saw; nil takes any, or from the cart the one seen there
}

func (in NewOrder) check() error {
	if len(in.Items) > maxLines || (len(in.Items) == 0 && !in.Cart) {
		return shopclient.ErrItems
	}
	seen := map[ProductID]bool{}
	for _, i := range in.Items {
		if i.Quantity < 1 || i.Quantity > maxQuantity {
			return shopclient.ErrQuantity
		}
		if seen[i.Product] {
			return shopclient.ErrItems
		}
		seen[i.Product] = true
	}
	return nil
}

// PlaceOrder holds the stock of every item, or of none, and asks pay for the money. The
// order that it returns stands, also beside an error, which then says why it is not paid:
// ErrUnpaid with the way to the cashier, or an outage of pay; a job brings such an order to
// its end. Without an order nothing was written. The same use of a key gives the same
// order; key may be empty.
func (s *Service) PlaceOrder(ctx context.Context, buyer Person, in NewOrder, key string) (Order, error) {
	if err := in.check(); err != nil {
		return Order{}, err
	}
	if err := s.checkWallet(ctx, in.Wallet); err != nil {
		return Order{}, err
	}
	o, err := s.place(ctx, buyer, in, key)
	if err != nil {
		return Order{}, err
	}
	return s.pay(ctx, o, in.Wallet)
}

// place writes a pending order, or finds the one that the same use of the key placed.
func (s *Service) place(ctx context.Context, buyer Person, in NewOrder, key string) (Order, error) {
	o := Order{ID: OrderID(id.New("ord")), Buyer: buyer.ID, BuyerName: buyer.Name}
	u := use("order", buyer.ID, key, in)
	claim, err := u.Claim(string(o.ID))
	if err != nil {
		return Order{}, err
	}
	got, err := s.change(ctx, change{place: &placing{o, in, claim}})
	crash.Point("shop.order.placed")
	if errors.Is(err, database.ErrUnknown) {
		if placed, lookErr := s.order(ctx, o.ID); lookErr == nil {
			return placed, nil
		}
	}
	if err == nil {
		err = got.err
	}
	if err != nil {
		return Order{}, err
	}
	if got.first != "" {
		o, err := s.order(ctx, got.first)
		return o, database.Afterwards(err)
	}
	return got.order, nil
}

// priced is an order's lines with today's products, and their total.
func (s *Service) priced(oid OrderID, items []Item, products map[ProductID]Product) (Order, error) {
	total := money.Amount{Currency: s.currency}
	lines := make([]OrderLine, len(items))
	for i, item := range items {
		p, ok := products[item.Product]
		if !ok || !s.buyable(p) {
			return Order{}, shopclient.ErrUnavailable.With("product", string(item.Product)).With("title", p.Title)
		}
		if item.Seen != nil && *item.Seen != p.Amount() {
			return Order{}, shopclient.ErrPriceChanged.
				With("product", string(p.ID)).With("title", p.Title).With("price", p.Amount()).With("seen", *item.Seen)
		}
		line, err := p.Amount().Times(item.Quantity)
		if err != nil {
			return Order{}, fmt.Errorf("price %d of product %s: %w", item.Quantity, p.ID, err)
		}
		if total, err = total.Add(line); err != nil {
			return Order{}, fmt.Errorf("total of order %s: %w", oid, err)
		}
		lines[i] = OrderLine{
			OrderID:    oid,
			Position:   int64(i) + 1,
			ProductID:  p.ID,
			Seller:     p.Seller,
			SellerName: p.SellerName,
			Title:      p.Title,
			Image:      p.Image,
			Price:      p.Price,
			Quantity:   item.Quantity,
		}
	}
	return Order{ID: oid, Total: total.Minor, Currency: total.Currency, Lines: lines}, nil
}

// move brings an order to a state by itself, as it is with one that is completed; how those
// that are pending end is written for many at once, in writeEnds. Of callers that race, one
// wins and the others get ErrWrongState.
func (s *Service) move(ctx context.Context, tx bun.Tx, oid OrderID, to State) error {
	won, err := database.Changed(tx.NewUpdate().Model((*Order)(nil)).
		Set("state = ?", to).
		Where("id = ?", oid).
		Where("state IN (?)", bun.In(from[to])).
		Exec(ctx))
	if err != nil {
		return fmt.Errorf("move order %s to %s: %w", oid, to, err)
	}
	if !won {
		return shopclient.ErrWrongState
	}
	return s.record(ctx, tx, oid, to)
}

func (s *Service) record(ctx context.Context, tx bun.Tx, oid OrderID, state State) error {
	_, err := tx.NewInsert().Model(&orderEvent{OrderID: oid, State: state, At: database.At(s.now())}).Exec(ctx)
	if err != nil {
		return fmt.Errorf("record order %s as %s: %w", oid, state, err)
	}
	return nil
}

// outcome is what becomes of an order's holds in the state that ends them.
var outcome = map[State]ledger.Kind{Paid: ledger.Post, Canceled: ledger.Void}

// finish moves a pending order to Paid or Canceled and ends its holds with it. It gives
// the order as it is then: another caller may have been first, to the other state too.
// Beside an error it is the order as it was.
func (s *Service) finish(ctx context.Context, o Order, to State) (Order, error) {
	got, err := s.change(ctx, change{end: &ending{o, to}})
	crash.Point("shop.order.ended")
	if err == nil {
		err = got.err
	}
	if err == nil {
		return got.order, nil
	}
	if !errors.Is(err, database.ErrUnknown) && !errors.Is(err, shopclient.ErrWrongState) {
		return o, err
	}
	now, lookErr := s.order(ctx, o.ID)
	if lookErr != nil || now.State == Pending { // that is not done, or not yet
		return o, database.ErrUnknown.Because(errors.Join(err, lookErr))
	}
	return now, nil
}

// Order is a purchase of the buyer's; others' are ErrNoOrder.
func (s *Service) Order(ctx context.Context, buyer authclient.UserID, oid OrderID) (Order, error) {
	o, err := s.order(ctx, oid)
	if err != nil {
		return Order{}, err
	}
	if o.Buyer != buyer {
		return Order{}, shopclient.ErrNoOrder
	}
	return o, nil
}

func (s *Service) order(ctx context.Context, oid OrderID) (Order, error) {
	var o Order
	err := s.db.NewSelect().Model(&o).Where("id = ?", oid).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, shopclient.ErrNoOrder
	}
	if err != nil {
		return Order{}, fmt.Errorf("read order %s: %w", oid, err)
	}
	all := []Order{o}
	if err := s.complete(ctx, all); err != nil {
		return Order{}, err
	}
	return all[0], nil
}

// Orders is a page of what the buyer bought, newest first, and the cursor of the next one.
func (s *Service) Orders(ctx context.Context, buyer authclient.UserID, page database.Page) ([]Detail, string, error) {
	return s.list(ctx, buyer, true, s.db.NewSelect().Where("buyer = ?", buyer), page)
}

// Sales is a page of the paid orders in which the seller has a line, newest first, and the
// cursor of the next one; with a state only those with the seller's shipment in it. The
// orders have the seller's lines only, and their total.
func (s *Service) Sales(ctx context.Context, seller authclient.UserID, state ShipmentState, page database.Page) ([]Detail, string, error) {
	mine := s.db.NewSelect().Column("order_id").Where("seller = ?", seller)
	if state != "" {
		mine.Where("state = ?", state)
	}
	// A page of shipments first: one of orders would cost as much as all that was ever sold.
	sold, next, err := database.Newest(ctx, mine, page, "order_id", func(sh Shipment) OrderID { return sh.OrderID })
	if err != nil {
		return nil, "", fmt.Errorf("list the sales of %s: %w", seller, err)
	}
	ids := make([]OrderID, len(sold))
	for i, sh := range sold {
		ids[i] = sh.OrderID
	}
	var orders []Order
	if err := s.db.NewSelect().Model(&orders).Where("id IN (?)", bun.In(ids)).Order("id DESC").Scan(ctx); err != nil {
		return nil, "", fmt.Errorf("read the orders of sales: %w", err)
	}
	all, err := s.seen(ctx, seller, false, orders)
	return all, next, err
}

// ToAnswer is a page of the seller's orders in which a refund waits for the seller's answer,
// as from Sales.
func (s *Service) ToAnswer(ctx context.Context, seller authclient.UserID, page database.Page) ([]Detail, string, error) {
	asked := s.db.NewSelect().TableExpr("shipments AS s").Join("JOIN refunds AS r ON r.id = s.open_refund").
		Column("s.order_id").Where("s.seller = ?", seller).Where("s.open_refund IS NOT NULL").Where("r.state = ?", Asked)
	return s.list(ctx, seller, false, s.db.NewSelect().Where("id IN (?)", asked), page)
}

// list is a page of the orders that q finds, as from details.
func (s *Service) list(ctx context.Context, who authclient.UserID, whole bool, q *bun.SelectQuery, page database.Page) ([]Detail, string, error) {
	orders, next, err := database.Newest(ctx, q, page, "id", func(o Order) OrderID { return o.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	all, err := s.seen(ctx, who, whole, orders)
	return all, next, err
}

// seen is orders as from details, with their lines.
func (s *Service) seen(ctx context.Context, who authclient.UserID, whole bool, orders []Order) ([]Detail, error) {
	if err := s.complete(ctx, orders); err != nil {
		return nil, err
	}
	return s.details(ctx, who, orders, whole)
}

// complete reads the lines of orders, and when they were paid.
func (s *Service) complete(ctx context.Context, orders []Order) error {
	if len(orders) == 0 {
		return nil
	}
	at := make(map[OrderID]int, len(orders))
	ids := make([]OrderID, len(orders))
	for i, o := range orders {
		at[o.ID], ids[i] = i, o.ID
	}
	var lines []OrderLine
	if err := s.db.NewSelect().Model(&lines).Where("order_id IN (?)", bun.In(ids)).Order("order_id", "position").Scan(ctx); err != nil {
		return fmt.Errorf("read lines of orders: %w", err)
	}
	for _, l := range lines {
		o := &orders[at[l.OrderID]]
		o.Lines = append(o.Lines, l)
	}
	var events []orderEvent
	err := s.db.NewSelect().Model(&events).Where("order_id IN (?)", bun.In(ids)).Where("state = ?", Paid).Scan(ctx)
	if err != nil {
		return fmt.Errorf("read the history of orders: %w", err)
	}
	for _, e := range events {
		orders[at[e.OrderID]].PaidAt = e.At.Time
	}
	return nil
}
