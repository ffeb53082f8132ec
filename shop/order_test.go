package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/commit"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

func TestBuyNow(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		o, err := m.PlaceOrder(t.Context(), bob, items(p, 2), token())
		if err != nil {
			t.Fatal(err)
		}
		if o.State != Paid || o.Total != 2400 || o.PaidAt.IsZero() || len(o.Lines) != 1 || o.Lines[0].Title != "Teapot" || o.Lines[0].SellerName != "Ann" {
			t.Errorf("got %+v", o)
		}
		if got := m.stock(p); got != 3 {
			t.Errorf("stock %d, want 3", got)
		}
		x := m.pay.Payment(string(o.ID))
		if len(x.Parties) != 1 || x.Parties[0].Payee != "usr_ann" || x.Captured.Minor != 2400 {
			t.Errorf("payment %+v", x)
		}
	})
}

// A hundred buyers want one of twenty pieces at the same moment.
func TestNothingIsSoldTwice(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		const pieces = 20
		p := m.product(pieces)
		bought := 0
		for _, err := range at(100, func(i int) error {
			_, err := m.PlaceOrder(t.Context(), buyer(i), items(p, 1), token())
			return err
		}) {
			switch {
			case err == nil:
				bought++
			case !errors.Is(err, shopclient.ErrSoldOut):
				t.Errorf("got %v, want sold out", err)
			}
		}
		if bought != pieces {
			t.Errorf("%d bought, want %d", bought, pieces)
		}
		var orders, once int
		count(t, m.db, (*Order)(nil), &orders)
		if orders != pieces {
			t.Errorf("%d orders, want %d", orders, pieces)
		}
		if got := m.stock(p); got != 0 {
			t.Errorf("stock %d, want 0", got)
		}
		if err := m.db.NewSelect().Table("once").ColumnExpr("COUNT(*)").Scan(t.Context(), &once); err != nil || once != pieces {
			t.Errorf("%d used keys (%v), want %d: who gets nothing may try again", once, err, pieces)
		}
	})
}

func count(t *testing.T, db *database.DB, model any, n *int) {
	t.Helper()
	if err := db.NewSelect().Model(model).ColumnExpr("COUNT(*)").Scan(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func TestSoldOutNamesTheProduct(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(5), m.productOf(cara, "Cup", "3.00", 1)
		in := NewOrder{Items: []Item{{Product: p.ID, Quantity: 1}, {Product: q.ID, Quantity: 2}}}
		o, err := m.PlaceOrder(t.Context(), bob, in, "")
		f := fault.Of(err)
		if !errors.Is(err, shopclient.ErrSoldOut) || o.ID != "" {
			t.Fatalf("got %v, %v", o.ID, err)
		}
		if f.Extra["product"] != string(q.ID) || f.Extra["title"] != "Cup" || f.Extra["available"] != int64(1) || f.Extra["wanted"] != int64(2) {
			t.Errorf("members %v", f.Extra)
		}
		if m.stock(p) != 5 || m.stock(q) != 1 || m.pay.Creates != 0 {
			t.Error("a refused order left something behind")
		}
	})
}

// A wallet that isn't the buyer's, or that pay can't be asked about, leaves everything as it
// was: stock, cart and key.
func TestAWrongWalletChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(2)
		m.fill(p, 2)
		mine, err := m.pay.CreateWallet(t.Context(), payclient.NewWallet{Amount: "100"}, "mine")
		if err != nil {
			t.Fatal(err)
		}
		key := token()
		place := func(wallet string) (Order, error) {
			return m.PlaceOrder(t.Context(), bob, NewOrder{Cart: true, Wallet: wallet}, key)
		}
		refused := func(wallet string, want error) {
			t.Helper()
			var orders int
			o, err := place(wallet)
			count(t, m.db, (*Order)(nil), &orders)
			if !errors.Is(err, want) || o.ID != "" || orders != 0 || m.stock(p) != 2 || len(m.cartOf(bob.ID).Lines) != 1 {
				t.Errorf("from %q: got %+v, %v; %d orders, %d pieces, cart %+v", wallet, o, err, orders, m.stock(p), m.cartOf(bob.ID))
			}
		}
		for _, wallet := range []string{"wal_others", "..", "?"} {
			refused(wallet, payclient.ErrNotFound)
		}
		m.pay.Set(func(p *shoptest.Pay) { p.Before = rest.ErrUnreachable })
		refused(mine.ID, rest.ErrUnreachable)
		m.pay.Set(func(p *shoptest.Pay) { p.Before = nil })
		if o, err := place(mine.ID); err != nil || o.State != Paid {
			t.Errorf("from one's own, with the same key: got %+v, %v", o, err)
		}
	})
}

