package ui

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"

	"jishi/kit/locale"
	"jishi/kit/locale/localetest"
)

func TestTexts(t *testing.T) {
	kit, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	localetest.Check(t, Locales, localetest.Sources{
		Dirs:    slices.DeleteFunc(kit, func(dir string) bool { return dir == "../locale" }), // it shows others' texts only
		Dynamic: []string{"ui.error."},                                                       // the status follows
	})
}

// show renders a component for a request, as the middleware around every page does it.
func show(t *testing.T, r *http.Request, c templ.Component, meet func(*Visitor)) *html.Node {
	t.Helper()
	b, err := locale.New(Locales)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	b.Middleware(Middleware(Site{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if meet != nil {
			meet(From(r.Context()))
		}
		if err := c.Render(r.Context(), &out); err != nil {
			t.Error(err)
		}
	}))).ServeHTTP(httptest.NewRecorder(), r)
	doc, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func get(path string, cookies ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, c := range cookies {
		r.Header.Add("Cookie", c)
	}
	return r
}

// all are the elements of a name; "" is every element.
func all(doc *html.Node, name string) []*html.Node {
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

func byID(t *testing.T, doc *html.Node, id string) *html.Node {
	t.Helper()
	for _, n := range all(doc, "") {
		if attr(n, "id") == id {
			return n
		}
	}
	t.Fatalf("no element %q", id)
	return nil
}

// sample is a page with every component on it.
func sample() templ.Component {
	parts := []templ.Component{
		Heading("Title"), Breadcrumb([]Link{{"/", "Top"}}), Alert(Bad, "Bad"), Alert(Plain, "Plain"),
		FormErrors([]string{"One thing"}), StateBadge(Good, "Done"), Price("¥12.00"), Empty("None", "Go on", "/", "All"),
		Pager("list", "/?cursor=x"), Facts([]Fact{{Name: "Id", Value: "ord_1", URL: "/orders/1"}}), Secret("abc"),
		Picture(Image{URL: "/p.jpg", Files: "/s.jpg 320w, /p.jpg 640w", Sizes: "50vw"}, "A cup", false), Picture(Image{}, "", false), Thumbnail(Image{}, "“Cup”", false), Tile("/", "cart", "Cart"), FormToken("t"), ErrorFragment("Oh", "Text"),
		Field(Input{Name: "a", Label: "A", Error: "Wrong", Help: "Like this", Required: true}),
		Field(Input{Name: "b", Label: "B", Prefix: "¥"}), Field(Input{Name: "c", Label: "C", Type: "file"}),
		TextArea(Input{Name: "d", Label: "D"}), Select(Input{Name: "e", Label: "E", Value: "2"}, []Option{{"1", "One"}, {"2", "Two"}}),
		Submit("Go", Primary, templ.Attributes{"name": "do"}), LinkButton("/", "Link", Quiet),
		within(Table("rows", "Rows", []Head{{Text: "When"}, {Text: "Amount", Money: true}}), templ.Join(Cell("When"), MoneyCell("Amount", "¥1.00", true))),
	}
	return within(Page("Sample"), templ.Join(parts...))
}

func within(frame, children templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return frame.Render(templ.WithChildren(ctx, children), w)
	})
}

func TestPagesAreFitForEveryReader(t *testing.T) {
	doc := show(t, get("/"), sample(), func(v *Visitor) { v.LoggedIn, v.Name, v.Cart = true, "Wang", 3 })
	if n := len(all(doc, "h1")); n != 1 {
		t.Errorf("%d h1 elements, want 1", n)
	}
	ids := map[string]int{}
	for _, n := range all(doc, "") {
		if id := attr(n, "id"); id != "" {
			ids[id]++
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d elements are called %q", n, id)
		}
	}
	labelled := map[string]bool{}
	for _, l := range all(doc, "label") {
		labelled[attr(l, "for")] = true
		for _, in := range all(l, "input") {
			labelled[attr(in, "id")] = true
		}
	}
	for _, kind := range []string{"input", "select", "textarea"} {
		for _, n := range all(doc, kind) {
			if attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
				t.Errorf("the %s %q has no label", kind, attr(n, "name"))
			}
			for _, ref := range strings.Fields(attr(n, "aria-describedby")) {
				if ids[ref] == 0 {
					t.Errorf("%q is described by %q, which isn't there", attr(n, "name"), ref)
				}
			}
		}
	}
	for _, n := range append(all(doc, "button"), append(all(doc, "a"), all(doc, "summary")...)...) {
		if textOf(n) == "" && attr(n, "aria-label") == "" {
			t.Errorf("a %s to %q has no name", n.Data, attr(n, "href"))
		}
	}
	for _, n := range all(doc, "img") {
		if !strings.Contains(attr(n, "src"), "logo") && attr(n, "alt") == "" {
			t.Errorf("the picture %s has no text", attr(n, "src"))
		}
	}
}

