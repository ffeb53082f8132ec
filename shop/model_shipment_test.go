package shop

import (
	"reflect"
	"slices"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/shop/shopclient"
)

type modelShipment struct {
	order              *modelOrder
	seller             authclient.UserID
	state              ShipmentState
	carrier            string
	amount             int64
	refunded, released int64 // as decided
	back, given        int64 // as pay has done it
	gave               bool  // pay has released it
	open               *modelRefund
	refunds            []*modelRefund // as they were asked for or given
	requests           int
	confirm, look      time.Time // when it is received by itself, and when the job looks next
	received           time.Time
}

func (sh *modelShipment) left() int64 { return sh.amount - sh.refunded }

type modelRefund struct {
	shipment *modelShipment
	state    RefundState
	amount   int64
	since    time.Time // the timer stands still since then
	answer   time.Time // granted then, unless the seller has answered
	words    string    // the last ones of the seller or the operator
	paid     bool
}

func (m *model) shipments() (all []*modelShipment) {
	for _, o := range m.orders {
		all = append(all, o.shipments...)
	}
	return all
}

// part refuses who is not the one that may do something with a shipment.
func (sh *modelShipment) part(who, may authclient.UserID, stranger error) error {
	switch who {
	case may:
		return nil
	case sh.seller, sh.order.buyer:
		return fault.ErrForbidden
	}
	return stranger
}

// goes refuses a step that an open refund, or the state, doesn't allow.
func (sh *modelShipment) goes(from ShipmentState) error {
	switch {
	case sh.open != nil:
		return shopclient.ErrRefundOpen
	case sh.state != from:
		return shopclient.ErrShipmentState
	}
	return nil
}

func (m *model) ship(seller authclient.UserID, sh *modelShipment, carrier string) error {
	if err := sh.part(seller, sh.seller, shopclient.ErrNoShipment); err != nil {
		return err
	}
	if sh.state == Shipped && sh.carrier == carrier {
		return nil
	}
	if err := sh.goes(Waiting); err != nil {
		return err
	}
	sh.state, sh.carrier = Shipped, carrier
	sh.confirm = m.now.Add(m.terms.ConfirmAfter)
	sh.look = sh.confirm
	return nil
}

func (m *model) receive(buyer authclient.UserID, sh *modelShipment) error {
	if err := sh.part(buyer, sh.order.buyer, shopclient.ErrNoShipment); err != nil {
		return err
	}
	if sh.state == Received {
		return nil
	}
	if err := sh.goes(Shipped); err != nil {
		return err
	}
	m.arrived(sh)
	return nil
}

func (m *model) arrived(sh *modelShipment) {
	sh.state, sh.received, sh.released = Received, m.now, sh.left()
	sh.order.complete()
}

// complete ends an order of which nothing is under way.
func (o *modelOrder) complete() {
	if !slices.ContainsFunc(o.shipments, func(sh *modelShipment) bool { return sh.state == Waiting || sh.state == Shipped }) {
		o.state = Completed
	}
}

// due does what happens to a shipment by itself. Of its two timers the one that is due first
// goes first.
func (m *model) due(sh *modelShipment) {
	if sh.open != nil && sh.open.answer.Before(sh.look) {
		m.answer(sh.open)
	}
	m.confirm(sh)
	m.answer(sh.open)
}

// answer grants what its seller has not answered in time.
func (m *model) answer(r *modelRefund) {
	if r != nil && r.state == Asked && !r.answer.After(m.now) {
		m.end(r, Granted)
	}
}

// confirm receives what its buyer has said nothing of. While a refund is open it looks again later.
func (m *model) confirm(sh *modelShipment) {
	switch {
	case sh.state != Shipped || sh.look.After(m.now):
	case sh.open != nil:
		sh.look = m.now.Add(confirmPause)
	case m.now.Before(sh.confirm):
		sh.look = sh.confirm
	default:
		m.arrived(sh)
	}
}

// payOut has pay do what was decided.
func (m *model) payOut(sh *modelShipment) {
	m.release(sh)
	for _, r := range sh.refunds {
		m.payBack(r)
	}
}

func (m *model) release(sh *modelShipment) {
	if sh.released > 0 && !sh.gave {
		sh.gave, sh.given = true, sh.released
		m.money[sh.seller] += sh.released
	}
}

// payBack comes after the release. What the seller has already been given comes from there.
func (m *model) payBack(r *modelRefund) {
	sh := r.shipment
	if r.state != Granted || r.paid || sh.released > 0 && !sh.gave {
		return
	}
	if sh.amount-sh.back-sh.given < r.amount {
		sh.given -= r.amount
		m.money[sh.seller] -= r.amount
	}
	r.paid = true
	sh.back += r.amount
	m.money[sh.order.buyer] += r.amount
}

// openable says why a refund can't be opened now, if it can't, whatever the time.
func (m *model) openable(sh *modelShipment, amount int64) error {
	switch {
	case sh.open != nil:
		return shopclient.ErrRefundOpen
	case sh.state == Refunded:
		return shopclient.ErrShipmentState
	case sh.left() < amount:
		return shopclient.ErrRefundAmount
	}
	return nil
}

