package hostile_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jishi/kit/money"
	"jishi/shop/shopclient"
)

func (h *house) titles(t *testing.T) {
	seller := h.loggedIn(t, sellerName)
	sell := seller.get(t, "/sell").form(t, "/sell").with("price", "3.00", "stock", "1", "description", "a\nb")
	edit := seller.get(t, "/products/"+h.product.ID+"/edit").form(t, "/products/"+h.product.ID+"/edit")
	const refused = http.StatusUnprocessableEntity
	for _, title := range []string{"", "   ", "\u3000\u3000", "\u00a0", strings.Repeat("x", 121), strings.Repeat("题", 10_000), "a\x07b", "\u200b\u200b"} {
		h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", newProduct(title, `"3.00"`, "1")).refuses(t, "title "+title, refused, "title")
		h.call(t, h.seller.Token, http.MethodPatch, "/api/v1/products/"+h.product.ID, `{"title":`+quoted(title)+`}`).refuses(t, "new title "+title, refused, "title")
		seller.asksAgain(t, sell, refused, "title", "title", title)
		seller.asksAgain(t, edit, refused, "title", "title", title)
	}
	seller.asksAgain(t, sell, refused, "description", "title", "Cup", "description", strings.Repeat("说", 10_001))
}

// strangeTitles are shown as they were written, on every page where titles are, and do
// nothing to the rest of it.
func (h *house) strangeTitles(t *testing.T) {
	buyer, seller := h.loggedIn(t, buyerName), h.loggedIn(t, h.keeper(t).Identifier)
	titles := []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`</title><svg/onload=alert(1)>`,
		`{{.}} ${7*7} %s %00 &lt;b&gt; ' OR 1=1 --`,
		"🍵👩‍👩‍👧‍👦 🇨🇳 e\u0301",
		"\u200fإبريق شاي\u200f 12",
		"a \u202egnp.exe\u202c b", // an override, ended
		"\u202eemag",              // and one that isn't
		"\u2067\u2067\u2067 isolates",
		"Zalgo " + strings.Repeat("\u0335", 40),
	}
	for _, title := range titles {
		x := h.keeper(t).Offer(t, title, "3.00", 4)
		if x.Title != title {
			t.Errorf("%q: REST shows %q", title, x.Title)
		}
		path := "/products/" + x.ID
		if p := seller.get(t, path+"/edit"); p.form(t, path+"/edit").fields.Get("title") != title {
			t.Errorf("%q: the form shows another title", title)
		}
		if _, err := h.buyer.Shop.SetCartItem(t.Context(), x.ID, 1); err != nil {
			t.Fatal(err)
		}
		seen := shopclient.NewItem{Product: x.ID, Quantity: 1, Price: money.InputOf(x.Price)}
		o, err := h.other(t).Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{seen}}, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			b    *browser
			path string
		}{{buyer, path}, {buyer, "/"}, {buyer, "/cart"}, {seller, "/home"}, {seller, "/orders?role=seller"}, {h.othersBrowser(t), "/orders/" + o.ID}} {
			p := at.b.get(t, at.path)
			if p.status != http.StatusOK {
				t.Errorf("%q on %s: got %d", title, at.path, p.status)
				continue
			}
			p.showsHarmlessly(t, title)
		}
		if err := h.buyer.Shop.RemoveCartItem(t.Context(), x.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.keeper(t).Shop.TakeDown(t.Context(), x.ID); err != nil {
			t.Fatal(err)
		}
	}
	if m := h.buyer.Money(t); m != (money.Amount{Minor: 98800, Currency: money.CNY}) {
		t.Errorf("the buyer has %s", m)
	}
}

// isolating are elements whose text can't reorder what stands around them: browsers treat
// blocks and bdi as isolated (HTML, 15.3.5).
var isolating = map[string]bool{
	"bdi": true, "p": true, "h1": true, "h2": true, "h3": true, "li": true, "div": true, "article": true, "section": true, "main": true,
	"td": true, "th": true, "dd": true, "dt": true, "title": true, "option": true, "label": false, "header": true, "nav": true, "ul": true,
}

// showsHarmlessly finds a text on a page as it was written, in elements that hold
// nothing else, or isolate it by its own marks.
func (p page) showsHarmlessly(t *testing.T, text string) {
	t.Helper()
	found := false
	for n := range p.root.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "svg" || n.Data == "img") {
			if strings.Contains(attribute(n, "src"), "alert") || attribute(n, "onerror") != "" || attribute(n, "onload") != "" || strings.Contains(textOf(n), "alert") {
				t.Errorf("%q on %s became an element <%s>", text, p.url, n.Data)
			}
		}
		if n.Type != html.TextNode || !strings.Contains(n.Data, text) {
			continue
		}
		found = true
		if strings.TrimSpace(n.Data) == text && alone(n) || strings.Contains(n.Data, "\u2068"+text+"\u2069") {
			continue
		}
		if n.Parent.Data == "title" {
			continue // of the window: there is nothing to be isolated by
		}
		t.Errorf("%q on %s stands among other text: %q in <%s>", text, p.url, n.Data, n.Parent.Data)
	}
	if !found {
		t.Errorf("%q is not on %s", text, p.url)
	}
}

// alone tells whether a text is all of the isolating element around it.
func alone(n *html.Node) bool {
	e := n.Parent
	for e != nil && !isolating[e.Data] {
		e = e.Parent
	}
	return e != nil && strings.TrimSpace(textOf(e)) == strings.TrimSpace(n.Data)
}
