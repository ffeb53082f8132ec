package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
)

// ShipmentID is "shp_…". It is also the id of the release at pay: a share is released once.
type ShipmentID string

// ShipmentState is where a shipment is in its life.
type ShipmentState string

// The states of a shipment.
const (
	Waiting  ShipmentState = shopclient.Waiting  // the seller has to send it
	Shipped  ShipmentState = shopclient.Shipped  // on its way; received by itself some day
	Received ShipmentState = shopclient.Received // the seller's share is released
	Refunded ShipmentState = shopclient.Refunded // the whole share goes back to the buyer
)

// shipmentFrom is the whole life of a shipment: the states in which each can follow.
var shipmentFrom = map[ShipmentState][]ShipmentState{
	Shipped:  {Waiting},
	Received: {Shipped},
	Refunded: {Waiting, Shipped, Received},
}

// A shipment's jobs: it is received by itself, and pay gives the seller the share.
const (
	confirmJob = "shop.confirm"
	releaseJob = "shop.release"
)

const (
	maxCarrier  = 60 // characters
	maxTracking = 60 // characters
)

// Shipment is what one seller sends of a paid order, and its row.
type Shipment struct {
	bun.BaseModel `bun:"table:shipments"`

	ID         ShipmentID `bun:",pk"`
	OrderID    OrderID
	Buyer      authclient.UserID
	Seller     authclient.UserID
	SellerName string
	State      ShipmentState
	Amount     int64 // the seller's share of the order, minor units of Currency
	Currency   money.Currency
	Refunded   int64    // of it: granted to the buyer
	Released   int64    // of it: due to the seller since it was received
	Requests   int64    // refunds that were asked for
	OpenRefund RefundID `bun:",nullzero"` // waits for an answer; nothing else happens meanwhile
	Carrier    string
	Tracking   string
	ConfirmAt  database.Time // received by itself then; once shipped
	ShippedAt  database.Time
	ReceivedAt database.Time
	ReleasedAt database.Time // when pay had done it
	CreatedAt  database.Time
}

// left is what was not granted to go back, in minor units.
func (s Shipment) left() int64 { return s.Amount - s.Refunded }

// shipmentEvent is a row of a shipment's history, which begins with what follows Waiting.
type shipmentEvent struct {
	bun.BaseModel `bun:"table:shipment_events"`

	ShipmentID ShipmentID        `bun:",pk"`
	State      ShipmentState     `bun:",pk"`
	Actor      authclient.UserID // "" when it happened by itself
	At         database.Time
}

// shipmentsOf are those of an order that is paid at that time: one for each of its sellers.
// They are the same whenever they are made.
func shipmentsOf(o Order, at time.Time) []Shipment {
	var all []Shipment
	of := map[authclient.UserID]int{} // index in all
	for _, l := range o.Lines {
		i, ok := of[l.Seller]
		if !ok {
			i = len(all)
			of[l.Seller] = i
			all = append(all, Shipment{
				ID:         ShipmentID("shp_" + strings.TrimPrefix(string(o.ID), "ord_") + "_" + strconv.FormatInt(l.Position, 10)),
				OrderID:    o.ID,
				Buyer:      o.Buyer,
				Seller:     l.Seller,
				SellerName: l.SellerName,
				State:      Waiting,
				Currency:   o.Currency,
				CreatedAt:  database.At(at),
			})
		}
		all[i].Amount += l.Price * l.Quantity // a part of a total that fitted
	}
	return all
}

// writeShipments begins what sellers send of the orders that are paid.
func (b *orderBatch) writeShipments(ctx context.Context) error {
	var shipments []Shipment
	for _, e := range b.ends {
		if e.to == Paid {
			shipments = append(shipments, shipmentsOf(e.order, b.at)...)
		}
	}
	if len(shipments) == 0 {
		return nil
	}
	if _, err := database.Insert(b.tx, &shipments).Exec(ctx); err != nil {
		return fmt.Errorf("write %d shipments: %w", len(shipments), err)
	}
	return nil
}

// step brings a shipment to a state, with what else changes of it. It is the only statement
// that changes one's state: of callers that race, one wins and the others get ErrShipmentState.
// The order is completed with the last of its shipments.
func (s *Service) step(ctx context.Context, tx bun.Tx, sh Shipment, to ShipmentState, actor authclient.UserID, change func(*bun.UpdateQuery)) error {
	q := tx.NewUpdate().Model((*Shipment)(nil)).
		Set("state = ?", to).
		Where("id = ?", sh.ID).
		Where("state IN (?)", bun.In(shipmentFrom[to]))
	change(q)
	won, err := database.Changed(q.Exec(ctx))
	if err != nil {
		return fmt.Errorf("move shipment %s to %s: %w", sh.ID, to, err)
	}
	if !won {
		return shopclient.ErrShipmentState
	}
	e := shipmentEvent{ShipmentID: sh.ID, State: to, Actor: actor, At: database.At(s.now())}
	if _, err := tx.NewInsert().Model(&e).Exec(ctx); err != nil {
		return fmt.Errorf("record shipment %s as %s: %w", sh.ID, to, err)
	}
	crash.Point("shop.shipment.written")
	if to == Shipped {
		return nil
	}
	return s.endOrder(ctx, tx, sh.OrderID)
}

