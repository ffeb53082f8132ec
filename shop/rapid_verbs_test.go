package shop

import (
	"context"
	"slices"
	"time"

	"pgregory.net/rapid"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/pay/payclient"
)

// verbs are what can happen, each with what the model says of it.
func (w *world) verbs() map[string]func(*rapid.T) {
	verbs := map[string]func(*rapid.T){
		"pay is": func(rt *rapid.T) { w.be(rapid.SampledFrom([]temper{well, away, mute, mute}).Draw(rt, "how")) },
		"time passes": func(rt *rapid.T) {
			if w.m.pay == away { // not for long, or else orders would be late
				w.passes(rt, 3*time.Minute)
			}
			w.be(well)
			day := 24 * time.Hour
			w.passes(rt, rapid.SampledFrom([]time.Duration{2 * time.Minute, 7 * time.Minute, 40 * time.Minute, 5 * time.Hour, day, 4 * day, 11 * day}).Draw(rt, "for"))
		},
	}
	w.sells(verbs)
	w.fillsCarts(verbs)
	w.buys(verbs)
	w.sends(verbs)
	w.goesBack(verbs)
	for _, name := range []string{"order", "ship", "receive", "ask for a refund", "refuse", "appeal", "decide", "pay is"} { // more often than others: they lead on
		verbs[name+", too"] = verbs[name]
	}
	return verbs
}

func (w *world) sells(verbs map[string]func(*rapid.T)) {
	verbs["offer"] = func(rt *rapid.T) {
		if len(w.m.products) >= 8 {
			rt.Skip("there are enough")
		}
		seller := rapid.SampledFrom([]Person{ann, cara}).Draw(rt, "seller")
		w.same(rt, "offer", w.offer(seller, price(rt), rapid.SampledFrom([]int64{0, 2, 12, 1000}).Draw(rt, "stock")), nil)
	}
	verbs["reprice"] = func(rt *rapid.T) {
		p := w.product(rt)
		seller, price := one(rt, p.seller), price(rt)
		text := decimal(price)
		_, err := w.ChangeProduct(w.ctx, seller, p.id, ProductChange{Price: &text}, "")
		w.same(rt, "reprice", err, w.m.reprice(seller, p, price))
	}
	verbs["restock"] = func(rt *rapid.T) {
		p := w.product(rt)
		seller, n := one(rt, p.seller), rapid.Int64Range(0, 20).Draw(rt, "pieces")
		change, seen := ProductChange{Stock: &n}, p.available
		if rapid.Bool().Draw(rt, "looked a while ago") {
			seen += rapid.Int64Range(0, 10).Draw(rt, "sold since")
			change.StockSeen = &seen
		}
		_, err := w.ChangeProduct(w.ctx, seller, p.id, change, "")
		w.same(rt, "restock", err, w.m.restock(seller, p, seen, n))
	}
	verbs["take down"] = func(rt *rapid.T) {
		if !slices.ContainsFunc(w.m.products[3:], func(p *modelProduct) bool { return !p.down }) {
			rt.Skip("too little would be left")
		}
		p := w.product(rt)
		seller := one(rt, p.seller)
		w.same(rt, "take down", w.TakeDown(w.ctx, seller, p.id), w.m.takeDown(seller, p))
	}
}

func (w *world) fillsCarts(verbs map[string]func(*rapid.T)) {
	verbs["add to the cart"] = func(rt *rapid.T) {
		p, buyer, n, key := w.product(rt), someBuyer(rt), quantity(rt), w.token()
		seen := p.seen(rt)
		want := w.m.put(buyer, p, n, seen, true)
		for range 2 { // asked twice, it is once
			w.same(rt, "add to the cart", w.AddToCart(w.ctx, buyer, p.id, n, seen, key), want)
		}
	}
	verbs["set in the cart"] = func(rt *rapid.T) {
		p, buyer, n := w.product(rt), someBuyer(rt), quantity(rt)
		seen := p.seen(rt)
		w.same(rt, "set in the cart", w.SetCartQuantity(w.ctx, buyer, p.id, n, seen), w.m.put(buyer, p, n, seen, false))
	}
	verbs["take out of the cart"] = func(rt *rapid.T) {
		p, buyer := w.product(rt), someBuyer(rt)
		w.same(rt, "take out of the cart", w.RemoveFromCart(w.ctx, buyer, p.id), nil)
		w.m.remove(buyer, p)
	}
}

