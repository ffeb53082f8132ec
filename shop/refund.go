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
	"jishi/kit/fault"
	"jishi/kit/id"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

// RefundID is "rfd_…". It is also the id of the refund at pay: one that is granted is paid
// back once.
type RefundID string

// RefundState is where a refund is in its life.
type RefundState string

// The states of a refund.
const (
	Asked     RefundState = shopclient.Asked     // the seller has to answer
	Granted   RefundState = shopclient.Granted   // the money goes back
	Refused   RefundState = shopclient.Refused   // by the seller; the buyer may take it to the operator
	Appealed  RefundState = shopclient.Appealed  // the operator has to decide
	Denied    RefundState = shopclient.Denied    // by the operator
	Withdrawn RefundState = shopclient.Withdrawn // by the buyer
)

// refundFrom is the whole life of a refund: the states in which each can follow. One that a
// seller gives unasked begins as Granted.
var refundFrom = map[RefundState][]RefundState{
	Granted:   {Asked, Appealed},
	Refused:   {Asked},
	Appealed:  {Refused},
	Denied:    {Appealed},
	Withdrawn: {Asked, Appealed},
}

// A refund's jobs: it is granted where the seller doesn't answer, and pay gives it back.
const (
	answerJob = "shop.answer"
	refundJob = "shop.refund"
)

const (
	maxReason = 200 // characters, of answers and decisions too

	// maxRequests bounds how often a buyer can ask for one shipment's money, since the
	// timer that ends the sale stands still meanwhile.
	maxRequests = 5
)

// Refund is money that a buyer wants back, or gets, of one shipment, and its row.
type Refund struct {
	bun.BaseModel `bun:"table:refunds"`

	ID         RefundID `bun:",pk"`
	ShipmentID ShipmentID
	OrderID    OrderID
	State      RefundState
	Amount     int64 // minor units of Currency
	Currency   money.Currency
	Reason     string        // the buyer's words, or the seller's who gives it unasked
	Answer     string        // the seller's
	Decision   string        // the operator's
	OpenSince  database.Time // when it was asked for, refused or taken to the operator
	DeadlineAt database.Time // until when the seller has to answer; zero for one that was given unasked
	PaidAt     database.Time // when pay had done it
	CreatedAt  database.Time
}

// Money is what it is about.
func (r Refund) Money() money.Amount { return money.Amount{Minor: r.Amount, Currency: r.Currency} }

// refundEvent is a row of a refund's history.
type refundEvent struct {
	bun.BaseModel `bun:"table:refund_events"`

	RefundID RefundID          `bun:",pk"`
	State    RefundState       `bun:",pk"`
	Actor    authclient.UserID // "" when it happened by itself
	At       database.Time
}

// NewRefund is what a buyer asks for.
type NewRefund struct {
	Amount *money.Amount // nil is all that is left of the shipment's share
	Reason string
}

// AskRefund asks the seller for money back. While the request is open, nothing else can
// become of the shipment. The same use of a key gives the same request.
func (s *Service) AskRefund(ctx context.Context, buyer authclient.UserID, sid ShipmentID, in NewRefund, key string) (RefundDetail, error) {
	return again(func() (RefundDetail, error) { return s.askRefund(ctx, buyer, sid, in, key) })
}

func (s *Service) askRefund(ctx context.Context, buyer authclient.UserID, sid ShipmentID, in NewRefund, key string) (RefundDetail, error) {
	sh, err := s.shipmentFor(ctx, sid, buyer, asBuyer)
	if err != nil {
		return RefundDetail{}, err
	}
	r, err := s.newRefund(sh, in, Asked)
	if err != nil {
		return RefundDetail{}, err
	}
	r.DeadlineAt = database.At(r.OpenSince.Add(s.terms.AnswerTime))
	asked := struct {
		Shipment ShipmentID
		NewRefund
	}{sid, in}
	rid, err := s.db.InTxOnce(ctx, use("refund", buyer, key, asked), string(r.ID), func(ctx context.Context, tx bun.Tx) error {
		won, err := database.Changed(s.refundable(tx.NewUpdate().Model((*Shipment)(nil))).
			Set("open_refund = ?", r.ID).
			Set("requests = requests + 1").
			Where("id = ?", sid).
			Where("requests < ?", maxRequests).
			Where("amount - refunded >= ?", r.Amount).
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("open refund %s of shipment %s: %w", r.ID, sid, err)
		}
		if !won {
			return shopclient.ErrShipmentState
		}
		if err := s.addRefund(ctx, tx, r, buyer); err != nil {
			return err
		}
		return s.jobs.Add(ctx, tx, job.Job{Kind: answerJob, Key: string(r.ID), At: r.DeadlineAt.Time})
	})
	crash.Point("shop.refund.asked")
	if err != nil {
		return RefundDetail{}, s.whyNotRefund(ctx, sid, r.Amount, err)
	}
	r, sh, err = s.refund(ctx, RefundID(rid))
	return s.refundDetail(buyer, r, sh), database.Afterwards(err)
}