// endOrder completes an order of which every shipment has ended. The order's row is locked
// first, so that of two last shipments that end at once the second sees the first.
func (s *Service) endOrder(ctx context.Context, tx bun.Tx, oid OrderID) error {
	var state State
	err := database.ForUpdate(tx.NewSelect().Model((*Order)(nil)).Column("state").Where("id = ?", oid)).Scan(ctx, &state)
	if err != nil {
		return fmt.Errorf("lock order %s: %w", oid, err)
	}
	under, err := tx.NewSelect().Model((*Shipment)(nil)).
		Where("order_id = ?", oid).Where("state IN (?)", bun.In([]ShipmentState{Waiting, Shipped})).Exists(ctx)
	if err != nil {
		return fmt.Errorf("look for shipments of order %s that are under way: %w", oid, err)
	}
	if under || state == Completed { // completed before, and refunded after that
		return nil
	}
	return s.move(ctx, tx, oid, Completed)
}

// Ship sends a shipment of the seller's. That it is sent already in the same way is fine.
func (s *Service) Ship(ctx context.Context, seller authclient.UserID, sid ShipmentID, carrier, tracking string) (Detail, error) {
	return again(func() (Detail, error) {
		sh, err := s.shipmentFor(ctx, sid, seller, asSeller)
		if err == nil {
			err = s.ship(ctx, sh, carrier, tracking)
		}
		return s.then(ctx, seller, sh.OrderID, err)
	})
}

func (s *Service) ship(ctx context.Context, sh Shipment, carrier, tracking string) error {
	carrier, wrong := words(carrier, maxCarrier, shopclient.ErrCarrier)
	tracking, wrongToo := words(tracking, maxTracking, shopclient.ErrTracking)
	if err := errors.Join(wrong, wrongToo); err != nil {
		return err
	}
	if sh.State == Shipped && sh.Carrier == carrier && sh.Tracking == tracking {
		return nil
	}
	now := s.now()
	confirm := now.Add(s.terms.ConfirmAfter)
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := s.step(ctx, tx, sh, Shipped, sh.Seller, func(q *bun.UpdateQuery) {
			q.Set("carrier = ?", carrier).Set("tracking = ?", tracking).
				Set("shipped_at = ?", database.At(now)).Set("confirm_at = ?", database.At(confirm)).
				Where("open_refund IS NULL")
		})
		if err != nil {
			return err
		}
		return s.jobs.Add(ctx, tx, job.Job{Kind: confirmJob, Key: string(sh.ID), At: confirm})
	})
	crash.Point("shop.shipment.shipped")
	return s.whyNot(ctx, sh.ID, err)
}

// Receive says that a shipment of the buyer's has arrived: the seller gets the share. Twice
// is once.
func (s *Service) Receive(ctx context.Context, buyer authclient.UserID, sid ShipmentID) (Detail, error) {
	return again(func() (Detail, error) {
		sh, err := s.shipmentFor(ctx, sid, buyer, asBuyer)
		if err == nil && sh.State != Received {
			err = s.receive(ctx, sh, buyer, func(*bun.UpdateQuery) {})
		}
		return s.then(ctx, buyer, sh.OrderID, err)
	})
}

func (s *Service) receive(ctx context.Context, sh Shipment, actor authclient.UserID, guard func(*bun.UpdateQuery)) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := s.step(ctx, tx, sh, Received, actor, func(q *bun.UpdateQuery) {
			q.Set("received_at = ?", database.At(s.now())).Set("released = amount - refunded").Where("open_refund IS NULL")
			guard(q)
		})
		if err != nil {
			return err
		}
		return s.jobs.Add(ctx, tx, job.Job{Kind: releaseJob, Key: string(sh.ID)})
	})
	crash.Point("shop.shipment.received")
	if err == nil {
		s.jobs.Wake()
	}
	return s.whyNot(ctx, sh.ID, err)
}

// again does once more what came too late. Somebody was faster after it had read what it decides by: maybe with
// the same, so that twice is once also at the same moment, or with what allows it now.
func again[T any](do func() (T, error)) (T, error) {
	got, err := do()
	if errors.Is(err, shopclient.ErrShipmentState) || errors.Is(err, shopclient.ErrRefundState) || errors.Is(err, shopclient.ErrRefundAmount) {
		return do()
	}
	return got, err
}