func (w *world) buys(verbs map[string]func(*rapid.T)) {
	verbs["order"] = func(rt *rapid.T) {
		var in NewOrder
		for range rapid.SampledFrom([]int{1, 1, 2, 3}).Draw(rt, "products") {
			p := w.product(rt)
			if !slices.ContainsFunc(in.Items, func(i Item) bool { return i.Product == p.id }) {
				in.Items = append(in.Items, Item{p.id, quantity(rt), p.seen(rt)})
			}
		}
		w.place(rt, wish{someBuyer(rt), in, w.token()})
	}
	verbs["order the cart"] = func(rt *rapid.T) {
		buyer := pick(rt, "buyer", buyers, func(b authclient.UserID) bool { return len(w.m.carts[b]) > 0 })
		in := NewOrder{Cart: true}
		if rapid.Bool().Draw(rt, "looked") { // and saw what can be bought, mostly
			for _, l := range w.m.carts[buyer] {
				if (l.trouble(l.n) == None) == (rapid.IntRange(0, 9).Draw(rt, "right") > 0) {
					in.Items = append(in.Items, Item{l.id, l.n, l.seen(rt)})
				}
			}
		}
		w.place(rt, wish{buyer, in, w.token()})
	}
	verbs["order again"] = func(rt *rapid.T) {
		again := pick(rt, "form", w.wishes, func(wish) bool { return true })
		if rapid.IntRange(0, 3).Draw(rt, "not quite the same") == 0 && !again.in.Cart {
			again.in.Items = slices.Clone(again.in.Items)
			again.in.Items[0].Quantity++
		}
		w.place(rt, again)
	}
	verbs["pay"] = func(rt *rapid.T) {
		o := w.order(rt)
		buyer := one(rt, o.buyer)
		got, err := w.Pay(w.purse(buyer), buyer, o.id, "")
		w.answer(rt, "pay", got, err, o, w.m.payFor(buyer, o))
	}
	verbs["pay at the cashier"] = func(rt *rapid.T) {
		takes := func(o *modelOrder) bool {
			return o.payment == payclient.Open && w.m.now.Before(o.deadline) && w.m.money[o.buyer] >= o.total()
		}
		open := slices.DeleteFunc(slices.Clone(w.m.orders), func(o *modelOrder) bool { return !takes(o) })
		o := pick(rt, "order", open, takes)
		w.pay.Capture(string(o.id), nil)
		w.m.capture(o)
	}
	verbs["come to money"] = func(rt *rapid.T) {
		buyer := someBuyer(rt)
		w.pay.had[buyer] += 3000
		w.m.money[buyer] += 3000
	}
	verbs["come back from the cashier"] = func(rt *rapid.T) {
		o := w.order(rt)
		got, err := w.Settle(w.ctx, o.id)
		w.answer(rt, "come back", got, err, o, w.m.settle(o))
	}
	verbs["hear"] = func(rt *rapid.T) {
		o := w.order(rt)
		w.same(rt, "hear", w.Hear(w.ctx, o.id), w.m.hear(o))
	}
	verbs["cancel"] = func(rt *rapid.T) {
		o := w.order(rt)
		buyer := one(rt, o.buyer)
		got, err := w.Cancel(w.ctx, buyer, o.id)
		w.answer(rt, "cancel", got, err, o, w.m.cancel(buyer, o))
	}
}

// purse is a context with somebody's money.
func (w *world) purse(buyer authclient.UserID) context.Context {
	return context.WithValue(w.ctx, payer{}, buyer)
}

func (w *world) place(rt *rapid.T, x wish) {
	w.wishes = append(w.wishes, x)
	o, want := w.m.place(x.buyer, x.in, x.key)
	got, err := w.PlaceOrder(w.purse(x.buyer), Person{x.buyer, "Somebody"}, x.in, x.key)
	w.same(rt, "order", err, want)
	if o == nil {
		if got.ID != "" {
			rt.Fatalf("order: %s stands beside %v", got.ID, err)
		}
		return
	}
	if o.id == "" {
		o.id = got.ID
	}
	if got.ID != o.id || got.State != o.state {
		rt.Fatalf("order: got %s, which is %s; the model has %s, which is %s", got.ID, got.State, o.id, o.state)
	}
}

// answer compares what was said of an order.
func (w *world) answer(rt *rapid.T, what string, got Order, err error, o *modelOrder, want error) {
	w.same(rt, what, err, want)
	if err == nil && (got.ID != o.id || got.State != o.state) {
		rt.Fatalf("%s: got %s, which is %s; the model has %s, which is %s", what, got.ID, got.State, o.id, o.state)
	}
}

