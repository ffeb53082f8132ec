package shop

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/ledger"
	"jishi/shop/shoptest"
)

// trade is a database with orders, shipments and refunds in all states, and its URL. The
// buyer of each order is named after what became of it.
func trade(t *testing.T) (m *market, url string) {
	t.Helper()
	url = dbtest.SQLite(t)
	m = newMarket(t, dbtest.Open(t, url, Migrate))
	ctx := t.Context()
	teapot, cup := m.product(100), m.productOf(cara, "Cup", "3.00", 100)
	var errs []error
	do := func(_ Detail, err error) { errs = append(errs, err) }
	order := func(name string, products ...Product) Order {
		var in NewOrder
		for _, p := range products {
			in.Items = append(in.Items, Item{Product: p.ID, Quantity: 2})
		}
		o, err := m.PlaceOrder(ctx, Person{authclient.UserID("usr_" + name), name}, in, "")
		if err != nil && o.State != Pending {
			t.Fatal(err)
		}
		return o
	}
	paid := func(name string) (authclient.UserID, ShipmentID) {
		o := order(name, teapot)
		return o.Buyer, m.shipmentsNow(o)[0].ID
	}
	sent := func(name string) (authclient.UserID, ShipmentID) {
		buyer, sh := paid(name)
		do(m.Ship(ctx, ann.ID, sh, "SF", "1"))
		return buyer, sh
	}
	received := func(name string) (authclient.UserID, ShipmentID) {
		buyer, sh := sent(name)
		do(m.Receive(ctx, buyer, sh))
		m.work()
		return buyer, sh
	}
	asked := func(buyer authclient.UserID, sh ShipmentID, minor int64) RefundID {
		r, err := m.AskRefund(ctx, buyer, sh, NewRefund{Amount: yuan(minor), Reason: "It is broken."}, "")
		errs = append(errs, err)
		return r.ID
	}

	m.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
	order("pending", teapot)
	o := order("canceled", teapot)
	_, err := m.Cancel(ctx, o.Buyer, o.ID)
	errs = append(errs, err)
	m.pay.Set(func(x *shoptest.Pay) { x.Poor = false })

	order("paid", teapot, cup)
	sent("sent")
	received("received")
	_, sh := paid("given-back")
	do(m.GiveBack(ctx, ann.ID, sh, "Sold out after all."))
	buyer, sh := sent("part")
	do(m.Grant(ctx, ann.ID, asked(buyer, sh, 500)))
	do(m.Receive(ctx, buyer, sh))
	buyer, sh = received("returned")
	do(m.Grant(ctx, ann.ID, asked(buyer, sh, 2400)))
	buyer, sh = paid("asked")
	asked(buyer, sh, 2400)
	buyer, sh = sent("withdrawn")
	do(m.Withdraw(ctx, buyer, asked(buyer, sh, 500)))
	for _, name := range []string{"refused", "appealed", "denied"} {
		buyer, sh := sent(name)
		r := asked(buyer, sh, 500)
		do(m.Refuse(ctx, ann.ID, r, "It was whole."))
		if name != "refused" {
			do(m.Appeal(ctx, buyer, r))
		}
		if name == "denied" {
			do(m.Decide(ctx, olga.ID, r, false, "The picture shows it."))
		}
	}
	m.work()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return m, url
}

