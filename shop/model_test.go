package shop

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// model is the shop with its pay as one would write them without a database: what each verb
// answers, and what there is afterwards. A nil answer is success.
type model struct {
	now      time.Time
	terms    Terms
	payTime  time.Duration
	pay      temper
	money    map[authclient.UserID]int64
	products []*modelProduct
	carts    map[authclient.UserID][]*modelLine // as they were added
	orders   []*modelOrder
	keys     map[string]modelUse
}

// temper is how pay is.
type temper string

const (
	well temper = "well"
	away temper = "away" // it can't be reached
	mute temper = "mute" // it does what it is asked for, but its answer is lost
)

type modelUse struct {
	order   *modelOrder
	placed  NewOrder
	refund  *modelRefund
	request NewRefund
}

type modelOrder struct {
	id        OrderID
	buyer     authclient.UserID
	state     State
	lines     []modelLine
	deadline  time.Time
	payment   string // at pay, "" if nobody has asked for the money
	stands    bool   // its buyer was told so when pay was away: it is not closed before its deadline
	shipments []*modelShipment
}

func (o *modelOrder) total() (total int64) {
	for _, l := range o.lines {
		total += l.n * l.price
	}
	return total
}

func newModel(now time.Time, terms Terms, money map[authclient.UserID]int64) *model {
	return &model{
		now: now, terms: terms, payTime: 30 * time.Minute, pay: well, money: money,
		carts: map[authclient.UserID][]*modelLine{}, keys: map[string]modelUse{},
	}
}

// place gives the order that stands, also beside a refusal.
func (m *model) place(buyer authclient.UserID, in NewOrder, key string) (*modelOrder, error) {
	use := "order " + string(buyer) + key
	if before, used := m.keys[use]; used {
		if !reflect.DeepEqual(before.placed, in) {
			return nil, database.ErrMismatch
		}
		return before.order, m.ask(before.order)
	}
	lines, err := m.wanted(buyer, in)
	if err == nil {
		err = m.allowed(buyer, lines)
	}
	if err != nil {
		return nil, err
	}
	o := &modelOrder{buyer: buyer, state: Pending, lines: lines, deadline: m.now.Add(m.payTime)}
	for _, l := range lines {
		l.available -= l.n
		l.held += l.n
		if l.available < scarce && o.deadline.After(m.now.Add(m.terms.ScarceTime)) {
			o.deadline = m.now.Add(m.terms.ScarceTime)
		}
		if in.Cart {
			m.remove(buyer, l.modelProduct)
		}
	}
	m.orders = append(m.orders, o)
	m.keys[use] = modelUse{order: o, placed: in}
	return o, m.ask(o)
}

// wanted is what is ordered, with today's prices.
func (m *model) wanted(buyer authclient.UserID, in NewOrder) ([]modelLine, error) {
	items := in.Items
	if in.Cart {
		if len(m.carts[buyer]) == 0 {
			return nil, shopclient.ErrCartEmpty
		}
		items = nil
		stuck := false
		for _, l := range m.carts[buyer] {
			item := Item{Product: l.id, Quantity: l.n, Seen: cny(l.price)}
			i := slices.IndexFunc(in.Items, func(x Item) bool { return x.Product == l.id && x.Quantity == l.n })
			if len(in.Items) > 0 && i < 0 {
				stuck = stuck || l.trouble(l.n) == None
				continue
			}
			if i >= 0 && in.Items[i].Seen != nil {
				item.Seen = in.Items[i].Seen
			}
			items = append(items, item)
		}
		if stuck || len(in.Items) > 0 && len(items) != len(in.Items) {
			return nil, shopclient.ErrCartChanged
		}
	}
	var lines []modelLine
	for _, item := range items {
		p := m.products[slices.IndexFunc(m.products, func(p *modelProduct) bool { return p.id == item.Product })]
		if p.down {
			return nil, shopclient.ErrUnavailable
		}
		if item.Seen != nil && item.Seen.Minor != p.price {
			return nil, shopclient.ErrPriceChanged
		}
		lines = append(lines, modelLine{p, item.Quantity, p.price})
	}
	return lines, nil
}

// allowed says whether a buyer may have that much more open, and whether there is so much.
func (m *model) allowed(buyer authclient.UserID, lines []modelLine) error {
	orders, pieces := int64(0), map[*modelProduct]int64{}
	for _, o := range m.orders {
		if o.buyer == buyer && o.state == Pending {
			orders++
			for _, l := range o.lines {
				pieces[l.modelProduct] += l.n
			}
		}
	}
	if orders >= m.terms.OpenOrders {
		return shopclient.ErrOpenOrders
	}
	for _, l := range lines {
		if pieces[l.modelProduct]+l.n > m.terms.OpenPieces {
			return shopclient.ErrOpenPieces
		}
	}
	for _, l := range lines {
		if l.available < l.n {
			return shopclient.ErrSoldOut
		}
	}
	return nil
}

