package shopweb

import (
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/net/html"

	"jishi/shop/shoptest"
)

// returns are the addresses that a page calls its own: where a change of language, a login and the
// forms that lead back to their page come back to.
func (p page) returns() []string {
	p.t.Helper()
	var all []string
	for _, n := range find(p.doc, func(n *html.Node) bool { return attr(n, "name") == "return" }) {
		all = append(all, attr(n, "value"))
	}
	for _, n := range p.tags("a") {
		if u, err := url.Parse(attr(n, "href")); err == nil && u.Query().Has("return") {
			all = append(all, u.Query().Get("return"))
		}
	}
	if len(all) == 0 {
		p.t.Error("the page has nothing that comes back to it")
	}
	return all
}

// A page that says what is wrong with a form stands at the address that takes the form. Whoever
// comes back to it, or loads it anew, finds the page that the form was on.
func TestARefusedFormIsComeBackTo(t *testing.T) {
	s := open(t)
	ann, bob, guest := s.as("ann"), s.as("bob"), s.as("")
	cup := ann.sells("Cup", "3", "10")
	dear := bob.get("/products/" + cup)
	ann.submit(ann.get("/products/"+cup+"/edit"), "sell", "price", "4").to()
	guest.submit(guest.get("/"), "add-"+cup).to()
	order, shipment := s.bought()
	asked, parcel := s.bought()
	bob.submit(bob.get("/orders/"+asked), "refund-"+parcel, "reason", "破了").to()
	sale := ann.get("/orders/" + asked)
	s.pay.Set(func(p *shoptest.Pay) { p.Poor = true })
	unpaid := bob.submit(bob.get("/products/"+cup), "buy-"+cup).to()[len("/pay/checkout/pay_"):]
	pending := bob.get("/orders/" + unpaid)
	s.pay.Capture(unpaid, nil)

	for name, c := range map[string]struct {
		reader *reader
		page   page
		status int
		want   string // where the page is found again
	}{
		"an addition from a list":   {guest, guest.submit(guest.get("/"), "add-"+cup, "quantity", "1000"), 422, "/products/" + cup},
		"a purchase":                {bob, bob.submit(dear, "buy-"+cup), 409, "/products/" + cup},
		"a quantity in the cart":    {guest, guest.sendForm(class(guest.get("/cart").byID("line-"+cup), "quantity")[0], "quantity", "1000"), 422, "/cart"},
		"a wallet of the home":      {ann, ann.submit(ann.get("/home"), "new-wallet", "amount", "1e3"), 422, "/home"},
		"a parcel":                  {ann, ann.submit(ann.get("/orders/"+order), "ship-"+shipment, "carrier", "顺丰"), 422, "/orders/" + order},
		"an answer to a refund":     {ann, ann.submit(sale, sale.form("refuse-")), 422, "/orders/" + asked},
		"an order that can't end":   {bob, bob.submit(pending, "cancel"), 409, "/orders/" + unpaid},
		"somebody else's product":   {bob, bob.post("/products/"+cup+"/takedown", nil), 403, "/products/" + cup},
		"a form that is no form":    {bob, bob.post("/products/"+cup+"/cart", nil), 400, "/products/" + cup},
		"a refund that there isn't": {ann, ann.post("/orders/"+order+"/refunds/rfd_x/grant", nil), 404, "/orders/" + order},
	} {
		for _, back := range c.page.is(c.status).returns() {
			p := c.reader.get(back)
			if p.status == http.StatusSeeOther {
				back = p.to()
				p = c.reader.get(back)
			}
			if p.status != http.StatusOK || back != c.want {
				t.Errorf("%s: comes back to %d %s, want 200 %s", name, p.status, back, c.want)
			}
		}
	}
}
