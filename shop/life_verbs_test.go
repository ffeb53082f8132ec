package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

// traded is an order of Bob's for one piece of Ann's, and what can happen to it.
type traded struct {
	order    OrderID
	shipment ShipmentID // once it is paid
	refund   RefundID   // the last one that was asked for
}

// start is when everything begins.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// played is a traded order in the model.
type played struct {
	*model
	o *modelOrder
	r *modelRefund
}

// verb is something that happens to an order, and what the model says of it.
type verb struct {
	name  string
	at    time.Duration // after start: each by a clock of its own
	do    func(ctx context.Context, s *Service, x traded) (shown Detail, err error)
	model func(p *played) error
}

// verbs are all that moves an order, a shipment, a refund or their money: what people do, what pay does at
// its cashier, and the jobs of what has come to its time.
var verbs = []verb{
	{"pay", 1 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofOrder(s.Pay(ctx, bob.ID, x.order, ""))
	}, func(p *played) error { return p.payFor(bob.ID, p.o) }},
	{"close", 2 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) { // if pay was never asked
		return ofJob(s.settleLater(ctx, job.Job{Key: string(x.order)}))
	}, func(p *played) error { p.watch(p.o); return nil }},
	{"cancel", 3 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofOrder(s.Cancel(ctx, bob.ID, x.order))
	}, func(p *played) error { return p.cancel(bob.ID, p.o) }},
	{"expire", time.Hour, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofJob(s.settleLater(ctx, job.Job{Key: string(x.order)}))
	}, func(p *played) error { p.watch(p.o); return nil }},
	{"capture", 5 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) { // and nobody tells the shop
		o, err := s.order(ctx, x.order)
		if err != nil {
			return Detail{}, err
		}
		in, err := newPayment(o, "")
		if err != nil {
			return Detail{}, err
		}
		return Detail{}, second(s.payer.Create(ctx, in))
	}, func(p *played) error {
		switch p.o.payment {
		case payclient.Closed:
			return payclient.ErrClosed
		case payclient.Captured:
			return nil
		}
		p.capture(p.o)
		return nil
	}},
	{"refund", 6 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofJob(s.refundLater(ctx, job.Job{Key: string(x.refund)}))
	}, ofRefund(func(p *played) error { p.payBack(p.r); return nil })},
	{"release", 7 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofJob(s.releaseLater(ctx, job.Job{Key: string(x.shipment)}))
	}, ofShipment(func(p *played, sh *modelShipment) error { p.release(sh); return nil })},
	{"ship", 8 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Ship(ctx, ann.ID, x.shipment, "SF", "1")
	}, ofShipment(func(p *played, sh *modelShipment) error { return p.ship(ann.ID, sh, "SF") })},
	{"receive", 9 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Receive(ctx, bob.ID, x.shipment)
	}, ofShipment(func(p *played, sh *modelShipment) error { return p.receive(bob.ID, sh) })},
	{"confirm", DefaultTerms.ConfirmAfter + DefaultTerms.AnswerTime + 2*time.Hour, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofJob(s.confirmLater(ctx, job.Job{Key: string(x.shipment)}))
	}, ofShipment(func(p *played, sh *modelShipment) error { p.confirm(sh); return nil })},
	{"give back", 11 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.GiveBack(ctx, ann.ID, x.shipment, "Sold out.")
	}, ofShipment(func(p *played, sh *modelShipment) error { return p.giveBack(ann.ID, sh) })},
	asks("ask", nil),
	{"grant", 12 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Grant(ctx, ann.ID, x.refund)
	}, ofRefund(func(p *played) error { return p.grant(ann.ID, p.r) })},
	{"refuse", 13 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Refuse(ctx, ann.ID, x.refund, "No.")
	}, ofRefund(func(p *played) error { return p.refuse(ann.ID, p.r, "No.") })},
	{"answer", DefaultTerms.AnswerTime + time.Hour, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return ofJob(s.answerLater(ctx, job.Job{Key: string(x.refund)}))
	}, ofRefund(func(p *played) error { p.answer(p.r); return nil })},
	{"withdraw", 15 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Withdraw(ctx, bob.ID, x.refund)
	}, ofRefund(func(p *played) error { return p.withdraw(bob.ID, p.r) })},
	{"appeal", 16 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Appeal(ctx, bob.ID, x.refund)
	}, ofRefund(func(p *played) error { return p.appeal(bob.ID, p.r) })},
	{"uphold", 17 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Decide(ctx, olga.ID, x.refund, true, "It is.")
	}, ofRefund(func(p *played) error { return p.decide(olga.ID, p.r, Granted, "It is.") })},
	{"deny", 18 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		return s.Decide(ctx, olga.ID, x.refund, false, "It isn't.")
	}, ofRefund(func(p *played) error { return p.decide(olga.ID, p.r, Denied, "It isn't.") })},
}