func (w *world) sends(verbs map[string]func(*rapid.T)) {
	verbs["ship"] = func(rt *rapid.T) {
		sh := w.shipment(rt, Waiting)
		seller, carrier := one(rt, sh.seller), rapid.SampledFrom([]string{"SF", "SF", "EMS"}).Draw(rt, "carrier")
		got, err := w.Ship(w.ctx, seller, w.shipmentID(rt, sh), carrier, "1")
		w.shows(rt, "ship", got, err, sh, w.m.ship(seller, sh, carrier))
	}
	verbs["receive"] = func(rt *rapid.T) {
		sh := w.shipment(rt, Shipped)
		buyer := one(rt, sh.order.buyer)
		got, err := w.Receive(w.ctx, buyer, w.shipmentID(rt, sh))
		w.shows(rt, "receive", got, err, sh, w.m.receive(buyer, sh))
	}
	verbs["give back"] = func(rt *rapid.T) {
		sh := w.shipment(rt, Waiting)
		seller := one(rt, sh.seller)
		got, err := w.GiveBack(w.ctx, seller, w.shipmentID(rt, sh), "Sold out after all.")
		w.shows(rt, "give back", got, err, sh, w.m.giveBack(seller, sh))
	}
}

// ask is a refund that was asked for.
type ask struct {
	buyer    authclient.UserID
	shipment *modelShipment
	in       NewRefund
	key      string
}

func (w *world) goesBack(verbs map[string]func(*rapid.T)) {
	var asks []ask
	put := func(rt *rapid.T, a ask) {
		asks = append(asks, a)
		got, err := w.AskRefund(w.ctx, a.buyer, w.shipmentID(rt, a.shipment), a.in, a.key)
		r, want := w.m.askRefund(a.buyer, a.shipment, a.in, a.key)
		w.same(rt, "ask for a refund", err, want)
		if err == nil && (got.ID != w.refundID(rt, r) || got.State != r.state || got.Amount != r.amount) {
			rt.Fatalf("ask for a refund: got %+v; the model has %+v", got.Refund, r)
		}
	}
	verbs["ask for a refund"] = func(rt *rapid.T) {
		sh := w.shipment(rt, Waiting, Shipped, Received)
		in := NewRefund{Reason: "It is broken."}
		switch rapid.IntRange(0, 3).Draw(rt, "of") {
		case 0:
			in.Amount = cny(rapid.SampledFrom([]int64{0, sh.left(), sh.left() + 1, sh.amount}).Draw(rt, "amount"))
		case 1, 2:
			in.Amount = cny(1 + sh.left()/3)
		}
		put(rt, ask{one(rt, sh.order.buyer), sh, in, w.token()})
	}
	verbs["ask for a refund again"] = func(rt *rapid.T) {
		again := pick(rt, "form", asks, func(ask) bool { return true })
		if rapid.IntRange(0, 3).Draw(rt, "not quite the same") == 0 {
			again.in.Reason = "It is late."
		}
		put(rt, again)
	}
	verbs["grant"] = func(rt *rapid.T) {
		r := w.refund(rt, Asked)
		seller := one(rt, r.shipment.seller)
		got, err := w.Grant(w.ctx, seller, w.refundID(rt, r))
		w.shows(rt, "grant", got, err, r.shipment, w.m.grant(seller, r))
	}
	verbs["refuse"] = func(rt *rapid.T) {
		r := w.refund(rt, Asked)
		seller, why := one(rt, r.shipment.seller), reply(rt)
		got, err := w.Refuse(w.ctx, seller, w.refundID(rt, r), why)
		w.shows(rt, "refuse", got, err, r.shipment, w.m.refuse(seller, r, why))
	}
	verbs["withdraw"] = func(rt *rapid.T) {
		r := w.refund(rt, Asked, Appealed)
		buyer := one(rt, r.shipment.order.buyer)
		got, err := w.Withdraw(w.ctx, buyer, w.refundID(rt, r))
		w.shows(rt, "withdraw", got, err, r.shipment, w.m.withdraw(buyer, r))
	}
	verbs["appeal"] = func(rt *rapid.T) {
		r := w.refund(rt, Refused)
		buyer := one(rt, r.shipment.order.buyer)
		got, err := w.Appeal(w.ctx, buyer, w.refundID(rt, r))
		w.shows(rt, "appeal", got, err, r.shipment, w.m.appeal(buyer, r))
	}
	verbs["decide"] = func(rt *rapid.T) {
		r := w.refund(rt, Appealed)
		operator, to, why := one(rt, olga.ID), rapid.SampledFrom([]RefundState{Granted, Denied}).Draw(rt, "to"), reply(rt)
		got, err := w.Decide(w.ctx, operator, w.refundID(rt, r), to == Granted, why)
		w.shows(rt, "decide", got, err, r.shipment, w.m.decide(operator, r, to, why))
	}
}

