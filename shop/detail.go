package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/shop/shopclient"
)

// Detail is an order with what has become of it, as one person may see it: a seller sees
// the seller's own part. Actions are what that person may do now.
type Detail struct {
	Order
	Shipments []ShipmentDetail // in the order of the lines
	History   []Event          // oldest first; not in lists
	Actions   []string
}

// ShipmentDetail is a shipment with what is in it and which refunds there are.
type ShipmentDetail struct {
	Shipment
	Lines   []OrderLine
	Refunds []RefundDetail // oldest first
	Actions []string
}

// RefundDetail is a refund, and until when it must be answered.
type RefundDetail struct {
	Refund
	AnswerBefore time.Time // zero unless the seller has to answer
	Actions      []string
}

// Event is something that has happened to an order, or to a part of it.
type Event struct {
	At       time.Time
	What     string     // "order.paid", "shipment.shipped", "refund.asked"
	By       string     // buyer, seller or operator; "" when it happened by itself
	Shipment ShipmentID // "" when it is about the whole order
	Refund   RefundID
}

// See is an order for whoever bought it, for a seller of something in it once it is paid, and
// for the operator. For others it is ErrNoOrder.
func (s *Service) See(ctx context.Context, who authclient.UserID, oid OrderID) (Detail, error) {
	o, err := s.order(ctx, oid)
	if err != nil {
		return Detail{}, err
	}
	whole := who == o.Buyer || s.Operates(who)
	all, err := s.details(ctx, who, []Order{o}, whole)
	if err != nil {
		return Detail{}, err
	}
	d := all[0]
	if who == "" || (!whole && len(d.Shipments) == 0) {
		return Detail{}, shopclient.ErrNoOrder
	}
	d.History, err = s.history(ctx, d)
	return d, err
}

// then is what somebody sees of an order that they have changed.
func (s *Service) then(ctx context.Context, who authclient.UserID, oid OrderID, err error) (Detail, error) {
	if err != nil {
		return Detail{}, err
	}
	d, err := s.See(ctx, who, oid)
	return d, database.Afterwards(err)
}