// newRefund makes a refund out of what is asked for. Whether it may be is not decided here: a
// key that was used before gives what it gave.
func (s *Service) newRefund(sh Shipment, in NewRefund, state RefundState) (Refund, error) {
	reason, err := words(in.Reason, maxReason, shopclient.ErrReason)
	now := database.At(s.now())
	r := Refund{
		ID: RefundID(id.New("rfd")), ShipmentID: sh.ID, OrderID: sh.OrderID, State: state,
		Amount: sh.left(), Currency: sh.Currency, Reason: reason, OpenSince: now, CreatedAt: now,
	}
	if in.Amount != nil {
		r.Amount = in.Amount.Minor
		if in.Amount.Currency != sh.Currency || r.Amount <= 0 {
			err = errors.Join(err, shopclient.ErrRefundAmount)
		}
	}
	return r, err
}

// addRefund writes a new refund with the beginning of its history.
func (s *Service) addRefund(ctx context.Context, tx bun.Tx, r Refund, actor authclient.UserID) error {
	if _, err := tx.NewInsert().Model(&r).Exec(ctx); err != nil {
		return fmt.Errorf("write refund %s: %w", r.ID, err)
	}
	crash.Point("shop.refund.written")
	return s.recordRefund(ctx, tx, r, r.State, actor)
}

// refundable narrows an update to shipments of which a refund may be opened now.
func (s *Service) refundable(q *bun.UpdateQuery) *bun.UpdateQuery {
	return q.Where("open_refund IS NULL").Where("state <> ?", Refunded).
		Where("(received_at IS NULL OR received_at > ?)", database.At(s.now().Add(-s.terms.RefundWindow)))
}

// whyNotRefund tells why no shipment was found of which a refund may be opened.
func (s *Service) whyNotRefund(ctx context.Context, sid ShipmentID, amount int64, err error) error {
	if !errors.Is(err, shopclient.ErrShipmentState) {
		return err
	}
	sh, readErr := s.shipment(ctx, sid)
	switch {
	case readErr != nil:
		return readErr
	case sh.OpenRefund != "":
		return shopclient.ErrRefundOpen
	case sh.State == Refunded:
		return err
	case sh.left() < amount:
		return shopclient.ErrRefundAmount
	case s.windowOver(sh):
		return shopclient.ErrRefundWindow
	case sh.Requests >= maxRequests:
		return shopclient.ErrRefundRequests
	}
	return err // it changed in the meantime
}

func (s *Service) windowOver(sh Shipment) bool {
	return !sh.ReceivedAt.IsZero() && !s.now().Before(sh.ReceivedAt.Add(s.terms.RefundWindow))
}

// GiveBack refunds all that is left of a shipment that its seller won't send. Twice is once.
func (s *Service) GiveBack(ctx context.Context, seller authclient.UserID, sid ShipmentID, reason string) (Detail, error) {
	return again(func() (Detail, error) {
		sh, err := s.shipmentFor(ctx, sid, seller, asSeller)
		if err == nil && sh.State != Refunded {
			err = s.giveBack(ctx, sh, reason)
		}
		return s.then(ctx, seller, sh.OrderID, err)
	})
}

func (s *Service) giveBack(ctx context.Context, sh Shipment, reason string) error {
	r, err := s.newRefund(sh, NewRefund{Reason: reason}, Granted)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// A refund shares the lock of the shipment that it names, and of several who share one none
		// could change it.
		var locked ShipmentID
		err := database.ForUpdate(tx.NewSelect().Model((*Shipment)(nil)).Column("id").Where("id = ?", sh.ID)).Scan(ctx, &locked)
		if err != nil {
			return fmt.Errorf("lock shipment %s: %w", sh.ID, err)
		}
		if err := s.addRefund(ctx, tx, r, sh.Seller); err != nil {
			return err
		}
		return s.payBack(ctx, tx, sh, r, sh.Seller, func(q *bun.UpdateQuery) { q.Where("open_refund IS NULL").Where("state = ?", Waiting) })
	})
	crash.Point("shop.refund.given")
	if err == nil {
		s.jobs.Wake()
	}
	return s.whyNot(ctx, sh.ID, err)
}

