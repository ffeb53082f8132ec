package shopweb

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/ui"
	"jishi/shop"
)

// logsIn is the same browser with a user.
func (r *reader) logsIn(name string) *reader {
	return &reader{site: r.site, name: name, jar: r.jar}
}

// class finds the elements of a class within one.
func class(root *html.Node, name string) []*html.Node {
	return find(root, func(n *html.Node) bool {
		for c := range strings.FieldsSeq(attr(n, "class")) {
			if c == name {
				return true
			}
		}
		return false
	})
}

// send submits a form that has no id.
func (r *reader) sendForm(form *html.Node, pairs ...string) page {
	r.t.Helper()
	fields := url.Values{}
	for _, n := range find(form, func(n *html.Node) bool { return n.Data == "input" }) {
		fields.Add(attr(n, "name"), attr(n, "value"))
	}
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return r.post(attr(form, "action"), fields)
}

// badge is what the header's cart says, "" for nothing.
func (p page) badge() string {
	if b := p.byID("cart-badge"); b != nil {
		for _, n := range class(b, "badge") {
			return text(n)
		}
	}
	return ""
}

// A guest fills a cart, logs in to pay, and pays what was in it, on every database.
func TestGuestBuys(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		s := openOn(t, db)
		ann, guest := s.as("ann"), s.as("")
		cup, pot := ann.sells("Cup", "3", "10"), ann.sells("Pot", "20", "5")

		list := guest.get("/").is(http.StatusOK)
		if to := guest.submit(list, "add-"+cup, "quantity", "2").to(); to != "/" {
			t.Errorf("led to %q, want back", to)
		}
		guest.submit(list, "add-"+cup, "quantity", "2").to() // a double click
		added := guest.get("/")
		if added.shows("已将 2 件商品添加至购物车"); added.badge() != "2" {
			t.Errorf("the badge says %q, want 2", added.badge())
		}
		guest.submit(list, "add-"+pot).to()
		cart := guest.get("/cart").is(http.StatusOK)
		for _, label := range []string{"Cup", "Pot", "¥26.00", "付款前需要登录"} {
			cart.shows(label)
		}
		guest.sendForm(class(cart.byID("line-"+cup), "quantity")[0], "quantity", "3").to()
		guest.sendForm(class(cart.byID("line-"+cup), "quantity")[0], "quantity", "1000").is(http.StatusUnprocessableEntity).shows("1 到 999")
		guest.sendForm(class(cart.byID("line-"+pot), "remove")[0]).to()
		guest.submit(guest.get("/"), "add-"+pot, "quantity", "0").is(http.StatusUnprocessableEntity)
		guest.post("/products/prd_x/cart", url.Values{"token": {strings.Repeat("x", 26)}, "quantity": {"1"}}).is(http.StatusNotFound)
		if c := guest.jar[guestCookie]; c == nil || !c.HttpOnly || strings.Contains(c.Value, cup) {
			t.Errorf("the cookie is %v", c)
		}

		// To pay one logs in, and comes back to the cart.
		to := guest.submit(guest.get("/cart"), "checkout").to()
		if login := guest.get(to).to(); to != "/cart/checkout" || login != "/session/login" {
			t.Fatalf("led to %q and %q", to, login)
		}
		bob := guest.logsIn("bob")
		if back := bob.get(to).to(); back != "/cart" {
			t.Errorf("led to %q", back)
		}
		if bob.jar[guestCookie] != nil {
			t.Error("the guest's cookie is still there")
		}
		cart = bob.get("/cart").is(http.StatusOK)
		if cart.shows("¥9.00"); cart.badge() != "3" || strings.Contains(text(cart.doc), "付款前需要登录") {
			t.Errorf("badge %q", cart.badge())
		}
		order := bob.get(bob.submit(cart, "checkout").to()).is(http.StatusOK)
		order.shows("¥9.00")

		// Whoever comes next in this browser has an empty cart.
		if out := s.as("").get("/cart"); out.byID("checkout") != nil {
			t.Error("somebody's cart is shown to others")
		}
		bob.name = ""
		if out := bob.get("/"); out.badge() != "" || bob.jar[ui.CartCookie] != nil {
			t.Errorf("the badge says %q", out.badge())
		}
	}, shop.Migrate)
}

// The reply to the page that merged was lost: the cookie comes again, with many requests at once.
func TestGuestMergesOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		s := openOn(t, db)
		guest, bob := s.as(""), s.as("bob")
		cup := s.as("ann").sells("Cup", "3", "10")
		bob.submit(bob.get("/"), "add-"+cup, "quantity", "1").to()
		guest.submit(guest.get("/"), "add-"+cup, "quantity", "2").to()
		cookie := guest.jar[guestCookie]

		done := make(chan string)
		for range 8 {
			tab := s.as("bob")
			tab.jar[guestCookie] = cookie
			go func() { done <- text(tab.get("/cart").byID("line-" + cup)) }()
		}
		for range 8 {
			if line := <-done; !strings.Contains(line, "¥9.00") {
				t.Errorf("the cart shows %s", line)
			}
		}
		// Nobody else gets it either.
		cara := s.as("cara")
		cara.jar[guestCookie] = cookie
		if cara.get("/cart").byID("line-"+cup) != nil || cara.jar[guestCookie] != nil {
			t.Error("the cart is merged into somebody else's")
		}
		// What was forged, or sealed with a key that is gone, is dropped.
		forged := *cookie
		forged.Value = "x" + cookie.Value[1:]
		for _, r := range []*reader{s.as(""), s.as("bob")} {
			r.jar[guestCookie] = &forged
			r.get("/cart").is(http.StatusOK)
		}
		if n, err := s.shop.CartCount(t.Context(), "usr_bob"); n != 3 || err != nil {
			t.Errorf("%d pieces, %v; want 3", n, err)
		}
	}, shop.Migrate)
}

