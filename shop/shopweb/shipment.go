package shopweb

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/money"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

// detailView is an order's page.
type detailView struct {
	orderView
	Wrong     []string // what is wrong and belongs to no form that is there
	Late      string   // what became of money that came late, or ""
	ListURL   string   // where the order is listed
	List      string
	Shipments []shipmentView
	Rest      []orderLineView // of an order without shipments
	History   []eventView
}

type shipmentView struct {
	ID         string
	Title      string
	State      string
	Tone       ui.Tone
	Facts      []ui.Fact
	Lines      []orderLineView
	Refunds    []refundView
	Awaited    bool        // the reader waits for the seller to send it
	ReceiveURL string      // "" where that may not be done, as the forms are nil
	Ship       *actionForm // carrier and tracking
	GiveBack   *actionForm // reason
	Ask        *actionForm // amount and reason
}

type refundView struct {
	ID          string
	State       string
	Tone        ui.Tone
	Facts       []ui.Fact
	GrantURL    string
	WithdrawURL string
	AppealURL   string
	Refuse      *actionForm // answer
	Decide      *actionForm // answer and grant
}

type eventView struct{ At, Text string }

// actionForm is a form of an order's page, with what was written in it.
type actionForm struct {
	ID     string
	Action string
	Token  string
	Sign   string
	Left   string // how much money it can be about, for the one that asks for it
	Values url.Values
	Wrong  texts
	Sent   bool // it was, and came back
}

// input is a field of the form that must be filled in.
func (f actionForm) input(name, label string, most int) ui.Input {
	return ui.Input{
		Name: name, ID: f.ID + "-" + name, Label: label, Value: f.Values.Get(name), Error: f.Wrong.fields[name],
		MaxLength: most, Rows: 2, Required: true,
	}
}

var shipmentTone = map[shop.ShipmentState]ui.Tone{shop.Waiting: ui.Warn, shop.Shipped: ui.Info, shop.Received: ui.Good, shop.Refunded: ui.Plain}

var refundTone = map[shop.RefundState]ui.Tone{
	shop.Asked: ui.Warn, shop.Granted: ui.Good, shop.Refused: ui.Bad, shop.Appealed: ui.Warn, shop.Denied: ui.Bad, shop.Withdrawn: ui.Plain,
}

// sent is a form that came back: the address that it was sent to, what was written and
// what is wrong with it.
type sent struct {
	action string
	values url.Values
	err    error
}

func (p *pages) detailViewOf(ctx context.Context, d shop.Detail, back sent) detailView {
	v := detailView{orderView: orderViewOf(ctx, d)}
	me, here := p.user(ctx).ID, ui.SiteOf(ctx)
	v.ListURL, v.List = here.Orders(), locale.T(ctx, "shop.orders")
	sells := slices.ContainsFunc(d.Shipments, func(sh shop.ShipmentDetail) bool { return sh.Seller == me })
	switch {
	case me == d.Buyer:
	case sells:
		v.ListURL, v.List = here.Sales(), locale.T(ctx, "shop.sales")
	default:
		v.ListURL, v.List = "/operator", locale.T(ctx, "shop.operator")
	}
	shown := false // the form that came back
	form := func(id, action string, fields ...string) *actionForm {
		f := &actionForm{ID: id, Action: action, Token: web.FormToken(), Sign: locale.Sign(ctx, d.Currency), Values: url.Values{}}
		if back.action == action {
			f.Sent, f.Values, f.Wrong = true, back.values, textsOf(ctx, back.err, fields...)
			if token, err := web.TokenOf(back.values); err == nil {
				f.Token = web.TokenAgain(token, back.err)
			}
			shown = true
		}
		return f
	}
	for _, sh := range d.Shipments {
		v.Shipments = append(v.Shipments, shipmentViewOf(ctx, d, sh, me, form))
	}
	if len(d.Shipments) == 0 {
		v.Rest = v.Lines
	}
	for _, e := range d.History {
		switch e.What {
		case "order.late":
			v.Late = locale.T(ctx, "shop.late")
		case "order.repaid":
			v.Late = locale.T(ctx, "shop.late.repaid")
		}
		v.History = append(v.History, eventView{locale.Time(ctx, e.At), eventText(ctx, d, e)})
	}
	if back.err != nil && !shown {
		v.Wrong = textsOf(ctx, back.err).rest
	}
	return v
}