// windowOver: it is too late to ask for a refund.
func (m *model) windowOver(sh *modelShipment) bool {
	return !sh.received.IsZero() && !m.now.Before(sh.received.Add(m.terms.RefundWindow))
}

func (m *model) askRefund(buyer authclient.UserID, sh *modelShipment, in NewRefund, key string) (*modelRefund, error) {
	if err := sh.part(buyer, sh.order.buyer, shopclient.ErrNoShipment); err != nil {
		return nil, err
	}
	use := "refund " + string(buyer) + key
	if before, used := m.keys[use]; used {
		if before.refund.shipment != sh || !reflect.DeepEqual(before.request, in) {
			return nil, database.ErrMismatch
		}
		return before.refund, nil
	}
	amount := sh.left()
	if in.Amount != nil {
		amount = in.Amount.Minor
	}
	if amount <= 0 {
		if in.Amount != nil {
			return nil, shopclient.ErrRefundAmount
		}
		return nil, shopclient.ErrShipmentState
	}
	if err := m.openable(sh, amount); err != nil {
		return nil, err
	}
	if m.windowOver(sh) {
		return nil, shopclient.ErrRefundWindow
	}
	if sh.requests >= maxRequests {
		return nil, shopclient.ErrRefundRequests
	}
	r := &modelRefund{shipment: sh, state: Asked, amount: amount, since: m.now, answer: m.now.Add(m.terms.AnswerTime)}
	sh.open = r
	sh.refunds = append(sh.refunds, r)
	sh.requests++
	m.keys[use] = modelUse{refund: r, request: in}
	return r, nil
}

// end closes a refund; the shipment's timer goes on where it stood.
func (m *model) end(r *modelRefund, to RefundState) {
	sh := r.shipment
	r.state, sh.open = to, nil
	if !sh.confirm.IsZero() {
		sh.confirm = sh.confirm.Add(m.now.Sub(r.since))
	}
	if to != Granted {
		return
	}
	sh.refunded += r.amount
	if sh.left() > 0 {
		return
	}
	if sh.confirm.IsZero() { // it was never sent
		for _, l := range sh.order.lines {
			if l.seller == sh.seller {
				l.sold -= l.n
				l.available += l.n
			}
		}
	}
	sh.state = Refunded
	sh.order.complete()
}

func (m *model) grant(seller authclient.UserID, r *modelRefund) error {
	if err := r.shipment.part(seller, r.shipment.seller, shopclient.ErrNoRefund); err != nil || r.state == Granted {
		return err
	}
	if r.state != Asked {
		return shopclient.ErrRefundState
	}
	m.end(r, Granted)
	return nil
}

func (m *model) refuse(seller authclient.UserID, r *modelRefund, why string) error {
	if err := r.shipment.part(seller, r.shipment.seller, shopclient.ErrNoRefund); err != nil || r.state == Refused && r.words == why {
		return err
	}
	if r.state != Asked {
		return shopclient.ErrRefundState
	}
	r.words = why
	m.end(r, Refused)
	r.since = m.now
	return nil
}

func (m *model) withdraw(buyer authclient.UserID, r *modelRefund) error {
	if err := r.shipment.part(buyer, r.shipment.order.buyer, shopclient.ErrNoRefund); err != nil || r.state == Withdrawn {
		return err
	}
	if r.state != Asked && r.state != Appealed {
		return shopclient.ErrRefundState
	}
	m.end(r, Withdrawn)
	return nil
}

func (m *model) appeal(buyer authclient.UserID, r *modelRefund) error {
	if err := r.shipment.part(buyer, r.shipment.order.buyer, shopclient.ErrNoRefund); err != nil || r.state == Appealed {
		return err
	}
	if r.state != Refused {
		return shopclient.ErrRefundState
	}
	if m.windowOver(r.shipment) && !m.now.Before(r.since.Add(m.terms.AnswerTime)) {
		return shopclient.ErrRefundWindow
	}
	if err := m.openable(r.shipment, r.amount); err != nil {
		return err
	}
	r.state, r.since, r.shipment.open = Appealed, m.now, r
	return nil
}

func (m *model) decide(operator authclient.UserID, r *modelRefund, to RefundState, why string) error {
	if operator != olga.ID {
		return fault.ErrForbidden
	}
	if r.state == to && r.words == why {
		return nil
	}
	if r.state != Appealed {
		return shopclient.ErrRefundState
	}
	r.words = why
	m.end(r, to)
	return nil
}

// giveBack is a refund of all that is left, by a seller who won't send it.
func (m *model) giveBack(seller authclient.UserID, sh *modelShipment) error {
	if err := sh.part(seller, sh.seller, shopclient.ErrNoShipment); err != nil || sh.state == Refunded {
		return err
	}
	if err := sh.goes(Waiting); err != nil {
		return err
	}
	r := &modelRefund{shipment: sh, amount: sh.left(), since: m.now}
	sh.refunds = append(sh.refunds, r)
	m.end(r, Granted)
	return nil
}