// A tab of a guest has something added while another tab logs in and merges the cart. The
// answer to the first comes last, and brings the cookie back.
func TestAddedWhileLoggingIn(t *testing.T) {
	s := open(t)
	ann, tab := s.as("ann"), s.as("")
	cup, pot := ann.sells("Cup", "3", "10"), ann.sells("Pot", "20", "5")
	list := tab.get("/")
	tab.submit(list, "add-"+cup, "quantity", "2").to()
	bob := s.as("bob")
	bob.jar[guestCookie] = tab.jar[guestCookie]
	bob.get("/cart").is(http.StatusOK)
	tab.submit(list, "add-"+pot).to()
	bob.jar[guestCookie] = tab.jar[guestCookie]

	cart := bob.get("/cart").is(http.StatusOK)
	if cart.byID("line-"+pot) == nil || cart.badge() != "3" || bob.jar[guestCookie] != nil {
		t.Errorf("badge %q, the cart shows %s", cart.badge(), text(cart.byID("cart")))
	}
}

func TestGuestCartByHtmx(t *testing.T) {
	s := open(t)
	guest := s.as("")
	cup := s.as("ann").sells("Cup", "3", "10")
	list := guest.get("/")
	guest.htmx = true
	added := guest.submit(list, "add-"+cup, "quantity", "2").is(http.StatusOK)
	if strings.Contains(added.body, "<html") || added.badge() != "2" || added.byID("flash") == nil {
		t.Errorf("the fragment is %s", added.body)
	}
	changed := guest.post("/cart/items/"+cup, url.Values{"quantity": {"5"}}).is(http.StatusOK)
	if changed.shows("¥15.00"); changed.badge() != "5" || changed.byID("cart") == nil || strings.Contains(changed.body, "<html") {
		t.Errorf("the fragment is %s", changed.body)
	}
	if gone := guest.post("/cart/items/"+cup+"/remove", nil).is(http.StatusOK); gone.badge() != "" || guest.jar[guestCookie] != nil {
		t.Errorf("the fragment is %s", gone.body)
	}
}

// The cart says what has changed; buying at the old price asks again, with the message.
func TestCartSaysWhatChanged(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	cup, pot, lid := ann.sells("Cup", "3", "10"), ann.sells("Pot", "20", "5"), ann.sells("Lid", "1", "5")
	for _, who := range []*reader{s.as("bob"), s.as("")} {
		list := who.get("/")
		who.submit(list, "add-"+cup).to()
		who.submit(list, "add-"+pot, "quantity", "4").to()
		who.submit(list, "add-"+lid).to()
		old := who.get("/cart")
		if find(old.doc, func(n *html.Node) bool { return attr(n, "role") == "alert" }) != nil || len(class(old.doc, "price-changed")) != 0 {
			t.Error("nothing has changed, but the cart says so")
		}
		change := func(id string, pairs ...string) {
			ann.submit(ann.get("/products/"+id+"/edit"), "sell", pairs...).to()
		}
		change(cup, "price", "4.5")
		change(pot, "stock", "3")
		change(lid, "stock", "0")

		asked := who.get("/cart")
		if who.name != "" { // the page was open all the time
			asked = who.submit(old, "checkout").is(http.StatusConflict)
		}
		if len(find(asked.byID("cart"), func(n *html.Node) bool { return attr(n, "role") == "alert" })) != 1 {
			t.Error("there is no alert above the cart")
		}
		notes := class(asked.byID("line-"+cup), "price-changed")
		if len(notes) != 1 || !strings.Contains(text(notes[0]), "¥3.00") || !strings.Contains(text(notes[0]), "¥4.50") {
			t.Errorf("%s: the line says %s", who.name, text(asked.byID("line-"+cup)))
		}
		if line := text(asked.byID("line-" + pot)); !strings.Contains(line, "只剩 3 件") {
			t.Errorf("the line says %s", line)
		}
		if line := text(asked.byID("line-" + lid)); !strings.Contains(line, "已售罄") {
			t.Errorf("the line says %s", line)
		}
		if total := text(class(asked.byID("cart"), "price")[3]); total != "¥4.50" {
			t.Errorf("the total is %s, want that of what can be bought", total)
		}
		who.sendForm(class(asked.byID("line-"+pot), "take")[0]).to()
		if who.name != "" {
			order := who.get(who.submit(who.get("/cart"), "checkout").to())
			order.shows("¥64.50")
			if left := who.get("/cart"); left.byID("line-"+lid) == nil || left.byID("line-"+cup) != nil {
				t.Error("what can't be bought does not stay alone")
			}
		}
		change(cup, "price", "3")
		change(pot, "stock", "5")
		change(lid, "stock", "5")
	}

	// Taken down.
	bob := s.as("bob")
	if err := s.shop.TakeDown(t.Context(), "usr_ann", shop.ProductID(lid)); err != nil {
		t.Fatal(err)
	}
	gone := bob.get("/cart")
	if line := text(gone.byID("line-" + lid)); !strings.Contains(line, "已下架") {
		t.Errorf("the line says %s", line)
	}
	if b := find(gone.byID("checkout"), func(n *html.Node) bool { return n.Data == "button" }); !has(b[0], "disabled") {
		t.Error("a cart in which nothing can be bought has a button to buy it")
	}
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