// whyNot tells a change that lost to an open refund from one that is out of time.
func (s *Service) whyNot(ctx context.Context, sid ShipmentID, err error) error {
	if !errors.Is(err, shopclient.ErrShipmentState) {
		return err
	}
	now, readErr := s.shipment(ctx, sid)
	if readErr == nil && now.OpenRefund != "" {
		return shopclient.ErrRefundOpen
	}
	return err
}

// confirmPause is until a shipment is looked at again whose timer stands still since a
// refund is open.
const confirmPause = time.Hour

// confirmLater receives a shipment whose buyer has said nothing.
func (s *Service) confirmLater(ctx context.Context, j job.Job) error {
	sh, err := s.shipment(ctx, ShipmentID(j.Key))
	now := s.now()
	switch {
	case err != nil || sh.State != Shipped:
		return err
	case sh.OpenRefund != "":
		return job.Later(now.Add(confirmPause))
	case now.Before(sh.ConfirmAt.Time):
		return job.Later(sh.ConfirmAt.Time)
	}
	err = s.receive(ctx, sh, "", func(q *bun.UpdateQuery) { q.Where("confirm_at <= ?", database.At(now)) })
	if fault.Of(err) != nil && fault.Of(err).Kind == fault.Conflict {
		return job.Later(now) // it changed in this moment: look again
	}
	return err
}

// releaseLater asks pay to give a seller the share of what was received, for as long as it
// takes. Asking again is harmless.
func (s *Service) releaseLater(ctx context.Context, j job.Job) error {
	sh, err := s.shipment(ctx, ShipmentID(j.Key))
	if err != nil || sh.Released == 0 || !sh.ReleasedAt.IsZero() {
		return err
	}
	if err := s.release(ctx, sh); err != nil {
		return s.patient(err)
	}
	return nil
}

// release has pay give a seller the share of what was received, once.
func (s *Service) release(ctx context.Context, sh Shipment) error {
	p, err := s.payments.PaymentOf(ctx, string(sh.OrderID))
	if err == nil {
		_, err = s.payments.Release(ctx, p.ID, payclient.NewRelease{
			ID: string(sh.ID), Payee: string(sh.Seller), Amount: money.InputOf(money.Amount{Minor: sh.Released, Currency: sh.Currency}),
		})
		crash.Point("shop.release.asked")
	}
	if err != nil {
		return fmt.Errorf("release the share of shipment %s: %w", sh.ID, err)
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Shipment)(nil)).Set("released_at = ?", database.At(s.now())).
			Where("id = ?", sh.ID).Where("released_at IS NULL").Exec(ctx)
		return err
	})
}

// payPause is until pay is asked again that was away.
const payPause = 20 * time.Second

// patient makes a job that pay could not answer try again for as long as it takes. What pay
// refuses counts as a failure, which an operator sees in the end.
func (s *Service) patient(err error) error {
	if f := fault.Of(err); f != nil && (f.Kind == fault.Busy || f.Kind == fault.Unknown) {
		return errors.Join(err, job.Later(s.now().Add(payPause)))
	}
	return err
}

// part is what somebody is in the trade of a shipment.
type part func(Shipment) authclient.UserID

func asSeller(sh Shipment) authclient.UserID { return sh.Seller }
func asBuyer(sh Shipment) authclient.UserID  { return sh.Buyer }

// shipmentFor is a shipment for one who does something with it. Who has no part in it at all
// can't know of it.
func (s *Service) shipmentFor(ctx context.Context, sid ShipmentID, who authclient.UserID, as part) (Shipment, error) {
	sh, err := s.shipment(ctx, sid)
	switch {
	case err != nil:
		return Shipment{}, err
	case who == as(sh):
		return sh, nil
	case who == sh.Seller || who == sh.Buyer:
		return Shipment{}, fault.ErrForbidden
	}
	return Shipment{}, shopclient.ErrNoShipment
}

func (s *Service) shipment(ctx context.Context, sid ShipmentID) (Shipment, error) {
	var sh Shipment
	err := s.db.NewSelect().Model(&sh).Where("id = ?", sid).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Shipment{}, shopclient.ErrNoShipment
	}
	if err != nil {
		return Shipment{}, fmt.Errorf("read shipment %s: %w", sid, err)
	}
	return sh, nil
}

// words is a text of people's without the space around it, or the refusal of one that says
// nothing, has too many characters, or some that can't be seen.
func words(text string, most int, refusal error) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if utf8.RuneCountInString(text) > most || !visible(strings.ReplaceAll(text, "\n", "")) || !strings.ContainsFunc(text, shows) {
		return "", refusal
	}
	return text, nil
}