// lifeVerbs are those by which most orders go. All their pairs race; of the others those do that have to do with each
// other.
const lifeVerbs = "pay close cancel expire capture refund release ship receive"

func ofOrder(o Order, err error) (Detail, error) { return Detail{Order: o}, err }

// ofJob: that a job comes again later is no failure.
func ofJob(err error) (Detail, error) {
	if reflect.TypeOf(err) == reflect.TypeOf(job.Later(time.Time{})) {
		err = nil
	}
	return Detail{}, err
}

func ofShipment(model func(*played, *modelShipment) error) func(*played) error {
	return func(p *played) error {
		if len(p.o.shipments) == 0 {
			return shopclient.ErrNoShipment
		}
		return model(p, p.o.shipments[0])
	}
}

func ofRefund(model func(*played) error) func(*played) error {
	return func(p *played) error {
		if p.r == nil {
			return shopclient.ErrNoRefund
		}
		return model(p)
	}
}

// asks is a verb that asks for so much money, nil being all of it.
func asks(name string, amount *money.Amount) verb {
	in := NewRefund{Amount: amount, Reason: "It is broken."}
	return verb{name, 10 * time.Minute, func(ctx context.Context, s *Service, x traded) (Detail, error) {
		r, err := s.AskRefund(ctx, bob.ID, x.shipment, in, "")
		return Detail{Shipments: []ShipmentDetail{{Refunds: []RefundDetail{r}}}}, err
	}, ofShipment(func(p *played, sh *modelShipment) error {
		return second(p.askRefund(bob.ID, sh, in, fmt.Sprint(len(p.keys))))
	})}
}

// askPart asks for less than all.
var askPart = asks("ask for a part", yuan(200))

// tryToPay leaves a payment open at the cashier.
var tryToPay = verb{"try to pay", 0, func(ctx context.Context, s *Service, x traded) (Detail, error) {
	pay := s.payer.(*shoptest.Pay)
	pay.Set(func(p *shoptest.Pay) { p.Poor = true })
	defer pay.Set(func(p *shoptest.Pay) { p.Poor = false })
	o, err := s.Pay(ctx, bob.ID, x.order, "")
	if errors.Is(err, shopclient.ErrUnpaid) {
		err = nil
	}
	return ofOrder(o, err)
}, func(p *played) error {
	p.money[bob.ID] = 0
	_ = p.payFor(bob.ID, p.o)
	p.money[bob.ID] = p.o.total()
	return nil
}}

// beginning is what has become of a new order, which pay was not asked for, before two verbs meet.
type beginning struct {
	name  string
	verbs []verb
}