// moveRefund brings a refund to a state, with the words of who does it. It is the only
// statement that changes one's state: of callers that race, one wins and the others get
// ErrRefundState.
func (s *Service) moveRefund(ctx context.Context, tx bun.Tx, r Refund, to RefundState, actor authclient.UserID, change func(*bun.UpdateQuery)) error {
	q := tx.NewUpdate().Model((*Refund)(nil)).
		Set("state = ?", to).
		Where("id = ?", r.ID).
		Where("state IN (?)", bun.In(refundFrom[to]))
	change(q)
	won, err := database.Changed(q.Exec(ctx))
	if err != nil {
		return fmt.Errorf("move refund %s to %s: %w", r.ID, to, err)
	}
	if !won {
		return shopclient.ErrRefundState
	}
	return s.recordRefund(ctx, tx, r, to, actor)
}

func (s *Service) recordRefund(ctx context.Context, tx bun.Tx, r Refund, state RefundState, actor authclient.UserID) error {
	e := refundEvent{RefundID: r.ID, State: state, Actor: actor, At: database.At(s.now())}
	if state == Granted {
		last, err := lastGrant(ctx, tx, r.ShipmentID)
		if err != nil {
			return err
		}
		if !e.At.After(last.Time) {
			e.At = database.At(last.Add(time.Microsecond))
		}
	}
	if _, err := tx.NewInsert().Model(&e).Exec(ctx); err != nil {
		return fmt.Errorf("record refund %s as %s: %w", r.ID, state, err)
	}
	return nil
}

// lastGrant is when a refund of a shipment was last granted. They go back in the order of these
// times, so none may be before another one by a clock that is behind. Whoever grants a refund keeps
// others from its shipment, or loses it to them, so none comes in between.
func lastGrant(ctx context.Context, tx bun.Tx, sid ShipmentID) (database.Time, error) {
	var last database.Time
	err := tx.NewSelect().TableExpr("refunds AS r").
		Join("JOIN refund_events AS e ON e.refund_id = r.id AND e.state = r.state").
		ColumnExpr("MAX(e.at)").Where("r.shipment_id = ?", sid).Where("r.state = ?", Granted).Scan(ctx, &last)
	if err != nil {
		return last, fmt.Errorf("read when a refund of shipment %s was last granted: %w", sid, err)
	}
	return last, nil
}

// end closes an open refund: to Granted, or to what leaves the shipment as it was, whose
// timer then goes on where it stood. The refund is still in the state in which it was read,
// and as long as it is open its shipment, which was read after it, changes by it alone.
func (s *Service) end(ctx context.Context, r Refund, sh Shipment, to RefundState, actor authclient.UserID, change func(*bun.UpdateQuery)) error {
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := s.moveRefund(ctx, tx, r, to, actor, func(q *bun.UpdateQuery) {
			q.Where("state = ?", r.State)
			change(q)
		})
		if err != nil {
			return err
		}
		if to == Granted {
			return s.payBack(ctx, tx, sh, r, actor, func(q *bun.UpdateQuery) { q.Where("open_refund = ?", r.ID) })
		}
		q := tx.NewUpdate().Model((*Shipment)(nil)).Where("id = ?", sh.ID).Where("open_refund = ?", r.ID)
		s.goOn(q, r)
		if _, err := q.Exec(ctx); err != nil {
			return fmt.Errorf("close refund %s of shipment %s: %w", r.ID, sh.ID, err)
		}
		return nil
	})
	crash.Point("shop.refund.ended")
	if err == nil && to == Granted {
		s.jobs.Wake()
	}
	return err
}

// goOn lets a shipment's timer run again: it stood still while the refund was open.
func (s *Service) goOn(q *bun.UpdateQuery, r Refund) {
	q.Set("open_refund = NULL").Set("confirm_at = confirm_at + ?", s.now().Sub(r.OpenSince.Time).Microseconds())
}

// refundFor is a refund with its shipment, for one who does something with it.
func (s *Service) refundFor(ctx context.Context, rid RefundID, who authclient.UserID, as part) (Refund, Shipment, error) {
	r, sh, err := s.refund(ctx, rid)
	switch {
	case err != nil:
		return r, sh, err
	case who == as(sh):
		return r, sh, nil
	case who == sh.Buyer || who == sh.Seller:
		return r, sh, fault.ErrForbidden
	}
	return r, sh, shopclient.ErrNoRefund
}

func (s *Service) refund(ctx context.Context, rid RefundID) (Refund, Shipment, error) {
	var r Refund
	err := s.db.NewSelect().Model(&r).Where("id = ?", rid).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Refund{}, Shipment{}, shopclient.ErrNoRefund
	}
	if err != nil {
		return Refund{}, Shipment{}, fmt.Errorf("read refund %s: %w", rid, err)
	}
	sh, err := s.shipment(ctx, r.ShipmentID)
	return r, sh, err
}