// details reads what has become of orders, as somebody sees them: whole, or what that one sold.
func (s *Service) details(ctx context.Context, who authclient.UserID, orders []Order, whole bool) ([]Detail, error) {
	all := make([]Detail, len(orders))
	if len(orders) == 0 {
		return all, nil
	}
	ids := make([]OrderID, len(orders))
	for i, o := range orders {
		ids[i] = o.ID
	}
	var shipments []Shipment
	if err := s.db.NewSelect().Model(&shipments).Where("order_id IN (?)", bun.In(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("read the shipments of orders: %w", err)
	}
	var refunds []Refund
	if len(shipments) > 0 {
		if err := s.db.NewSelect().Model(&refunds).Where("order_id IN (?)", bun.In(ids)).Order("id").Scan(ctx); err != nil {
			return nil, fmt.Errorf("read the refunds of orders: %w", err)
		}
	}
	for i, o := range orders {
		all[i] = s.detail(who, o, whole, shipments, refunds)
	}
	return all, nil
}

// detail puts together what belongs to one order.
func (s *Service) detail(who authclient.UserID, o Order, whole bool, shipments []Shipment, refunds []Refund) Detail {
	d := Detail{Order: o}
	if who == o.Buyer && o.State == Pending {
		d.Actions = []string{shopclient.ActPay, shopclient.ActCancel}
	}
	if !whole {
		d.Lines = slices.DeleteFunc(slices.Clone(o.Lines), func(l OrderLine) bool { return l.Seller != who })
		d.Total = 0
		for _, l := range d.Lines {
			d.Total += l.Price * l.Quantity // a part of a total that fitted
		}
	}
	at := map[authclient.UserID]int{} // a seller's index in d.Shipments
	for _, l := range d.Lines {
		i, ok := at[l.Seller]
		if !ok {
			n := slices.IndexFunc(shipments, func(sh Shipment) bool { return sh.OrderID == o.ID && sh.Seller == l.Seller })
			if n < 0 {
				continue // it is not paid
			}
			i = len(d.Shipments)
			at[l.Seller] = i
			d.Shipments = append(d.Shipments, ShipmentDetail{Shipment: shipments[n], Actions: s.shipmentActions(who, shipments[n])})
		}
		d.Shipments[i].Lines = append(d.Shipments[i].Lines, l)
	}
	for i := range d.Shipments {
		sh := &d.Shipments[i]
		for _, r := range refunds {
			if r.ShipmentID == sh.ID {
				sh.Refunds = append(sh.Refunds, s.refundDetail(who, r, sh.Shipment))
			}
		}
	}
	return d
}

// shipmentActions are what somebody may do with a shipment now.
func (s *Service) shipmentActions(who authclient.UserID, sh Shipment) []string {
	var may []string
	if sh.OpenRefund != "" {
		return nil
	}
	if who == sh.Seller && sh.State == Waiting {
		may = append(may, shopclient.ActShip, shopclient.ActGiveBack)
	}
	if who == sh.Buyer && sh.State == Shipped {
		may = append(may, shopclient.ActReceive)
	}
	if who == sh.Buyer && sh.State != Refunded && !s.windowOver(sh) && sh.Requests < maxRequests {
		may = append(may, shopclient.ActRefund)
	}
	return may
}

func (s *Service) refundDetail(who authclient.UserID, r Refund, sh Shipment) RefundDetail {
	d := RefundDetail{Refund: r}
	if r.State == Asked {
		d.AnswerBefore = r.DeadlineAt.Time
	}
	if who == sh.Seller && r.State == Asked {
		d.Actions = append(d.Actions, shopclient.ActGrant, shopclient.ActRefuse)
	}
	if who == sh.Buyer && (r.State == Asked || r.State == Appealed) {
		d.Actions = append(d.Actions, shopclient.ActWithdraw)
	}
	if who == sh.Buyer && r.State == Refused && len(s.operators) > 0 && sh.OpenRefund == "" && sh.State != Refunded && !s.appealOver(r, sh) && sh.left() >= r.Amount {
		d.Actions = append(d.Actions, shopclient.ActAppeal)
	}
	if r.State == Appealed && s.Operates(who) {
		d.Actions = append(d.Actions, shopclient.ActDecide)
	}
	return d
}

// history is what has happened to the parts of an order that somebody sees. Of what happened
// in one moment the cause comes first.
func (s *Service) history(ctx context.Context, d Detail) ([]Event, error) {
	var refunds []refundEvent
	var shipments []shipmentEvent
	var orders []orderEvent
	refundsOf := s.db.NewSelect().Model((*Refund)(nil)).Column("id").Where("order_id = ?", d.ID)
	shipmentsOf := s.db.NewSelect().Model((*Shipment)(nil)).Column("id").Where("order_id = ?", d.ID)
	err := errors.Join(
		s.db.NewSelect().Model(&refunds).Where("refund_id IN (?)", refundsOf).Scan(ctx),
		s.db.NewSelect().Model(&shipments).Where("shipment_id IN (?)", shipmentsOf).Scan(ctx),
		s.db.NewSelect().Model(&orders).Where("order_id = ?", d.ID).Scan(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the history of order %s: %w", d.ID, err)
	}
	sellers, about := map[ShipmentID]authclient.UserID{}, map[RefundID]ShipmentID{} // what is seen
	for _, sh := range d.Shipments {
		sellers[sh.ID] = sh.Seller
		for _, r := range sh.Refunds {
			about[r.ID] = sh.ID
		}
	}
	var all []Event
	for _, e := range refunds {
		if sh, seen := about[e.RefundID]; seen {
			all = append(all, Event{e.At.Time, "refund." + string(e.State), d.partOf(e.Actor, sellers[sh]), sh, e.RefundID})
		}
	}
	for _, e := range shipments {
		if seller, seen := sellers[e.ShipmentID]; seen {
			all = append(all, Event{e.At.Time, "shipment." + string(e.State), d.partOf(e.Actor, seller), e.ShipmentID, ""})
		}
	}
	for _, e := range orders {
		all = append(all, Event{At: e.At.Time, What: "order." + string(e.State)})
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.At.Compare(b.At) })
	return all, nil
}

// partOf is what somebody was who did something; who is neither side decided as operator.
func (d Detail) partOf(actor, seller authclient.UserID) string {
	switch actor {
	case "":
		return ""
	case seller: // before the buyer: one may sell to oneself
		return shopclient.BySeller
	case d.Buyer:
		return shopclient.ByBuyer
	}
	return shopclient.ByOperator
}