// Twenty times the same form is one order.
func TestOneFormIsOneOrder(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, key := m.product(50), token()
		got := at(20, func(int) OrderID {
			o, err := m.PlaceOrder(t.Context(), bob, items(p, 1), key)
			if err != nil {
				t.Error(err)
			}
			return o.ID
		})
		for _, oid := range got {
			if oid != got[0] || oid == "" {
				t.Errorf("orders %v and %v", got[0], oid)
			}
		}
		if s := m.stock(p); s != 49 {
			t.Errorf("stock %d, want 49", s)
		}
		if _, err := m.PlaceOrder(t.Context(), bob, items(p, 2), key); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("another order with the key: %v", err)
		}
		if o, err := m.PlaceOrder(t.Context(), cara, items(p, 1), key); err != nil || o.ID == got[0] {
			t.Errorf("another user's key: %s, %v", o.ID, err)
		}
	})
}

// An order that is paid and canceled at the same time ends as one of the two.
func TestPayRacesCancel(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(100)
		for range 20 {
			o := m.pending(p, 1)
			errs := at(2, func(i int) error {
				if i == 0 {
					_, err := m.Pay(t.Context(), bob.ID, o.ID, "")
					return err
				}
				_, err := m.Cancel(t.Context(), bob.ID, o.ID)
				return err
			})
			now := m.state(o)
			captured := m.pay.Payment(string(o.ID)).State == payclient.Captured
			if (now == Paid) != captured || (now == Canceled) == captured {
				t.Fatalf("order is %s, captured is %v (%v)", now, captured, errs)
			}
			if (errs[1] == nil) == captured {
				t.Errorf("cancel said %v, captured is %v", errs[1], captured)
			}
		}
	})
}

// An order ends once, whoever wants what, in one batch or in several.
func TestAnOrderEndsOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(20)
		for range 10 {
			o := m.pending(p, 1)
			got := at(6, func(i int) State {
				now, err := m.finish(t.Context(), o, []State{Paid, Canceled}[i%2])
				if err != nil {
					t.Error(err)
				}
				return now.State
			})
			var ends int
			err := m.db.NewSelect().Model((*orderEvent)(nil)).ColumnExpr("COUNT(*)").
				Where("order_id = ?", o.ID).Where("state <> ?", Pending).Scan(t.Context(), &ends)
			if err != nil || ends != 1 {
				t.Errorf("%d ends (%v), want 1", ends, err)
			}
			for _, state := range got {
				if state != m.state(o) {
					t.Errorf("somebody was told %s, the order is %s", state, m.state(o))
				}
			}
		}
	})
}

// An order that reaches pay after its deadline is canceled, and its pieces are free.
func TestPaidTooLateIsCanceled(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(3)
		m.pay.Set(func(pay *shoptest.Pay) { pay.Late = true })
		o, err := m.PlaceOrder(t.Context(), bob, items(p, 2), token())
		if err != nil || o.State != Canceled || m.stock(p) != 3 {
			t.Errorf("got %s, %v; stock %d", o.State, err, m.stock(p))
		}
	})
}

func TestSettleTwiceAndAtOnce(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(3)
		o := m.pending(p, 2)
		m.pay.Capture(string(o.ID), nil)
		for _, err := range at(8, func(int) error {
			got, err := m.Settle(t.Context(), o.ID)
			if err == nil && got.State != Paid {
				err = errors.New(string(got.State))
			}
			return err
		}) {
			if err != nil {
				t.Error(err)
			}
		}
		if got, err := m.Settle(t.Context(), o.ID); err != nil || got.State != Paid {
			t.Errorf("again: %s, %v", got.State, err)
		}
		if got := m.stock(p); got != 1 {
			t.Errorf("stock %d, want 1", got)
		}
	})
}