func shipmentViewOf(ctx context.Context, d shop.Detail, sh shop.ShipmentDetail, me authclient.UserID, form func(id, action string, fields ...string) *actionForm) shipmentView {
	id, path := string(sh.ID), orderPath(d.ID)+"/shipments/"+url.PathEscape(string(sh.ID))
	v := shipmentView{
		ID:    id,
		Title: locale.T(ctx, "shop.shipment.from", "name", sh.SellerName),
		State: locale.T(ctx, "shop.shipment."+string(sh.State)),
		Tone:  shipmentTone[sh.State],
		Facts: shipmentFacts(ctx, sh),
		Lines: linesOf(ctx, sh.Lines, d.Currency),
	}
	v.Awaited = me == d.Buyer && me != sh.Seller && sh.State == shop.Waiting && sh.OpenRefund == ""
	if me != d.Buyer {
		v.Title = locale.T(ctx, "shop.shipment.to", "name", d.BuyerName)
		if me == sh.Seller {
			unsigned(v.Lines)
		}
	}
	for _, act := range sh.Actions {
		switch act {
		case shopclient.ActShip:
			v.Ship = form("ship-"+id, path+"/ship", "carrier", "tracking")
		case shopclient.ActGiveBack:
			v.GiveBack = form("give-back-"+id, path+"/give-back", "reason")
		case shopclient.ActReceive:
			v.ReceiveURL = path + "/receive"
		case shopclient.ActRefund:
			v.Ask = form("refund-"+id, path+"/refunds", "amount", "reason")
			v.Ask.Left = locale.Money(ctx, money.Amount{Minor: sh.Amount - sh.Refunded, Currency: sh.Currency})
		}
	}
	for _, r := range sh.Refunds {
		v.Refunds = append(v.Refunds, refundViewOf(ctx, r, form))
	}
	return v
}

func shipmentFacts(ctx context.Context, sh shop.ShipmentDetail) []ui.Fact {
	amount := func(minor int64) string { return locale.Money(ctx, money.Amount{Minor: minor, Currency: sh.Currency}) }
	facts := []ui.Fact{{Name: locale.T(ctx, "shop.shipment.amount"), Value: amount(sh.Amount)}}
	add := func(key, value string) {
		if value != "" {
			facts = append(facts, ui.Fact{Name: locale.T(ctx, key), Value: value})
		}
	}
	if sh.Refunded > 0 {
		add("shop.shipment.refunded.amount", amount(sh.Refunded))
	}
	add("shop.carrier", sh.Carrier)
	add("shop.tracking", sh.Tracking)
	add("shop.shipment.shipped.at", locale.Time(ctx, sh.ShippedAt.Time))
	if sh.State == shop.Shipped && sh.OpenRefund == "" {
		add("shop.shipment.confirm.at", locale.Time(ctx, sh.ConfirmAt.Time))
	}
	add("shop.shipment.received.at", locale.Time(ctx, sh.ReceivedAt.Time))
	return facts
}

func refundViewOf(ctx context.Context, r shop.RefundDetail, form func(id, action string, fields ...string) *actionForm) refundView {
	id, path := string(r.ID), orderPath(r.OrderID)+"/refunds/"+url.PathEscape(string(r.ID))
	v := refundView{ID: id, State: locale.T(ctx, "shop.refund."+string(r.State)), Tone: refundTone[r.State], Facts: refundFacts(ctx, r)}
	for _, act := range r.Actions {
		switch act {
		case shopclient.ActGrant:
			v.GrantURL = path + "/grant"
		case shopclient.ActRefuse:
			v.Refuse = form("refuse-"+id, path+"/refuse", "answer")
		case shopclient.ActWithdraw:
			v.WithdrawURL = path + "/withdraw"
		case shopclient.ActAppeal:
			v.AppealURL = path + "/appeal"
		case shopclient.ActDecide:
			v.Decide = form("decide-"+id, path+"/decide", "answer")
		}
	}
	return v
}

func refundFacts(ctx context.Context, r shop.RefundDetail) []ui.Fact {
	var facts []ui.Fact
	for _, f := range []struct{ key, value string }{
		{"shop.refund.amount", locale.Money(ctx, r.Money())},
		{"shop.refund.reason", r.Reason},
		{"shop.refund.answer", r.Answer},
		{"shop.refund.decision", r.Decision},
		{"shop.refund.before", locale.Time(ctx, r.AnswerBefore)},
		{"shop.refund.paid.at", locale.Time(ctx, r.PaidAt.Time)},
	} {
		if f.value != "" {
			facts = append(facts, ui.Fact{Name: locale.T(ctx, f.key), Value: f.value})
		}
	}
	return facts
}

