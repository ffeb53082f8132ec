package shopweb

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/money"
	"jishi/kit/ops"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

// watched is how long the page of an unpaid order looks by itself whether it was paid.
const watched = 2 * time.Minute

// mostToDo is how much of what a seller has to send, and to answer, stands at the top of the
// sales.
const mostToDo = 100

// orderView is an order as pages show it.
type orderView struct {
	ID        string
	URL       string
	State     string
	Tone      ui.Tone
	Buyer     string
	Total     string
	CreatedAt string
	PaidAt    string
	PayBefore string // "" when it is too late or not needed
	Lines     []orderLineView
	PayURL    string // "" when there is nothing to pay
	CancelURL string // "" when it is too late
	StatusURL string // where htmx looks for news, or ""
	Parts     []partView
	Ship      bool // the reader has something to send
	Answer    bool // or a refund to answer
	Receive   bool // or something to receive
}

// partView is a shipment in a list of orders.
type partView struct {
	State  string
	Tone   ui.Tone
	Seller string
	Sent   string // how
	Refund string // the state of the one that is open, or ""
}

type orderLineView struct {
	ProductID  string
	ProductURL string
	Title      string
	Thumbnail  ui.Image
	Seller     string // "" where it is the reader
	Price      string
	Quantity   string
	Total      string
}

var stateTone = map[shop.State]ui.Tone{
	shop.Pending:   ui.Warn,
	shop.Paid:      ui.Good,
	shop.Completed: ui.Good,
	shop.Canceled:  ui.Plain,
}

func orderPath(id shop.OrderID) string { return "/orders/" + url.PathEscape(string(id)) }

func orderViewOf(ctx context.Context, o shop.Detail) orderView {
	path := orderPath(o.ID)
	v := orderView{
		ID:        string(o.ID),
		URL:       path,
		State:     locale.T(ctx, "shop.order."+string(o.State)),
		Tone:      stateTone[o.State],
		Buyer:     o.BuyerName,
		Total:     locale.Money(ctx, o.Amount()),
		CreatedAt: locale.Time(ctx, o.CreatedAt.Time),
		PaidAt:    locale.Time(ctx, o.PaidAt),
	}
	if slices.Contains(o.Actions, shopclient.ActPay) {
		v.PayBefore = locale.Time(ctx, o.DeadlineAt.Time)
		v.PayURL, v.CancelURL = path+"/pay", path+"/cancel"
		if time.Since(o.CreatedAt.Time) < watched {
			v.StatusURL = path + "/status"
		}
	}
	for _, sh := range o.Shipments {
		part := partView{
			State: locale.T(ctx, "shop.shipment."+string(sh.State)), Tone: shipmentTone[sh.State],
			Seller: sh.SellerName, Sent: strings.TrimSpace(sh.Carrier + " " + sh.Tracking),
		}
		for _, r := range sh.Refunds {
			if r.ID == sh.OpenRefund {
				part.Refund = locale.T(ctx, "shop.refund."+string(r.State))
			}
			v.Answer = v.Answer || slices.Contains(r.Actions, shopclient.ActGrant)
		}
		v.Parts = append(v.Parts, part)
		v.Ship = v.Ship || slices.Contains(sh.Actions, shopclient.ActShip)
		v.Receive = v.Receive || slices.Contains(sh.Actions, shopclient.ActReceive)
	}
	if len(o.Shipments) > 0 && !slices.ContainsFunc(o.Shipments, func(sh shop.ShipmentDetail) bool { return sh.State != shop.Refunded }) {
		v.State, v.Tone = locale.T(ctx, "shop.shipment.refunded"), ui.Plain
	}
	v.Lines = linesOf(ctx, o.Lines, o.Currency)
	return v
}

func linesOf(ctx context.Context, lines []shop.OrderLine, currency money.Currency) []orderLineView {
	var all []orderLineView
	for _, l := range lines {
		all = append(all, orderLineView{
			ProductID:  string(l.ProductID),
			ProductURL: ui.SiteOf(ctx).Product(string(l.ProductID)),
			Title:      l.Title,
			Thumbnail:  imageOf(l.Image, picture.Small, lineSizes),
			Seller:     l.SellerName,
			Price:      locale.Money(ctx, money.Amount{Minor: l.Price, Currency: currency}),
			Quantity:   strconv.FormatInt(l.Quantity, 10),
			Total:      locale.Money(ctx, money.Amount{Minor: l.Price * l.Quantity, Currency: currency}),
		})
	}
	return all
}

// unsigned leaves out of lines who sells, for whom that is the reader.
func unsigned(lines []orderLineView) {
	for i := range lines {
		lines[i].Seller = ""
	}
}

// placed leads on from an order that stands: to the cashier when money is missing, else
// to its page.
func (p *pages) placed(w http.ResponseWriter, r *http.Request, o shop.Order, err error) error {
	if o.ID == "" {
		return err
	}
	ops.Note(r.Context(), slog.String("order", string(o.ID)))
	path := orderPath(o.ID)
	switch {
	case errors.Is(err, shopclient.ErrUnpaid):
		if cashier, ok := fault.Of(err).Extra["checkout_url"].(string); ok && cashier != "" {
			return web.SeeOther(w, r, cashier)
		}
	case err != nil:
		// The order stands and a job looks after it, so this is no error to the buyer.
		ops.Failed(r.Context(), err)
		web.SetFlash(w, r, "shop.order.checking")
	case o.State == shop.Paid:
		web.SetFlash(w, r, "shop.order.thanks")
	}
	return web.SeeOther(w, r, path)
}