// Pay's answer gets lost: whether the money was taken or not, the order stands, and the
// job finds out.
func TestLostAnswerOfPay(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(*shoptest.Pay)
		want State
	}{
		"taken":                   {func(p *shoptest.Pay) { p.After = noReply }, Paid},
		"not taken":               {func(p *shoptest.Pay) { p.Before = noReply }, Pending},
		"not reached":             {func(p *shoptest.Pay) { p.Before = unreachable }, Pending},
		"too little, and no word": {func(p *shoptest.Pay) { p.Poor, p.After = true, noReply }, Pending},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, m *market) {
				p := m.product(3)
				m.pay.Set(c.fail)
				o, err := m.PlaceOrder(t.Context(), bob, items(p, 1), token())
				if o.ID == "" || o.State != Pending || err == nil {
					t.Fatalf("got %+v, %v; want a pending order and why", o, err)
				}
				m.pay.Set(func(p *shoptest.Pay) { p.Before, p.After = nil, nil })
				m.forward(settleFirst + time.Second)
				m.work()
				if got := m.state(o); got != c.want {
					t.Errorf("order is %s, want %s", got, c.want)
				}
				if c.want == Pending {
					m.forward(m.payTime)
					m.work()
					if got := m.state(o); got != Canceled {
						t.Errorf("after the deadline the order is %s", got)
					}
					if m.stock(p) != 3 {
						t.Error("the stock did not come back")
					}
				}
			})
		})
	}
}

// The deadline closes the payment before it frees the stock, and guesses nothing.
func TestDeadline(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(3)
		free, paid := m.pending(p, 1), m.pending(p, 1)
		m.pay.Capture(string(paid.ID), nil)
		m.pay.Set(func(x *shoptest.Pay) { x.Before = unreachable })
		m.forward(m.payTime + time.Second)
		m.work()
		if m.state(free) != Pending || m.state(paid) != Pending || m.stock(p) != 1 {
			t.Fatal("an order came to its end although pay could not be asked")
		}
		m.pay.Set(func(x *shoptest.Pay) { x.Before, x.After = nil, noReply }) // closed, but we aren't told
		m.forward(time.Minute)
		m.work()
		if m.state(free) == Canceled && m.pay.Payment(string(free.ID)).State != payclient.Closed {
			t.Fatal("canceled without a closed payment")
		}
		m.pay.Set(func(x *shoptest.Pay) { x.After = nil })
		m.forward(10 * time.Minute)
		m.work()
		if got := m.state(free); got != Canceled {
			t.Errorf("the unpaid order is %s", got)
		}
		if got := m.state(paid); got != Paid {
			t.Errorf("the paid order is %s", got)
		}
		if got := m.stock(p); got != 2 {
			t.Errorf("stock %d, want 2", got)
		}
		if _, err := m.Pay(t.Context(), bob.ID, free.ID, ""); err != nil {
			t.Errorf("pay a canceled order: %v", err) // as it is, canceled
		}
		if m.state(free) != Canceled {
			t.Error("a canceled order came back")
		}
	})
}

// Paying arrives after the payment was closed at its deadline.
func TestPayAfterClose(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.pending(m.product(1), 1)
		if _, err := m.pay.Close(t.Context(), string(o.ID)); err != nil {
			t.Fatal(err)
		}
		got, err := m.Pay(t.Context(), bob.ID, o.ID, "")
		if err != nil || got.State != Canceled {
			t.Errorf("got %s, %v; want canceled", got.State, err)
		}
	})
}

func TestPayAgain(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.pending(m.product(1), 1)
		m.pay.Set(func(p *shoptest.Pay) { p.Poor = true })
		_, err := m.Pay(t.Context(), bob.ID, o.ID, "")
		f := fault.Of(err)
		if !errors.Is(err, shopclient.ErrUnpaid) || f.Extra["order"] != string(o.ID) || f.Extra["checkout_url"] == "" {
			t.Fatalf("got %v %v", err, f)
		}
		if f.Extra["missing"] != o.Amount() {
			t.Errorf("missing %v, want %v", f.Extra["missing"], o.Amount())
		}
		m.pay.Set(func(p *shoptest.Pay) { p.Poor = false })
		got, err := m.Pay(t.Context(), bob.ID, o.ID, "")
		if err != nil || got.State != Paid {
			t.Errorf("got %s, %v", got.State, err)
		}
		if _, err := m.Cancel(t.Context(), bob.ID, o.ID); !errors.Is(err, shopclient.ErrWrongState) {
			t.Errorf("cancel a paid order: %v", err)
		}
	})
}

// A payment of another amount never makes an order paid.
func TestWrongAmountIsNotPaid(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.pending(m.product(1), 1)
		m.pay.Capture(string(o.ID), &money.Amount{Minor: 1, Currency: money.CNY})
		if _, err := m.Settle(t.Context(), o.ID); err == nil || m.state(o) != Pending {
			t.Errorf("order is %s, %v", m.state(o), err)
		}
	})
}