// The Content-Security-Policy has no 'unsafe-inline' and no 'unsafe-eval'.
func TestNothingIsInline(t *testing.T) {
	doc := show(t, get("/"), sample(), func(v *Visitor) { v.LoggedIn = true })
	if len(all(doc, "style")) > 0 {
		t.Error("a style element")
	}
	for _, n := range all(doc, "") {
		if n.Data == "script" && attr(n, "src") == "" {
			t.Error("a script without an address")
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") {
				t.Errorf("%s has the attribute %s", n.Data, a.Key)
			}
		}
	}
}

func TestTheHeaderKnowsTheReader(t *testing.T) {
	guest := show(t, get("/products/1?q=tea", "lang=zh"), Page("x"), nil)
	text := textOf(guest)
	for _, want := range []string{"请登录", "新用户注册", "集市"} {
		if !strings.Contains(text, want) {
			t.Errorf("a guest doesn't read %s", want)
		}
	}
	if strings.Contains(text, "注销当前用户") {
		t.Error("a guest is offered to log out")
	}
	var login string
	for _, a := range all(guest, "a") {
		if textOf(a) == "请登录" {
			login = attr(a, "href")
		}
	}
	if login != "/auth/login?return=%2Fproducts%2F1%3Fq%3Dtea" {
		t.Errorf("login leads to %s", login)
	}

	user := show(t, get("/", "lang=zh"), Page("x"), func(v *Visitor) { v.LoggedIn, v.Name = true, "<b>王" })
	for _, want := range []string{"查看我的购物车", "查看历史购买记录", "查看我的钱包", "我要添加商品", "注销当前用户", "<b>王"} {
		if !strings.Contains(textOf(user), want) {
			t.Errorf("a user doesn't read %s", want)
		}
	}
}

func TestCookiesOfTheFrame(t *testing.T) {
	for _, c := range []struct {
		name, cookie string
		cart         int
		theme        string
	}{
		{"none", "", 0, ""},
		{"a count", "cart=3", 3, ""},
		{"too many", "cart=1000000", 999, ""},
		{"less than none", "cart=-4", 0, ""},
		{"no count", "cart=<script>", 0, ""},
		{"dark", "theme=dark", 0, "jishi-dark"},
		{"light", "theme=light", 0, "jishi"},
		{"the device's", "theme=auto", 0, ""},
		{"no theme", "theme=x", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cart int
			doc := show(t, get("/", c.cookie), Page("x"), func(v *Visitor) { cart = v.Cart })
			if cart != c.cart {
				t.Errorf("cart %d, want %d", cart, c.cart)
			}
			if got := attr(all(doc, "html")[0], "data-theme"); got != c.theme {
				t.Errorf("theme %q, want %q", got, c.theme)
			}
		})
	}
}

func TestAFieldSaysWhatIsWrong(t *testing.T) {
	doc := show(t, get("/"), Field(Input{Name: "price", Label: "Price", Value: `"><x`, Error: "Too much", Help: "In yuan"}), nil)
	in := byID(t, doc, "field-price")
	if attr(in, "aria-invalid") != "true" || attr(in, "aria-describedby") != "field-price-error field-price-help" {
		t.Errorf("attributes %v", in.Attr)
	}
	if attr(in, "value") != `"><x` {
		t.Errorf("value %q", attr(in, "value"))
	}
	if got := textOf(byID(t, doc, "field-price-error")); got != "Too much" {
		t.Errorf("error %q", got)
	}
}

func TestPager(t *testing.T) {
	doc := show(t, get("/"), Pager("orders", "/orders?cursor=x"), nil)
	a := all(doc, "a")[0]
	if attr(a, "rel") != "next" || attr(a, "href") != "/orders?cursor=x" || attr(a, "hx-get") != "/orders?cursor=x" {
		t.Errorf("attributes %v", a.Attr)
	}
	last := show(t, get("/"), Pager("orders", ""), nil)
	byID(t, last, "orders-pager") // it takes the place of the one before
	if n := len(all(last, "a")); n != 0 {
		t.Errorf("%d links at the list's end", n)
	}
}

func TestLinksDontRunScripts(t *testing.T) {
	for _, c := range []templ.Component{
		LinkButton("javascript:alert(1)", "x", Quiet), Facts([]Fact{{"a", "b", "javascript:alert(1)"}}),
		Pager("l", "javascript:alert(1)"), Breadcrumb([]Link{{"javascript:alert(1)", "x"}}),
	} {
		for _, a := range all(show(t, get("/"), c, nil), "a") {
			if strings.HasPrefix(attr(a, "href"), "javascript:") {
				t.Error(a.Attr)
			}
		}
	}
}

func TestLongIdsAreSmall(t *testing.T) {
	doc := show(t, get("/"), Facts([]Fact{{Name: "Id", Value: "ord_06f3kq0c8dv3t2mjh41m6r9s5g"}, {Name: "Name", Value: "green_tea"}}), nil)
	values := all(doc, "dd")
	if !strings.Contains(attr(values[0], "class"), "text-sm") || strings.Contains(attr(values[1], "class"), "text-sm") {
		t.Errorf("%q, %q", attr(values[0], "class"), attr(values[1], "class"))
	}
}