// violated is what a check reports, each as "invariant: name", in order.
func (m *market) violated() []string {
	m.t.Helper()
	ctx := context.Background()
	var names []struct{ ID, Name string }
	err := m.db.Snapshot(ctx, func(ctx context.Context, tx bun.Tx) error {
		return tx.NewRaw("SELECT id, buyer_name AS name FROM orders UNION ALL SELECT id, title FROM products UNION ALL SELECT 'stock:' || id, title || ' in stock' FROM products UNION ALL "+
			"SELECT s.id, o.buyer_name || '/' || s.seller_name FROM shipments s JOIN orders o ON o.id = s.order_id UNION ALL "+
			"SELECT r.id, o.buyer_name || '/refund' FROM refunds r JOIN orders o ON o.id = r.order_id").Scan(ctx, &names)
	})
	if err != nil {
		m.t.Fatal(err)
	}
	nameOf := map[string]string{}
	for _, n := range names {
		nameOf[n.ID] = n.Name
	}
	all := m.reports()
	for i, r := range all {
		invariant, id, _ := strings.Cut(r, ": ")
		if name, ok := nameOf[id]; ok {
			all[i] = invariant + ": " + name
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (m *market) reports() []string {
	m.t.Helper()
	var all []string
	_, err := m.Check(context.Background(), func(invariant, id, _ string) { all = append(all, invariant+": "+id) })
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

func TestCheckFindsNothingWhereNothingIsWrong(t *testing.T) {
	m, _ := trade(t)
	if got := m.violated(); len(got) > 0 {
		t.Errorf("a sound market: %q", got)
	}
}

// orderNamed and its like find what a change is made to: an order, its shipment that Ann sends, and
// its refund.
func orderNamed(name string) string {
	return "(SELECT id FROM orders WHERE buyer_name = '" + name + "')"
}

func shipmentNamed(name string) string {
	return "(SELECT id FROM shipments WHERE seller_name = 'Ann' AND order_id = " + orderNamed(name) + ")"
}

func refundNamed(name string) string {
	return "(SELECT id FROM refunds WHERE order_id = " + orderNamed(name) + ")"
}

// moved has the ledger move pieces of the teapot, and nobody knows why.
func moved(kind ledger.Kind, debit, credit func(ProductID) ledger.AccountID) func(*market) {
	return func(m *market) {
		m.t.Helper()
		var p ProductID
		err := m.db.NewSelect().Model((*Product)(nil)).Column("id").Where("title = ?", "Teapot").Scan(context.Background(), &p)
		if err == nil {
			err = m.ledger.Post(context.Background(), ledger.Group{{ID: "x", Kind: kind, Debit: debit(p), Credit: credit(p), Unit: ledger.Unit(p), Amount: 1}})
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
}

// Whatever is changed behind the shop's back is found and named, and nothing else is.
func TestCheckFindsWhatWasChanged(t *testing.T) {
	_, original := trade(t)
	orders := func(name, set string) []string {
		return []string{"UPDATE orders SET " + set + " WHERE id = " + orderNamed(name)}
	}
	shipments := func(name, set string) []string {
		return []string{"UPDATE shipments SET " + set + " WHERE id = " + shipmentNamed(name)}
	}
	// state changes that of an order, with its history.
	state := func(name string, to State) []string {
		return append(orders(name, "state = '"+string(to)+"'"),
			"INSERT INTO order_events (order_id, state, at) VALUES ("+orderNamed(name)+", '"+string(to)+"', 1)")
	}
	for name, c := range map[string]struct {
		change []string
		want   []string
	}{
		"a product has a floor": {[]string{"UPDATE accounts SET floor = -1 WHERE id = (SELECT 'stock:' || id FROM products WHERE title = 'Cup')"}, []string{StockAddsUp + ": Cup"}},
		"more is held than there is": {[]string{"UPDATE accounts SET held = 1000 WHERE id = (SELECT 'stock:' || id FROM products WHERE title = 'Cup')"},
			[]string{StockAddsUp + ": Cup", HeldIsPending + ": Cup", ledger.BalanceReplays + ": Cup in stock", ledger.HeldIsOpen + ": Cup in stock"}},
		"a pending order asks for more":    {[]string{"UPDATE order_lines SET quantity = 3 WHERE order_id = " + orderNamed("pending")}, []string{HeldIsPending + ": Teapot", TotalIsLines + ": pending"}},
		"a pending order is canceled":      {state("pending", Canceled), []string{HeldIsPending + ": Teapot"}},
		"a canceled order is pending":      {orders("canceled", "state = 'pending'"), []string{HeldIsPending + ": Teapot"}},
		"what was sold is another product": {[]string{"UPDATE order_lines SET product_id = (SELECT id FROM products WHERE title = 'Cup') WHERE order_id = " + orderNamed("received")}, []string{SoldIsPaid + ": Teapot", SoldIsPaid + ": Cup"}},
		"what was sent is sold again":      {shipments("returned", "shipped_at = NULL"), []string{SoldIsPaid + ": Teapot", ShipmentHistory + ": returned/Ann"}},
		"what is sold again was sent":      {append(shipments("given-back", "shipped_at = 1"), "INSERT INTO shipment_events (shipment_id, state, actor, at) VALUES ("+shipmentNamed("given-back")+", 'shipped', '', 1)"), []string{SoldIsPaid + ": Teapot"}},

		"an order costs more":           {orders("pending", "total = total + 1"), []string{TotalIsLines + ": pending"}},
		"an order's lines vanish":       {[]string{"DELETE FROM order_lines WHERE order_id = " + orderNamed("canceled")}, []string{TotalIsLines + ": canceled"}},
		"an order's history is cut off": {[]string{"DELETE FROM order_events WHERE state = 'canceled' AND order_id = " + orderNamed("canceled")}, []string{OrderHistory + ": canceled"}},

		"an order is in no state":          {state("pending", "lost"), []string{HeldIsPending + ": Teapot", OrderHistory + ": pending", SoldIsPaid + ": Teapot"}},
		"an order has not begun":           {[]string{"DELETE FROM order_events WHERE state = 'pending' AND order_id = " + orderNamed("canceled")}, []string{OrderHistory + ": canceled"}},
		"a completed order was not paid":   {[]string{"DELETE FROM order_events WHERE state = 'paid' AND order_id = " + orderNamed("received")}, []string{OrderHistory + ": received"}},
		"a canceled order was paid":        {[]string{"INSERT INTO order_events (order_id, state, at) VALUES (" + orderNamed("canceled") + ", 'paid', 1)"}, []string{OrderHistory + ": canceled"}},
		"a shipment vanishes":              {[]string{"DELETE FROM shipments WHERE id = " + shipmentNamed("paid")}, []string{ShipmentsArePaid + ": paid"}},
		"a shipment costs more":            {shipments("paid", "amount = amount + 1"), []string{ShipmentsArePaid + ": paid"}},
		"a shipment goes to another buyer": {shipments("paid", "buyer = 'usr_bob'"), []string{ShipmentsArePaid + ": paid"}},
		"a canceled order is sent":         {state("sent", Canceled), []string{OrderHistory + ": sent", ShipmentsArePaid + ": sent/Ann", SoldIsPaid + ": Teapot"}},
		"a shipment comes from nowhere": {[]string{"INSERT INTO shipments (id, order_id, buyer, seller, seller_name, state, amount, currency, refunded, released, requests, carrier, tracking, created_at) " +
			"SELECT 'shp_x', order_id, buyer, 'usr_x', 'Nobody', state, amount, currency, 0, 0, 0, '', '', 1 FROM shipments WHERE id = " + shipmentNamed("paid")}, []string{ShipmentsArePaid + ": paid/Nobody"}},
		"an order is completed too early": {state("sent", Completed), []string{ShipmentsEnd + ": sent"}},
		"a completed order isn't":         {orders("received", "state = 'paid'"), []string{ShipmentsEnd + ": received"}},

		"a shipment's history is cut off":           {[]string{"DELETE FROM shipment_events WHERE state = 'refunded' AND shipment_id = " + shipmentNamed("returned")}, []string{ShipmentHistory + ": returned/Ann"}},
		"a shipment was sent, and nobody did":       {shipments("paid", "shipped_at = 1"), []string{ShipmentHistory + ": paid/Ann"}},
		"a shipment was not sent, and somebody did": {shipments("sent", "shipped_at = NULL"), []string{ShipmentHistory + ": sent/Ann"}},
		"a shipment arrived, and nobody said so":    {shipments("sent", "received_at = 1, released = amount, released_at = 1"), []string{ShipmentHistory + ": sent/Ann"}},
		"a shipment arrived that wasn't sent":       {append(shipments("received", "shipped_at = NULL"), "DELETE FROM shipment_events WHERE state = 'shipped' AND shipment_id = "+shipmentNamed("received")), []string{ShipmentHistory + ": received/Ann"}},

		"more of a shipment went back":      {shipments("part", "refunded = 501"), []string{ShareAddsUp + ": part/Ann"}},
		"a refund is less":                  {[]string{"UPDATE refunds SET amount = 499 WHERE id = " + refundNamed("part")}, []string{ShareAddsUp + ": part/Ann"}},
		"a granted refund vanishes":         {[]string{"DELETE FROM refunds WHERE id = " + refundNamed("part")}, []string{ShareAddsUp + ": part/Ann"}},
		"a refund in part is one of all":    {append(shipments("part", "state = 'refunded'"), "INSERT INTO shipment_events (shipment_id, state, actor, at) VALUES ("+shipmentNamed("part")+", 'refunded', '', 1)"), []string{ShareAddsUp + ": part/Ann"}},
		"a refund of all is one in part":    {shipments("returned", "state = 'received'"), []string{ShareAddsUp + ": returned/Ann"}},
		"a shipment on its way is released": {shipments("sent", "released = amount"), []string{ShareAddsUp + ": sent/Ann"}},
		"a shipment that arrived is not":    {shipments("received", "released = 0"), []string{ShareAddsUp + ": received/Ann"}},

		"a shipment's seller got too little":                {shipments("received", "released = amount - 1"), []string{ShareAddsUp + ": received/Ann"}},
		"a refund is of another order":                      {[]string{"UPDATE refunds SET order_id = " + orderNamed("paid") + " WHERE id = " + refundNamed("part")}, []string{RefundIsOf + ": paid/refund"}},
		"a refund's history is cut off":                     {[]string{"DELETE FROM refund_events WHERE state = 'refused' AND refund_id = " + refundNamed("refused")}, []string{RefundHistory + ": refused/refund"}},
		"a shipment forgets what is asked for":              {shipments("asked", "open_refund = NULL"), []string{RefundIsOpen + ": asked/refund"}},
		"a shipment forgets what the operator is asked for": {shipments("appealed", "open_refund = NULL"), []string{RefundIsOpen + ": appealed/refund"}},
		"a shipment waits for an answer that came":          {shipments("denied", "open_refund = "+refundNamed("denied")), []string{RefundIsOpen + ": denied/refund"}},
		"a shipment waits for the refund of another":        {shipments("sent", "open_refund = "+refundNamed("denied")), []string{RefundIsOpen + ": sent/Ann"}},
		"a shipment waits for a refund that isn't there":    {shipments("sent", "open_refund = 'rfd_x'"), []string{RefundIsOpen + ": sent/Ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			url := dbtest.Copy(t, original)
			m := newMarket(t, dbtest.Open(t, url))
			dbtest.Tamper(t, url, c.change...)
			slices.Sort(c.want)
			if got := m.violated(); !slices.Equal(got, c.want) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// Pieces that the ledger moved without an order are missed or left over.
func TestCheckFindsPiecesThatMovedByThemselves(t *testing.T) {
	_, original := trade(t)
	for name, c := range map[string]struct {
		move func(*market)
		want []string
	}{
		"held for nobody":        {moved(ledger.Hold, stockOf, soldOf), []string{HeldIsPending + ": Teapot"}},
		"sold to nobody":         {moved(ledger.Move, stockOf, soldOf), []string{SoldIsPaid + ": Teapot"}},
		"sold, and not supplied": {moved(ledger.Move, supplyOf, soldOf), []string{SoldIsPaid + ": Teapot"}},
		"neither sold nor kept": {func(m *market) {
			err := m.db.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error {
				var p ProductID
				if err := tx.NewSelect().Model((*Product)(nil)).Column("id").Where("title = ?", "Teapot").Scan(ctx, &p); err != nil {
					return err
				}
				return m.ledger.Open(ctx, tx, ledger.Account{ID: "lost", Unit: ledger.Unit(p), Kind: ledger.Guarded})
			})
			if err != nil {
				m.t.Fatal(err)
			}
			moved(ledger.Move, stockOf, func(ProductID) ledger.AccountID { return "lost" })(m)
		}, []string{StockAddsUp + ": Teapot"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMarket(t, dbtest.Open(t, dbtest.Copy(t, original)))
			c.move(m)
			if got := m.violated(); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}