func TestPriceChanged(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(5)
		price := "15.00"
		if _, err := m.ChangeProduct(t.Context(), ann.ID, p.ID, ProductChange{Price: &price}, ""); err != nil {
			t.Fatal(err)
		}
		o, err := m.PlaceOrder(t.Context(), bob, items(p, 1), token())
		if !errors.Is(err, shopclient.ErrPriceChanged) || o.ID != "" {
			t.Fatalf("got %s, %v", o.ID, err)
		}
		if got := fault.Of(err).Extra["price"]; got != (money.Amount{Minor: 1500, Currency: money.CNY}) {
			t.Errorf("the new price is %v", got)
		}
		if m.stock(p) != 5 {
			t.Error("stock was taken")
		}
	})
}

func TestOthersOrders(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		o := m.pending(m.product(2), 1)
		for name, err := range map[string]error{
			"read":   second(m.Order(t.Context(), cara.ID, o.ID)),
			"pay":    second(m.Pay(t.Context(), cara.ID, o.ID, "")),
			"cancel": second(m.Cancel(t.Context(), cara.ID, o.ID)),
			"nobody": second(m.Order(t.Context(), "", o.ID)),
		} {
			if !errors.Is(err, shopclient.ErrNoOrder) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if m.state(o) != Pending {
			t.Error("somebody else moved the order")
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestListsOfOrders(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p, q := m.product(100), m.productOf(cara, "Cup", "3.00", 100)
		var placed []OrderID
		for range 5 {
			in := NewOrder{Items: []Item{{Product: p.ID, Quantity: 1}, {Product: q.ID, Quantity: 2}}}
			o, err := m.PlaceOrder(t.Context(), bob, in, "")
			if err != nil {
				t.Fatal(err)
			}
			placed = append([]OrderID{o.ID}, placed...)
		}
		m.pending(p, 1) // bought by nobody yet

		var got []OrderID
		for page := (database.Page{Limit: 2}); ; {
			all, next, err := m.Sales(t.Context(), cara.ID, "", page)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range all {
				got = append(got, o.ID)
				if len(o.Lines) != 1 || o.Lines[0].Title != "Cup" || o.Total != 600 {
					t.Errorf("a sale shows %+v", o)
				}
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		if len(got) != 5 || got[0] != placed[0] || got[4] != placed[4] {
			t.Errorf("sales %v, want %v", got, placed)
		}
		mine, next, err := m.Orders(t.Context(), bob.ID, database.Page{})
		if err != nil || len(mine) != 6 || next != "" || mine[0].State != Pending || mine[1].PaidAt.IsZero() {
			t.Errorf("%d orders, %q, %v", len(mine), next, err)
		}
		if _, _, err := m.Orders(t.Context(), bob.ID, database.Page{Cursor: "%%%"}); code(err) != "page.cursor" {
			t.Errorf("a bad cursor: %v", err)
		}
	})
}

// As many of the widest rows as a transaction may have are not more than a server takes in one
// statement.
func TestTheWidestRowsFit(t *testing.T) {
	m := newMarket(t, dbtest.Open(t, dbtest.MariaDB(t), Migrate))
	wide := Person{ann.ID, strings.Repeat("𠮷", 64)}
	var batch []change
	for i := range commit.MaxRows / maxLines {
		buyer := authclient.UserID(fmt.Sprintf("usr_%060d", i))
		batch = append(batch, change{place: &placing{order: Order{ID: OrderID(id.New("ord")), Buyer: buyer, BuyerName: wide.Name}}})
	}
	var items []Item
	for i := range maxLines {
		in := NewProduct{Title: fmt.Sprintf("%s%3d", strings.Repeat("𠮷", maxTitle-3), i), Price: "1.00", Stock: int64(len(batch))}
		if i%5 == 0 {
			in.Image = "https://example.com/" + strings.Repeat("𠮷", maxImage-20)
		}
		p, err := m.AddProduct(t.Context(), wide, in, "")
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, Item{Product: p.ID, Quantity: 1})
	}
	for _, c := range batch {
		c.place.in.Items = items
	}
	err := m.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		answers, err := m.writeChanges(ctx, tx, batch)
		for _, a := range answers {
			err = errors.Join(err, a.err)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	m.check()
}

// A seller's list has what was sold, also of orders that the seller may see whole.
func TestSalesAreTheSellersOwn(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		teapot := m.product(100)
		for name, x := range map[string]struct{ seller, buyer Person }{"who buys it": {cara, cara}, "an operator": {olga, bob}} {
			cup := m.productOf(x.seller, "Cup", "3.00", 100)
			o, err := m.PlaceOrder(t.Context(), x.buyer, NewOrder{Items: []Item{{Product: teapot.ID, Quantity: 1}, {Product: cup.ID, Quantity: 2}}}, "")
			if err != nil {
				t.Fatal(err)
			}
			sales, _, err := m.Sales(t.Context(), x.seller.ID, "", database.Page{})
			if err != nil || len(sales) != 1 || len(sales[0].Lines) != 1 || len(sales[0].Shipments) != 1 || sales[0].Total != 600 {
				t.Errorf("%s sold %+v, %v", name, sales, err)
			}
			whole, err := m.See(t.Context(), x.seller.ID, o.ID)
			if err != nil || len(whole.Lines) != 2 || whole.Total != 1800 {
				t.Errorf("%s sees %+v, %v", name, whole, err)
			}
		}
	})
}

// listener keeps the statements that a database is asked.
type listener struct{ heard []string }

func (l *listener) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	l.heard = append(l.heard, e.Query)
	return ctx
}