// shows compares what was said of a shipment.
func (w *world) shows(rt *rapid.T, what string, got Detail, err error, sh *modelShipment, want error) {
	w.same(rt, what, err, want)
	if err != nil {
		return
	}
	i := slices.IndexFunc(got.Shipments, func(x ShipmentDetail) bool { return x.Seller == sh.seller })
	if got.State != sh.order.state || i < 0 || got.Shipments[i].State != sh.state {
		rt.Fatalf("%s: got %+v; the model has %s of an order that is %s", what, got, sh.state, sh.order.state)
	}
}

func (w *world) product(rt *rapid.T) *modelProduct {
	return pick(rt, "product", w.m.products, func(p *modelProduct) bool { return !p.down && p.available > 0 })
}

func (w *world) order(rt *rapid.T) *modelOrder {
	return pick(rt, "order", w.m.orders, func(o *modelOrder) bool { return o.state == Pending })
}

func (w *world) shipment(rt *rapid.T, in ...ShipmentState) *modelShipment {
	return pick(rt, "shipment", w.m.shipments(), func(sh *modelShipment) bool { return slices.Contains(in, sh.state) && sh.open == nil })
}

func (w *world) refund(rt *rapid.T, in ...RefundState) *modelRefund {
	var all []*modelRefund
	for _, sh := range w.m.shipments() {
		all = append(all, sh.refunds...)
	}
	return pick(rt, "refund", all, func(r *modelRefund) bool { return slices.Contains(in, r.state) })
}

func (w *world) detail(rt *rapid.T, sh *modelShipment) ShipmentDetail {
	d, err := w.See(w.ctx, sh.order.buyer, sh.order.id)
	if err != nil {
		rt.Fatal(err)
	}
	return d.Shipments[slices.Index(sh.order.shipments, sh)]
}

func (w *world) shipmentID(rt *rapid.T, sh *modelShipment) ShipmentID { return w.detail(rt, sh).ID }

func (w *world) refundID(rt *rapid.T, r *modelRefund) RefundID {
	return w.detail(rt, r.shipment).Refunds[slices.Index(r.shipment.refunds, r)].ID
}

// pick is one of all, mostly one with which something can be done.
func pick[T any](rt *rapid.T, what string, all []T, fits func(T) bool) T {
	some := slices.DeleteFunc(slices.Clone(all), func(x T) bool { return !fits(x) })
	if len(some) > 0 && rapid.IntRange(0, 3).Draw(rt, "a "+what+" that fits") > 0 {
		all = some
	}
	if len(all) == 0 {
		rt.Skip("there is none")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, what)]
}

// one is mostly the one who may.
func one(rt *rapid.T, may authclient.UserID) authclient.UserID {
	if rapid.IntRange(0, 9).Draw(rt, "somebody else") > 0 {
		return may
	}
	return rapid.SampledFrom([]authclient.UserID{ann.ID, bob.ID, cara.ID, dan.ID, olga.ID}).Draw(rt, "who")
}

// buyers are who buys: Cara sells too, also to herself.
var buyers = []authclient.UserID{bob.ID, dan.ID, cara.ID}

func someBuyer(rt *rapid.T) authclient.UserID { return rapid.SampledFrom(buyers).Draw(rt, "buyer") }

// price is what a piece costs, or what somebody believes that it does.
func price(rt *rapid.T) int64 { return rapid.SampledFrom([]int64{300, 1200, 1300}).Draw(rt, "price") }

// seen is the price that a buyer saw, mostly today's, or nil.
func (p *modelProduct) seen(rt *rapid.T) *money.Amount {
	switch rapid.IntRange(0, 5).Draw(rt, "seen") {
	case 0:
		return cny(price(rt))
	case 1, 2:
		return nil
	}
	return cny(p.price)
}

func quantity(rt *rapid.T) int64 {
	return rapid.SampledFrom([]int64{1, 1, 1, 2, 3, 8, 500}).Draw(rt, "pieces")
}

func reply(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"No.", "It was whole."}).Draw(rt, "words")
}