// ordersView is a list of purchases, or of sales.
type ordersView struct {
	Heading string
	Sales   bool
	Orders  []orderView
	Next    string
	Empty   emptyView
	Other   ui.Link // the list of the other side
}

func (p *pages) orders(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	here := ui.SiteOf(ctx)
	bought, sold := locale.T(ctx, "shop.orders"), locale.T(ctx, "shop.sales")
	v := ordersView{
		Heading: bought,
		Empty: emptyView{
			Title: locale.T(ctx, "shop.orders.empty"), Text: locale.T(ctx, "shop.orders.empty.text"),
			URL: here.Products(), Action: locale.T(ctx, "shop.products"),
		},
		Other: ui.Link{URL: here.Sales(), Text: sold},
	}
	list, me, page := p.shop.Orders, p.user(ctx).ID, database.Page{Cursor: q.Get("cursor")}
	if v.Sales = q.Get("role") == "seller"; v.Sales {
		v.Heading, v.Other = sold, ui.Link{URL: here.Orders(), Text: bought}
		v.Empty = emptyView{
			Title: locale.T(ctx, "shop.sales.empty"), Text: locale.T(ctx, "shop.sales.empty.text"),
			URL: here.Sell(), Action: locale.T(ctx, "shop.sell"),
		}
		list = p.sales
	}
	all, next, err := list(ctx, me, page)
	if err != nil {
		return err
	}
	for _, o := range all {
		one := orderViewOf(ctx, o)
		if v.Sales {
			unsigned(one.Lines)
		}
		v.Orders = append(v.Orders, one)
	}
	if next != "" {
		q.Set("cursor", next)
		v.Next = "/orders?" + q.Encode()
	}
	return web.Render(w, r, http.StatusOK, ordersPage(v))
}

// sales is a page of what the reader sold. The first page begins with what is to be sent and
// answered. Later pages pass over nothing: more may be to do than stands there, and what does
// changes meanwhile.
func (p *pages) sales(ctx context.Context, seller authclient.UserID, page database.Page) ([]shop.Detail, string, error) {
	all, next, err := p.shop.Sales(ctx, seller, "", page)
	if err != nil || page.Cursor != "" {
		return all, next, err
	}
	toSend, _, err := p.shop.Sales(ctx, seller, shop.Waiting, database.Page{Limit: mostToDo})
	if err != nil {
		return nil, "", err
	}
	first, _, err := p.shop.ToAnswer(ctx, seller, database.Page{Limit: mostToDo})
	for _, d := range slices.Concat(toSend, all) {
		if !slices.ContainsFunc(first, func(x shop.Detail) bool { return x.ID == d.ID }) {
			first = append(first, d)
		}
	}
	return first, next, err
}

func (p *pages) order(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	ui.From(ctx).WayOut = ui.Link{URL: ui.SiteOf(ctx).Orders(), Text: locale.T(ctx, "shop.orders")}
	d, err := p.shop.See(ctx, p.user(ctx).ID, shop.OrderID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, orderPage(p.detailViewOf(ctx, d, sent{})))
}

// status is the part of an order's page that changes.
func (p *pages) status(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	d, err := p.shop.See(ctx, p.user(ctx).ID, shop.OrderID(r.PathValue("id")))
	if err != nil {
		return err
	}
	return web.Render(w, r, http.StatusOK, orderStatus(orderViewOf(ctx, d), nil))
}

// back is where the cashier sends the browser: it asks pay what has become of the
// payment, and changes nothing that the job would not change in a moment.
func (p *pages) back(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	o, err := p.shop.Order(ctx, p.user(ctx).ID, shop.OrderID(r.PathValue("id")))
	if err != nil {
		return err
	}
	wasPending := o.State == shop.Pending
	settled, err := p.shop.Settle(ctx, o.ID)
	switch {
	case err != nil:
		ops.Failed(ctx, err)
		web.SetFlash(w, r, "shop.order.checking")
	case wasPending && settled.State == shop.Paid:
		web.SetFlash(w, r, "shop.order.thanks")
	}
	return web.SeeOther(w, r, orderPath(o.ID))
}

// pay needs no one-time token: an order is paid once.
func (p *pages) pay(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	o, err := p.shop.Pay(ctx, p.user(ctx).ID, shop.OrderID(r.PathValue("id")), "")
	return p.placed(w, r, o, err)
}

// cancel needs no one-time token: twice is once. The order may have been paid in another tab,
// which the buyer is shown.
func (p *pages) cancel(w http.ResponseWriter, r *http.Request) error {
	ctx, oid := r.Context(), shop.OrderID(r.PathValue("id"))
	o, err := p.shop.Cancel(ctx, p.user(ctx).ID, oid)
	if err != nil {
		return p.orderAgain(w, r, oid, sent{err: err})
	}
	if web.IsFragment(r) {
		return web.Render(w, r, http.StatusOK, orderChanged(orderViewOf(ctx, shop.Detail{Order: o}), nil))
	}
	return web.SeeOther(w, r, orderPath(o.ID))
}

func orderFacts(ctx context.Context, v orderView) []ui.Fact {
	facts := []ui.Fact{
		{Name: locale.T(ctx, "shop.order.id"), Value: v.ID},
		{Name: locale.T(ctx, "shop.order.created.at"), Value: v.CreatedAt},
	}
	if v.PaidAt != "" {
		facts = append(facts, ui.Fact{Name: locale.T(ctx, "shop.order.paid.at"), Value: v.PaidAt})
	}
	if v.PayBefore != "" {
		facts = append(facts, ui.Fact{Name: locale.T(ctx, "shop.order.before"), Value: v.PayBefore})
	}
	return facts
}