func (l *listener) AfterQuery(context.Context, *bun.QueryEvent) {}

// A page of sales walks an index of the seller's to its end, and reads nothing else: it costs
// the same however much was ever sold, by this seller and by others.
func TestAPageOfSalesIsAWalk(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), Migrate)
	m := newMarket(t, db)
	further := database.Page{Cursor: database.Cursor("ord_2")}
	for _, x := range []struct {
		name string
		list func() ([]Detail, string, error)
		want string
	}{
		{"all", func() ([]Detail, string, error) { return m.Sales(t.Context(), ann.ID, "", further) },
			"SEARCH shipment USING COVERING INDEX shipments_seller_order_id_idx (seller=? AND order_id<?)"},
		{"in a state", func() ([]Detail, string, error) { return m.Sales(t.Context(), ann.ID, Waiting, further) },
			"SEARCH shipment USING COVERING INDEX shipments_seller_state_order_id_idx (seller=? AND state=? AND order_id<?)"},
		{"to answer", func() ([]Detail, string, error) { return m.ToAnswer(t.Context(), ann.ID, further) },
			"SEARCH s USING INDEX shipments_seller_open_refund_idx (seller=? AND open_refund>?)"},
	} {
		var l listener
		hooked := db.NewSelect().DB()
		hooked.AddQueryHook(&l)
		if _, _, err := x.list(); err != nil {
			t.Fatal(err)
		}
		hooked.ResetQueryHooks()
		page := l.heard[slices.IndexFunc(l.heard, func(q string) bool { return strings.Contains(q, "LIMIT") })]
		var plan []struct {
			ID, Parent, Notused int
			Detail              string
		}
		if err := hooked.NewRaw("EXPLAIN QUERY PLAN "+page).Scan(t.Context(), &plan); err != nil {
			t.Fatal(err)
		}
		var steps []string
		for _, p := range plan {
			steps = append(steps, p.Detail)
		}
		if !slices.Contains(steps, x.want) || strings.Contains(strings.Join(steps, "\n"), "SCAN") {
			t.Errorf("%s: %s\nis done by %q, want %q", x.name, page, steps, x.want)
		}
	}
}

func TestOrderShape(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		p := m.product(2000)
		for name, c := range map[string]struct {
			in   NewOrder
			want error
		}{
			"nothing":        {NewOrder{}, shopclient.ErrItems},
			"none":           {items(p, 0), shopclient.ErrQuantity},
			"less than none": {items(p, -1), shopclient.ErrQuantity},
			"too many":       {items(p, 1000), shopclient.ErrQuantity},
			"twice":          {NewOrder{Items: []Item{{Product: p.ID, Quantity: 1}, {Product: p.ID, Quantity: 1}}}, shopclient.ErrItems},
			"unknown":        {NewOrder{Items: []Item{{Product: "prd_x", Quantity: 1}}}, shopclient.ErrUnavailable},
			"an empty cart":  {NewOrder{Cart: true}, shopclient.ErrCartEmpty},
		} {
			if _, err := m.PlaceOrder(t.Context(), bob, c.in, token()); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", name, err, c.want)
			}
		}
	})
}