// eventText says what has happened, whose part of the order it was where there are several,
// and who did it.
func eventText(ctx context.Context, d shop.Detail, e shop.Event) string {
	text := locale.T(ctx, "shop.event."+e.What)
	i := slices.IndexFunc(d.Shipments, func(sh shop.ShipmentDetail) bool { return sh.ID == e.Shipment })
	if i >= 0 && len(d.Shipments) > 1 {
		text = locale.T(ctx, "shop.event.of", "what", text, "name", d.Shipments[i].SellerName)
	}
	switch {
	case e.By != "":
		return locale.T(ctx, "shop.event.by", "what", text, "who", locale.T(ctx, "shop.event.by."+e.By))
	case e.Shipment != "":
		return locale.T(ctx, "shop.event.itself", "what", text)
	}
	return text
}

// change is what takes a form of an order's page: it does one thing and leads back there.
func (p *pages) change(done string, do func(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error)) web.Page {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		form, err := web.Form(r)
		if err != nil {
			return err
		}
		d, err := do(ctx, p.user(ctx).ID, r.PathValue("id"), form)
		if err != nil {
			return p.orderAgain(w, r, shop.OrderID(r.PathValue("order")), sent{r.URL.EscapedPath(), form, err})
		}
		web.SetFlash(w, r, done)
		return web.SeeOther(w, r, orderPath(d.ID))
	}
}

// orderAgain shows the page that a form came from, with what is wrong in it, or for htmx the
// part of it that changes.
func (p *pages) orderAgain(w http.ResponseWriter, r *http.Request, oid shop.OrderID, back sent) error {
	ctx := r.Context()
	status, ok := answerable(ctx, back.err)
	if !ok {
		return back.err
	}
	d, err := p.shop.See(ctx, p.user(ctx).ID, oid)
	if err != nil {
		return back.err
	}
	v := p.detailViewOf(ctx, d, back)
	if web.IsFragment(r) {
		return web.Render(w, r, status, orderChanged(v.orderView, v.Wrong))
	}
	return web.Render(w, r, status, orderPage(v))
}

func (p *pages) ship(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error) {
	return p.shop.Ship(ctx, me, shop.ShipmentID(id), form.Get("carrier"), form.Get("tracking"))
}

func (p *pages) receive(ctx context.Context, me authclient.UserID, id string, _ url.Values) (shop.Detail, error) {
	return p.shop.Receive(ctx, me, shop.ShipmentID(id))
}

func (p *pages) giveBack(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error) {
	return p.shop.GiveBack(ctx, me, shop.ShipmentID(id), form.Get("reason"))
}

// askRefund takes an empty amount for all that is left.
func (p *pages) askRefund(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error) {
	token, err := web.TokenOf(form)
	if err != nil {
		return shop.Detail{}, err
	}
	in := shop.NewRefund{Reason: form.Get("reason")}
	if text := form.Get("amount"); text != "" {
		amount, err := money.Parse(text, p.shop.Currency())
		if err != nil {
			return shop.Detail{}, fault.Of(err).On("amount")
		}
		in.Amount = &amount
	}
	r, err := p.shop.AskRefund(ctx, me, shop.ShipmentID(id), in, token)
	return shop.Detail{Order: shop.Order{ID: r.OrderID}}, err
}

func (p *pages) grant(ctx context.Context, me authclient.UserID, id string, _ url.Values) (shop.Detail, error) {
	return p.shop.Grant(ctx, me, shop.RefundID(id))
}

func (p *pages) refuse(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error) {
	return p.shop.Refuse(ctx, me, shop.RefundID(id), form.Get("answer"))
}

func (p *pages) withdraw(ctx context.Context, me authclient.UserID, id string, _ url.Values) (shop.Detail, error) {
	return p.shop.Withdraw(ctx, me, shop.RefundID(id))
}

func (p *pages) appeal(ctx context.Context, me authclient.UserID, id string, _ url.Values) (shop.Detail, error) {
	return p.shop.Appeal(ctx, me, shop.RefundID(id))
}

func (p *pages) decide(ctx context.Context, me authclient.UserID, id string, form url.Values) (shop.Detail, error) {
	return p.shop.Decide(ctx, me, shop.RefundID(id), form.Get("grant") == "yes", form.Get("answer"))
}