var beginnings = []beginning{
	{"unasked", nil},
	{"open", []verb{tryToPay}},
	{"paid", []verb{the("pay")}},
	{"shipped", []verb{the("pay"), the("ship")}},
	{"received", []verb{the("pay"), the("ship"), the("receive")}},
	{"asked", []verb{the("pay"), the("ask")}},
	{"shipped, asked", []verb{the("pay"), the("ship"), the("ask")}},
	{"shipped, a part asked", []verb{the("pay"), the("ship"), askPart}},
	{"received, asked", []verb{the("pay"), the("ship"), the("receive"), the("ask")}},
	{"refused", []verb{the("pay"), the("ship"), the("ask"), the("refuse")}},
	{"appealed", []verb{the("pay"), the("ask"), the("refuse"), the("appeal")}},
	{"shipped, a part appealed", []verb{the("pay"), the("ship"), askPart, the("refuse"), the("appeal")}},
	{"granted", []verb{the("pay"), the("ask"), the("grant")}},
	{"a part granted, received", []verb{the("pay"), the("ship"), askPart, the("grant"), the("receive")}},
}

func the(name string) verb {
	return verbs[slices.IndexFunc(verbs, func(v verb) bool { return v.name == name })]
}

// begun is an order in a model that has this product alone.
func begun(p modelProduct, b beginning) *played {
	m := newModel(start, DefaultTerms, map[authclient.UserID]int64{bob.ID: p.price})
	m.products, m.pay = []*modelProduct{&p}, away
	o, _ := m.place(bob.ID, NewOrder{Items: []Item{{Product: p.id, Quantity: 1}}}, "")
	m.pay = well
	x := &played{model: m, o: o}
	for _, v := range b.verbs {
		_ = x.does(v)
		if len(o.shipments) > 0 && len(o.shipments[0].refunds) > 0 {
			x.r = o.shipments[0].refunds[0]
		}
	}
	return x
}

func (p *played) does(v verb) error {
	p.now = start.Add(v.at)
	return v.model(p)
}

// String is what there is, to be compared with what [market.sees] finds.
func (p *played) String() string {
	return strings.Join(append(p.o.now(0), stockLine(*p.products[0])), "\n")
}

func stockLine(p modelProduct) string {
	return fmt.Sprintf("%d available, %d held", p.available, p.held)
}

// fit is how two verbs can end.
type fit struct {
	*played
	text string
}

// inTurn is how a pair ends where the first, and where the second, comes before the other.
func inTurn(p modelProduct, b beginning, pair [2]verb) (ends [2]fit) {
	for first := range pair {
		x := begun(p, b)
		var answers [2]error
		answers[first] = x.does(pair[first])
		answers[1-first] = x.does(pair[1-first])
		ends[first] = fit{x, ended(answers, x.String())}
	}
	return ends
}

// ended is what two are answered, and what there is then.
func ended(answers [2]error, there string) string {
	var texts [2]string
	for i, err := range answers {
		texts[i] = cmp.Or(code(err), "done")
		if texts[i] == "internal" {
			texts[i] = err.Error()
		}
	}
	return fmt.Sprintf("%s, %s:\n%s", texts[0], texts[1], there)
}

// meetings are the beginnings from which two verbs race: of lifeVerbs all in which one of them changes something; of
// others those where it matters who comes first, or else those where both change something.
func meetings(pair [2]verb) []beginning {
	var either, both, differ []beginning
	for _, b := range beginnings {
		p := modelProduct{seller: ann.ID, price: 1200, available: 1000}
		before, changes := begun(p, b).String(), 0
		for _, v := range pair {
			alone := begun(p, b)
			if _ = alone.does(v); alone.String() != before {
				changes++
			}
		}
		if changes > 0 {
			either = append(either, b)
		}
		if changes == 2 {
			both = append(both, b)
		}
		if ends := inTurn(p, b, pair); ends[0].text != ends[1].text {
			differ = append(differ, b)
		}
	}
	switch {
	case ofLife(pair):
		return either
	case len(differ) > 0:
		return differ
	}
	return both
}

func ofLife(pair [2]verb) bool {
	all := strings.Fields(lifeVerbs)
	return slices.Contains(all, pair[0].name) && slices.Contains(all, pair[1].name)
}