// ask asks pay for an order's money.
func (m *model) ask(o *modelOrder) error {
	switch {
	case o.state != Pending:
		return nil
	case m.pay == away:
		return unreachable
	case o.payment == payclient.Closed:
		return m.settle(o)
	case o.payment != payclient.Captured && !m.now.Before(o.deadline):
		return m.close(o)
	case o.payment != payclient.Captured:
		o.payment = payclient.Open
		if m.money[o.buyer] >= o.total() {
			m.capture(o)
		}
	}
	if m.pay == mute {
		return noReply
	}
	if o.payment == payclient.Open {
		return shopclient.ErrUnpaid
	}
	return m.settle(o)
}

func (m *model) payFor(buyer authclient.UserID, o *modelOrder) error {
	if o.buyer != buyer {
		return shopclient.ErrNoOrder
	}
	return m.ask(o)
}

func (m *model) capture(o *modelOrder) {
	m.money[o.buyer] -= o.total()
	o.payment = payclient.Captured
}

// settle brings an order to where its payment is.
func (m *model) settle(o *modelOrder) error {
	switch {
	case o.state != Pending:
	case m.pay == away:
		return unreachable
	case o.payment == payclient.Captured:
		m.finish(o, Paid)
	case o.payment == payclient.Closed:
		m.finish(o, Canceled)
	}
	return nil
}

func (m *model) hear(o *modelOrder) error {
	if o.state == Canceled && m.pay == away {
		return unreachable // whether its money came late
	}
	return m.settle(o)
}

func (m *model) close(o *modelOrder) error {
	if m.pay == away {
		return unreachable
	}
	if o.payment != payclient.Captured {
		o.payment = payclient.Closed
	}
	if m.pay == mute {
		return noReply
	}
	return m.settle(o)
}

func (m *model) cancel(buyer authclient.UserID, o *modelOrder) error {
	switch {
	case o.buyer != buyer:
		return shopclient.ErrNoOrder
	case o.state == Canceled:
		return nil
	case o.state != Pending:
		return shopclient.ErrWrongState
	}
	err := m.close(o)
	if err == nil && o.state != Canceled {
		return shopclient.ErrWrongState // it was paid, and nobody knew
	}
	return err
}

func (m *model) finish(o *modelOrder, to State) {
	o.state = to
	for _, l := range o.lines {
		l.held -= l.n
		if to == Canceled {
			l.available += l.n
			continue
		}
		l.sold += l.n
		i := slices.IndexFunc(o.shipments, func(sh *modelShipment) bool { return sh.seller == l.seller })
		if i < 0 {
			i = len(o.shipments)
			o.shipments = append(o.shipments, &modelShipment{order: o, seller: l.seller, state: Waiting})
		}
		o.shipments[i].amount += l.n * l.price
	}
}

// pass lets time go on, and does what is due then.
func (m *model) pass(d time.Duration) {
	m.now = m.now.Add(d)
	for _, o := range m.orders {
		m.watch(o)
		for _, sh := range o.shipments {
			m.due(sh)
			if m.pay == well {
				m.payOut(sh)
			}
		}
	}
}

// watch is the job of an order.
func (m *model) watch(o *modelOrder) {
	late := !m.now.Before(o.deadline)
	switch {
	case o.state != Pending:
	case m.pay == away:
		o.stands = o.stands || !late
	case late, o.payment == "" && !o.stands:
		_ = m.close(o) // pay is well
	default:
		_ = m.settle(o)
	}
}

// String is all that there is, to be compared with what [world.look] finds.
func (m *model) String() string {
	var lines []string
	for _, p := range m.products {
		lines = append(lines, fmt.Sprintf("%s costs %d, down %t: %d available, %d held, %d sold", p.title, p.price, p.down, p.available, p.held, p.sold))
	}
	for user, money := range m.money {
		lines = append(lines, fmt.Sprintf("%s has %d", user, money))
		total := int64(0)
		for i, l := range m.carts[user] {
			trouble := l.trouble(l.n)
			lines = append(lines, fmt.Sprintf("%s's cart %d: %d of %s, seen for %d, %q", user, i, l.n, l.title, l.price, trouble))
			if trouble == None {
				total += l.n * l.modelProduct.price
			}
		}
		lines = append(lines, fmt.Sprintf("%s's cart comes to %d", user, total))
	}
	for i, o := range m.orders {
		lines = append(lines, o.now(i)...)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// now is all that there is of an order, to be compared with what [nowOf] finds.
func (o *modelOrder) now(i int) (lines []string) {
	var back, given int64
	for k, sh := range o.shipments {
		back, given = back+sh.back, given+sh.given
		open := ""
		for n, r := range sh.refunds {
			lines = append(lines, fmt.Sprintf("order %d shipment %d refund %d: %s %d, paid %t", i, k, n, r.state, r.amount, r.paid))
			if r == sh.open {
				open = fmt.Sprint(n)
			}
		}
		lines = append(lines, fmt.Sprintf("order %d shipment %d: %s's is %s, %d of %d refunded in %d requests, open %q, %d released, done %t, confirmed %s",
			i, k, sh.seller, sh.state, sh.refunded, sh.amount, sh.requests, open, sh.released, sh.gave, sh.confirm))
	}
	return append(lines, fmt.Sprintf("order %d: %s's is %s, costs %d, waits until %s; payment %q, %d back, %d given",
		i, o.buyer, o.state, o.total(), o.deadline, o.payment, back, given))
}
