package shopweb

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/job"
	"jishi/kit/locale"
	"jishi/kit/locale/localetest"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shoptest"
)

func TestTexts(t *testing.T) {
	localetest.Check(t, Locales, localetest.Sources{
		Dirs:    []string{".", "..", "../picture", "../shopclient"},
		Shared:  nil,
		Dynamic: []string{"shop.order.", "shop.shipment.", "shop.refund.", "shop.event.", "shop.finding.", "shop.findings.pass."}, // a state or a kind follows
	})
}

// site is the shop's pages in front of a pay that does as it is told.
type site struct {
	t       *testing.T
	shop    *shop.Service
	pay     *shoptest.Pay
	handler http.Handler
}

// userHeader says who is logged in.
const userHeader = "X-Test-User"

type userKey struct{}

func open(t *testing.T) *site {
	t.Helper()
	db := dbtest.Open(t, dbtest.SQLite(t), shop.Migrate)
	return openOn(t, db)
}

func openOn(t *testing.T, db *database.DB) *site {
	pictures, err := picture.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pictures.Close() })
	pay := shoptest.NewPay()
	s := &site{t: t, pay: pay, shop: shop.New(shop.Config{
		DB: db, Ledger: ledger.New(db, time.Now), Jobs: job.New(db, time.Now), Pictures: pictures,
		Payer: pay, Payments: pay, Currency: money.CNY, PayTime: time.Hour, Terms: shop.DefaultTerms, Now: time.Now, Operators: []authclient.UserID{"usr_olga"},
	})}
	user := func(ctx context.Context) shop.Person {
		id, _ := ctx.Value(userKey{}).(string)
		return shop.Person{ID: authclient.UserID(id), Name: strings.TrimPrefix(id, "usr_")}
	}
	login := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user(r.Context()).ID == "" {
				http.Redirect(w, r, "/session/login", http.StatusSeeOther)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	Routes(mux, Config{Shop: s.shop, Wallets: pay, User: user, Login: login, Sealer: web.NewSealer([][]byte{web.NewSecret()})})
	mux.Handle("/", web.NotFound(mux))
	texts, err := locale.New(ui.Locales, Locales)
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = mux
	h = web.Flashes(web.NewSealer([][]byte{web.NewSecret()}), web.Cookies{})(h)
	h = ui.Middleware(ui.Site{})(h)
	h = texts.Middleware(h)
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, r.Header.Get(userHeader))))
	})
	return s
}

// reader is somebody at a browser.
type reader struct {
	*site
	name string
	htmx bool
	jar  map[string]*http.Cookie
}

func (s *site) as(name string) *reader {
	return &reader{site: s, name: name, jar: map[string]*http.Cookie{}}
}

// page is an answer.
type page struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	doc    *html.Node
}

func (r *reader) send(req *http.Request) page {
	r.t.Helper()
	req.Header.Set("Accept-Language", "zh")
	if r.name != "" {
		req.Header.Set(userHeader, "usr_"+r.name)
	}
	if r.htmx {
		req.Header.Set("HX-Request", "true")
		req.Header.Set("HX-Request-Type", "partial")
	}
	for _, c := range r.jar {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	for _, c := range w.Result().Cookies() {
		if r.jar[c.Name] = c; c.MaxAge < 0 {
			delete(r.jar, c.Name)
		}
	}
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		r.t.Fatal(err)
	}
	return page{r.t, w.Code, w.Header(), w.Body.String(), doc}
}

func (r *reader) get(path string) page {
	r.t.Helper()
	return r.send(httptest.NewRequest(http.MethodGet, path, nil))
}

func (r *reader) post(path string, form url.Values) page {
	r.t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r.send(req)
}

// sendFile sends a form with a file, or without one.
func (r *reader) sendFile(path string, form map[string]string, file []byte) page {
	r.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, value := range form {
		if err := m.WriteField(name, value); err != nil {
			r.t.Fatal(err)
		}
	}
	if file != nil {
		f, err := m.CreateFormFile("image", "../../x.png")
		if err == nil {
			_, err = f.Write(file)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, path, &b)
	req.Header.Set("Content-Type", m.FormDataContentType())
	return r.send(req)
}

// submit sends the form with that id, with its fields as they stand or as in pairs.
func (r *reader) submit(p page, id string, pairs ...string) page {
	r.t.Helper()
	form := p.byID(id)
	if form == nil {
		r.t.Fatalf("there is no form %q on the page", id)
	}
	fields := url.Values{}
	for _, n := range find(form, func(n *html.Node) bool { return n.Data == "input" || n.Data == "textarea" }) {
		value := attr(n, "value")
		if n.Data == "textarea" {
			value = text(n)
		}
		if attr(n, "type") != "file" {
			fields.Add(attr(n, "name"), value)
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if !fields.Has(pairs[i]) {
			r.t.Errorf("form %q has no field %q", id, pairs[i])
		}
		fields.Set(pairs[i], pairs[i+1])
	}
	return r.post(attr(form, "action"), fields)
}

// to expects a redirect and gives where it leads.
func (p page) to() string {
	p.t.Helper()
	if p.status != http.StatusSeeOther {
		p.t.Fatalf("status %d, want 303: %s", p.status, text(p.doc))
	}
	return p.header.Get("Location")
}

func (p page) is(status int) page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("status %d, want %d: %s", p.status, status, text(p.doc))
	}
	return p
}

// shows expects a text on the page.
func (p page) shows(want string) {
	p.t.Helper()
	if !strings.Contains(text(p.doc), want) {
		p.t.Errorf("the page does not show %q: %s", want, text(p.doc))
	}
}

func (p page) byID(id string) *html.Node {
	all := find(p.doc, func(n *html.Node) bool { return attr(n, "id") == id })
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

func (p page) tags(tag string) []*html.Node {
	return find(p.doc, func(n *html.Node) bool { return n.Data == tag })
}

// alerts are what a page reads out at once.
func (p page) alerts() []*html.Node {
	return find(p.doc, func(n *html.Node) bool { return attr(n, "role") == "alert" })
}

func find(root *html.Node, match func(*html.Node) bool) []*html.Node {
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(root *html.Node) string {
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "script" {
			b.WriteString(strings.TrimSpace(n.Data) + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// sells fills in the form of a product and gives the product's page.
func (r *reader) sells(title, price, stock string) (id string) {
	r.t.Helper()
	form := r.get("/sell").is(http.StatusOK)
	path := r.submit(form, "sell", "title", title, "price", price, "stock", stock).to()
	return strings.TrimPrefix(path, "/products/")
}

func TestSellBrowseBuy(t *testing.T) {
	s := open(t)
	ann, bob, nobody := s.as("ann"), s.as("bob"), s.as("")
	id := ann.sells("紫砂壶 <b onclick=x>", "12.5", "3")
	nobody.get("/products/" + id).is(http.StatusOK).shows("紫砂壶 <b onclick=x>")

	list := nobody.get("/").is(http.StatusOK)
	for _, label := range []string{"所有商品，请点击你喜欢的加入购物车或直接购买", "购买该商品", "请输入购买数量", "添加至购物车", "请输入添加数量", "¥12.50", "剩余 3 件", id} {
		list.shows(label)
	}
	if bs := find(list.doc, func(n *html.Node) bool { return n.Data == "b" || attr(n, "onclick") != "" }); len(bs) > 0 {
		t.Error("a title became markup")
	}
	if h := list.tags("h1"); len(h) != 1 {
		t.Errorf("%d h1, want 1", len(h))
	}
	if to := nobody.submit(list, "buy-"+id).to(); to != "/session/login" {
		t.Errorf("who isn't logged in is led to %q", to)
	}

	// Twice the same form, as after a double click, is one order.
	list = bob.get("/")
	first := bob.submit(list, "buy-"+id, "quantity", "2").to()
	if again := bob.submit(list, "buy-"+id, "quantity", "2").to(); again != first || !strings.HasPrefix(first, "/orders/ord_") {
		t.Errorf("led to %q, then to %q", first, again)
	}
	order := bob.get(first).is(http.StatusOK)
	for _, label := range []string{"购买成功", "已付款", "¥25.00", id, "成交时间"} {
		order.shows(label)
	}
	bob.get("/orders").shows("购买产品id")
	ann.get("/orders?role=seller").shows("紫砂壶")
	if got := s.as("cara").get(first).status; got != http.StatusNotFound {
		t.Errorf("somebody else's order: status %d", got)
	}
	nobody.get("/products/" + id).shows("剩余 1 件")
	short := bob.submit(bob.get("/products/"+id), "buy-"+id, "quantity", "2").is(http.StatusConflict)
	short.shows("只剩 1 件")
	bob.submit(short, "buy-"+id, "quantity", "1").to() // the form is there anew
	if nobody.get("/products/" + id).shows("已售罄"); nobody.get("/").byID("buy-"+id) != nil {
		t.Error("what is sold out has a form to buy it")
	}
}

func TestPriceIsAskedAgain(t *testing.T) {
	s := open(t)
	ann, bob := s.as("ann"), s.as("bob")
	id := ann.sells("Cup", "3", "10")
	old := bob.get("/products/" + id)
	edit := ann.get("/products/" + id + "/edit").is(http.StatusOK)
	ann.submit(edit, "sell", "price", "4").to()
	ann.submit(edit, "sell", "price", "5").is(http.StatusPreconditionFailed).shows("请重新查看")

	asked := bob.submit(old, "buy-"+id).is(http.StatusConflict)
	asked.shows("价格已变为 ¥4.00")
	bob.submit(asked, "buy-"+id).to()
}

// A form of a product that is sent twice changes it once, and leads to the same place.
func TestAProductChangesOnceForAForm(t *testing.T) {
	s := open(t)
	ann, bob := s.as("ann"), s.as("bob")
	id := ann.sells("Cup", "3", "10")
	page := "/products/" + id
	edit := ann.get(page + "/edit").is(http.StatusOK)
	for range 2 {
		if to := ann.submit(edit, "sell", "stock", "15").to(); to != page {
			t.Errorf("led to %q", to)
		}
	}
	bob.get(page).shows("剩余 15 件")

	// What was sold meanwhile is said, and what is written then counts from there.
	edit = ann.get(page + "/edit")
	bob.submit(bob.get(page), "buy-"+id, "quantity", "9").to()
	taken := ann.submit(edit, "sell", "stock", "0").is(http.StatusConflict)
	taken.shows("还剩 6 件")
	ann.submit(taken, "sell", "stock", "5").to()
	bob.get(page).shows("剩余 5 件")

	down := ann.get(page + "/edit")
	for range 2 {
		if to := ann.submit(down, "takedown").to(); to != "/home" {
			t.Errorf("led to %q", to)
		}
	}
}

// Nothing that was typed is lost while nothing can be written, and the form that comes back
// does it once when it can.
func TestFormsOutliveAFullDisk(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), shop.Migrate)
	s := openOn(t, db)
	ann, bob := s.as("ann"), s.as("bob")
	full := func(is bool) {
		more := int64(-1)
		if is {
			more = 0
		}
		dbtest.LimitPages(t, db, more)
	}
	same := func(id string, sent, refused page) {
		t.Helper()
		token := func(p page) string {
			return attr(find(p.byID(id), func(n *html.Node) bool { return attr(n, "name") == web.TokenField })[0], "value")
		}
		if token(refused) != token(sent) {
			t.Errorf("%s came back as another form", id)
		}
		if refused.header.Get("Retry-After") == "" {
			t.Errorf("%s came back without a time to send it again", id)
		}
	}
	sell, long := ann.get("/sell"), strings.Repeat("描述", 4000)
	full(true)
	refused := ann.submit(sell, "sell", "title", "Cup", "price", "3", "stock", "500", "description", long).is(http.StatusServiceUnavailable)
	full(false)
	same("sell", sell, refused)
	path := ann.submit(refused, "sell").to()
	if again := ann.submit(refused, "sell").to(); again != path {
		t.Errorf("led to %q, then to %q", path, again)
	}
	ann.get(path).shows(long)

	// A purchase may have room where another row had; some don't.
	buy, bought := "buy-"+strings.TrimPrefix(path, "/products/"), 0
	full(true)
	for refused = bob.get(path); refused.status == http.StatusOK; refused = bob.get(path) {
		if bought++; bought == 300 {
			t.Fatal("the disk is never full")
		}
		if p := bob.submit(refused, buy, "quantity", "1"); p.status != http.StatusSeeOther {
			same(buy, refused, p.is(http.StatusServiceUnavailable))
			refused = p
			break
		}
	}
	full(false)
	first := bob.submit(refused, buy).to()
	if again := bob.submit(refused, buy).to(); again != first {
		t.Errorf("led to %q, then to %q", first, again)
	}
	bob.get(path).shows(fmt.Sprintf("剩余 %d 件", 500-bought))
}

func TestSellForm(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	form := ann.get("/sell").is(http.StatusOK)
	for _, label := range []string{"我要添加商品", "商品价格", "商品描述", "商品图片", "提交商品信息"} {
		form.shows(label)
	}
	wrong := ann.submit(form, "sell", "title", " ", "price", "abc", "stock", "x", "description", "stays").is(http.StatusUnprocessableEntity)
	for _, id := range []string{"field-title-error", "field-price-error", "field-stock-error"} {
		if wrong.byID(id) == nil {
			t.Errorf("there is no %s", id)
		}
	}
	if wrong.shows("stays"); len(find(wrong.doc, func(n *html.Node) bool { return attr(n, "aria-invalid") == "true" })) != 3 {
		t.Error("the wrong fields are not marked")
	}
	done := ann.submit(wrong, "sell", "title", "Cup", "price", "1", "stock", "1").to()
	if got := s.as("bob").get(done + "/edit").status; got != http.StatusForbidden {
		t.Errorf("somebody else's product can be edited: %d", got)
	}
	if got := s.as("bob").post(done+"/takedown", nil).status; got != http.StatusForbidden {
		t.Errorf("somebody else's product can be taken down: %d", got)
	}
	if to := ann.submit(ann.get(done+"/edit"), "takedown").to(); to != "/home" {
		t.Errorf("led to %q", to)
	}
	s.as("").get(done).is(http.StatusOK).shows("已下架")
	if strings.Contains(s.as("").get("/").body, done) {
		t.Error("it is still listed")
	}
}

func TestUploadedPicture(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, 600, 300))); err != nil {
		t.Fatal(err)
	}
	send := func(title string, content []byte, stored string) page {
		return ann.sendFile("/sell", map[string]string{"token": web.FormToken(), "title": title, "price": "1", "stock": "1", "stored": stored, "image": ""}, content)
	}
	send("Cup", []byte("<svg>"), "").is(http.StatusUnprocessableEntity).shows("图片须为")
	large := send("Cup", make([]byte, 50_000_000), "").is(http.StatusRequestEntityTooLarge)
	if large.byID("field-picture-error") == nil || attr(large.byID("field-title"), "value") != "Cup" {
		t.Error("a file that is too large does not come back with the form")
	}

	// The picture is kept while the rest of the form is put right.
	wrong := send("", file.Bytes(), "").is(http.StatusUnprocessableEntity)
	stored := attr(find(wrong.doc, func(n *html.Node) bool { return attr(n, "name") == "stored" })[0], "value")
	if !picture.Valid(stored) {
		t.Fatalf("the form keeps %q", stored)
	}
	product := s.as("").get(send("Cup", nil, stored).to())
	img := find(product.doc, func(n *html.Node) bool { return n.Data == "img" && attr(n, "alt") == "Cup" })
	if len(img) != 1 || attr(img[0], "src") != "/pictures/"+stored {
		t.Fatalf("the page shows %v", img)
	}
	for _, path := range []string{"/pictures/" + stored, "/pictures/" + picture.Sized(stored, picture.Small)} {
		p := s.as("").get(path).is(http.StatusOK)
		if p.header.Get("Content-Type") != "image/jpeg" || !strings.Contains(p.header.Get("Cache-Control"), "immutable") || p.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, p.header)
		}
	}
	s.as("").get("/pictures/x.jpg").is(http.StatusNotFound)
}

// A form that comes again with its token is done already only where its picture is the same: one
// that was chosen after an answer got lost would be forgotten.
func TestAnotherPictureIsAnotherForm(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	pngOf := func(side int) []byte {
		var file bytes.Buffer
		if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, side, side))); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	form := map[string]string{"token": web.FormToken(), "title": "Cup", "price": "1", "stock": "1"}
	product := ann.sendFile("/sell", form, pngOf(9)).to()
	if again := ann.sendFile("/sell", form, pngOf(9)).to(); again != product {
		t.Errorf("a double click makes %s and %s", product, again)
	}
	ann.sendFile("/sell", form, pngOf(8)).is(http.StatusUnprocessableEntity)

	form = map[string]string{"token": web.FormToken(), "title": "Cup", "price": "1", "stock": "1", "stock_seen": "1", "version": "1"}
	for range 2 {
		if to := ann.sendFile(product+"/edit", form, pngOf(7)).to(); to != product {
			t.Errorf("led to %q", to)
		}
	}
	ann.sendFile(product+"/edit", form, pngOf(6)).is(http.StatusPreconditionFailed)
}

func TestCartPages(t *testing.T) {
	s := open(t)
	ann, bob := s.as("ann"), s.as("bob")
	cup, pot := ann.sells("Cup", "3", "10"), s.as("cara").sells("Pot", "20", "1")

	list := bob.get("/?q=")
	if to := bob.submit(list, "add-"+cup, "quantity", "2").to(); to != "/?q=" {
		t.Errorf("led to %q, want back", to)
	}
	bob.submit(list, "add-"+cup, "quantity", "2").to() // a double click
	bob.get("/").shows("已将 2 件商品添加至购物车")
	if c := bob.jar[ui.CartCookie]; c == nil || c.Value != "2" {
		t.Errorf("the badge's cookie is %v", c)
	}
	bob.submit(list, "add-"+pot, "quantity", "5").to()

	cart := bob.get("/cart").is(http.StatusOK)
	for _, label := range []string{"购物车", "数量", "提交购买", "Cup", "Pot", "只剩 1 件", "¥6.00"} {
		cart.shows(label)
	}
	// What can't be bought is neither in the total nor in the order.
	ordered := find(cart.byID("checkout"), func(n *html.Node) bool { return attr(n, "name") == "product" })
	if len(ordered) != 1 || attr(ordered[0], "value") != cup {
		t.Errorf("the form orders %d products", len(ordered))
	}
	cart.shows("无法购买的商品不计入合计")
	cart.shows("从默认钱包付款")
	bob.get("/products/" + cup).shows("从默认钱包付款")

	if to := bob.post("/cart/items/"+pot, url.Values{"quantity": {"1"}}).to(); to != "/cart" {
		t.Errorf("led to %q", to)
	}
	bob.submit(cart, "checkout").is(http.StatusConflict).shows("购物车在你查看之后有变化")
	bob.post("/cart/items/"+pot, url.Values{"quantity": {"x"}}).is(http.StatusUnprocessableEntity).shows("1 到 999")

	order := bob.get(bob.submit(bob.get("/cart"), "checkout").to()).is(http.StatusOK)
	for _, label := range []string{"Cup", "Pot", "ann", "cara", "¥26.00"} {
		order.shows(label)
	}
	bob.get("/cart").shows("购物车是空的")
	if c := bob.jar[ui.CartCookie]; c.Value != "0" {
		t.Errorf("the badge's cookie is %v", c)
	}

	bob.submit(bob.get("/"), "add-"+cup).to()
	if err := s.shop.TakeDown(t.Context(), "usr_ann", shop.ProductID(cup)); err != nil {
		t.Fatal(err)
	}
	down := bob.get("/cart")
	if down.shows("已下架"); strings.Contains(text(down.byID("cart")), "更新") || !strings.Contains(text(down.byID("cart")), "删除") {
		t.Error("of what is no longer on sale more can be done than remove it")
	}
	bob.post("/cart/items/"+cup, url.Values{"quantity": {"x"}}).is(http.StatusUnprocessableEntity).shows("1 到 999")
}

// What the page was open for is sold out, or taken down, and has no form any more: what is
// wrong with the old one stands above everything.
func TestAddingIsRefusedWithoutAForm(t *testing.T) {
	s := open(t)
	ann, bob := s.as("ann"), s.as("bob")
	cup := ann.sells("Cup", "3", "1")
	old := bob.get("/products/" + cup)
	wrong := bob.submit(old, "add-"+cup, "quantity", "1000").is(http.StatusUnprocessableEntity)
	if wrong.byID("add-"+cup+"-error") == nil || len(wrong.alerts()) != 1 {
		t.Error("what is wrong doesn't stand beside its field")
	}
	old = bob.get("/products/" + cup)
	bob.submit(wrong, "add-"+cup, "quantity", "1").to()
	s.as("cara").submit(old, "buy-"+cup).to()
	refused := func(state string) {
		t.Helper()
		for lang, want := range map[string]string{"zh": "1 到 999", "en": "from 1 to 999"} {
			bob.jar[locale.Cookie] = &http.Cookie{Name: locale.Cookie, Value: lang}
			p := bob.submit(old, "add-"+cup, "quantity", "1000").is(http.StatusUnprocessableEntity)
			if a := p.alerts(); p.byID("add-"+cup) != nil || len(a) != 1 || !strings.Contains(text(a[0]), want) {
				t.Errorf("%s, %s: the page shows %s", state, lang, text(p.doc))
			}
		}
	}
	refused("sold out")
	if err := s.shop.TakeDown(t.Context(), "usr_ann", shop.ProductID(cup)); err != nil {
		t.Fatal(err)
	}
	refused("taken down")
}

func TestCartByHtmx(t *testing.T) {
	s := open(t)
	bob := s.as("bob")
	cup := s.as("ann").sells("Cup", "3", "10")
	list := bob.get("/")
	bob.htmx = true
	added := bob.submit(list, "add-"+cup, "quantity", "2").is(http.StatusOK)
	if strings.Contains(added.body, "<html") || added.byID("cart-badge") == nil || added.byID("flash") == nil {
		t.Errorf("the fragment is %s", added.body)
	}
	bob.submit(added, "add-"+cup).is(http.StatusOK) // with the new token: three now
	if n, err := s.shop.CartCount(t.Context(), "usr_bob"); n != 3 || err != nil {
		t.Errorf("%d pieces, %v; want 3", n, err)
	}
	refused := bob.submit(added, "add-"+cup, "quantity", "1000").is(http.StatusUnprocessableEntity)
	if refused.byID("add-"+cup+"-error") == nil {
		t.Errorf("the fragment is %s", refused.body)
	}
	changed := bob.post("/cart/items/"+cup, url.Values{"quantity": {"5"}}).is(http.StatusOK)
	if changed.shows("¥15.00"); changed.byID("cart") == nil || changed.byID("cart-badge") == nil || strings.Contains(changed.body, "<html") {
		t.Errorf("the fragment is %s", changed.body)
	}
	bob.post("/cart/items/"+cup+"/remove", nil).is(http.StatusOK).shows("购物车是空的")
}

func TestPayPages(t *testing.T) {
	s := open(t)
	bob := s.as("bob")
	cup := s.as("ann").sells("Cup", "3", "10")
	s.pay.Set(func(p *shoptest.Pay) { p.Poor = true })
	cashier := bob.submit(bob.get("/"), "buy-"+cup).to()
	if !strings.HasPrefix(cashier, "/pay/checkout/pay_") {
		t.Fatalf("led to %q, want the cashier", cashier)
	}
	oid := strings.TrimPrefix(cashier, "/pay/checkout/pay_")
	order := bob.get("/orders/" + oid).is(http.StatusOK)
	order.shows("等待付款")
	list := bob.get("/orders")
	list.shows("去付款")
	list.shows("付款截止时间")
	if to := bob.submit(order, "pay").to(); to != cashier {
		t.Errorf("led to %q", to)
	}
	if to := bob.get("/orders/" + oid + "/return").to(); to != "/orders/"+oid {
		t.Errorf("led to %q", to)
	}
	s.pay.Capture(oid, nil)
	bob.get("/orders/" + oid + "/return").to()
	paid := bob.get("/orders/" + oid)
	if paid.shows("购买成功"); paid.byID("pay") != nil || paid.byID("cancel") != nil {
		t.Error("a paid order can be paid or canceled")
	}
	s.as("cara").get("/orders/" + oid + "/return").is(http.StatusNotFound)

	// Canceled by a fragment.
	oid = strings.TrimPrefix(bob.submit(bob.get("/"), "buy-"+cup).to(), "/pay/checkout/pay_")
	order = bob.get("/orders/" + oid)
	bob.htmx = true
	canceled := bob.submit(order, "cancel").is(http.StatusOK)
	if canceled.shows("已取消"); canceled.byID("status") == nil || strings.Contains(canceled.body, "<html") {
		t.Errorf("the fragment is %s", canceled.body)
	}
	bob.htmx = false

	// Pay is away: the order stands, and the buyer is told.
	s.pay.Set(func(p *shoptest.Pay) { p.Poor, p.Before = false, rest.ErrNoReply })
	bob.get(bob.submit(bob.get("/"), "buy-"+cup).to()).shows("正在确认付款")
}

// The order is paid at the cashier in one tab and canceled in another. The buyer learns that it is
// paid, with a script and without.
func TestCancelingWhatIsPaid(t *testing.T) {
	s := open(t)
	bob := s.as("bob")
	cup := s.as("ann").sells("Cup", "3", "10")
	s.pay.Set(func(p *shoptest.Pay) { p.Poor = true })
	for _, htmx := range []bool{false, true} {
		oid := bob.submit(bob.get("/"), "buy-"+cup).to()[len("/pay/checkout/pay_"):]
		pending := bob.get("/orders/" + oid).is(http.StatusOK)
		s.pay.Capture(oid, nil)
		bob.htmx = htmx
		for _, what := range []string{"at first", "again"} {
			late := bob.submit(pending, "cancel").is(http.StatusConflict)
			status := late.byID("status")
			if status == nil {
				t.Fatalf("%s, htmx %t: there is no status on the page: %s", what, htmx, text(late.doc))
			}
			if late.shows("已付款"); len(late.alerts()) != 1 || late.byID("pay") != nil || late.byID("flash") == nil {
				t.Errorf("%s, htmx %t: the page shows %s", what, htmx, text(late.doc))
			}
			late.shows("订单现在的状态不允许这样做")
		}
		bob.htmx = false
	}
}

func TestHome(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	ann.sells("Cup", "3", "10")
	home := ann.get("/home").is(http.StatusOK)
	for _, label := range []string{"查看我的购物车", "查看历史购买记录", "查看我的钱包", "创建新的钱包并充值", "请输入充值金额", "注销当前用户", "Cup", "你还没有钱包"} {
		home.shows(label)
	}
	if to := ann.submit(home, "new-wallet", "name", "日常", "amount", "100").to(); to != "/home" {
		t.Errorf("led to %q", to)
	}
	home = ann.get("/home")
	home.shows("日常")
	home.shows("¥100.00")
	wrong := ann.submit(home, "new-wallet", "amount", "1e3").is(http.StatusUnprocessableEntity)
	if wrong.byID("field-amount-error") == nil {
		t.Error("the field does not say what is wrong")
	}
	s.pay.Set(func(p *shoptest.Pay) { p.Before = rest.ErrUnreachable })
	away := ann.get("/home").is(http.StatusOK)
	away.shows("钱包服务暂时不可用")
	away.shows("Cup")
	ann.submit(away, "new-wallet", "amount", "1").is(http.StatusServiceUnavailable)
	s.pay.Set(func(p *shoptest.Pay) { p.Before = payclient.ErrTopUpsOff })
	if off := ann.submit(home, "new-wallet", "name", "日常", "amount", "1").is(http.StatusForbidden); off.byID("new-wallet") == nil {
		t.Error("without top-ups the form is gone")
	}
	s.pay.Set(func(p *shoptest.Pay) { p.Before = nil })
	ann.submit(home, "new-wallet", "amount", "0").to()
	ann.get("/home").shows("余额为零")
	if to := s.as("").get("/home").to(); to != "/session/login" {
		t.Errorf("led to %q", to)
	}
}

func TestListGoesOn(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	for i := range 23 {
		ann.sells(fmt.Sprintf("Cup %02d", i), "3", "10")
	}
	ann.sells("100%", "1", "1")
	first := s.as("").get("/?q=cup")
	if n := len(first.tags("article")); n != 20 {
		t.Errorf("%d products, want 20", n)
	}
	more := first.byID("products-more")
	if more == nil {
		t.Fatal("the list does not go on")
	}
	second := s.as("").get(attr(more, "href"))
	if n := len(second.tags("article")); n != 3 || second.byID("products-more") != nil {
		t.Errorf("%d products on the second page, want 3 and the end", n)
	}
	second.shows("Cup 00")
	if n := len(s.as("").get("/?q=0%25").tags("article")); n != 1 {
		t.Errorf("a search for 0%% finds %d", n)
	}
	s.as("").get("/?q=" + url.QueryEscape("<script>")).is(http.StatusOK).shows("没有找到")
	s.as("").get("/?cursor=x").is(http.StatusUnprocessableEntity)
	s.as("").get("/products/prd_x").is(http.StatusNotFound)
	s.as("").get("/nothing").is(http.StatusNotFound)
}

// More sales wait to be sent than stand at the top of the first page: whoever goes on comes to
// all of them.
func TestEverySaleIsReached(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	cup := shop.ProductID(ann.sells("Cup", "3", "500"))
	unseen := map[string]bool{}
	for range mostToDo + 30 {
		o, err := s.shop.PlaceOrder(t.Context(), shop.Person{ID: "usr_bob", Name: "bob"}, shop.NewOrder{Items: []shop.Item{{Product: cup, Quantity: 1}}}, "")
		if err != nil {
			t.Fatal(err)
		}
		unseen[string(o.ID)] = true
	}
	for path, first := "/orders?role=seller", true; path != ""; first = false {
		list := ann.get(path).is(http.StatusOK)
		met := map[string]bool{}
		for _, a := range list.tags("article") {
			if met[attr(a, "id")] {
				t.Errorf("%s stands twice on %s", attr(a, "id"), path)
			}
			met[attr(a, "id")] = true
			delete(unseen, attr(a, "id"))
		}
		if first && len(met) != mostToDo {
			t.Errorf("%d sales on the first page, want %d", len(met), mostToDo)
		}
		path = ""
		if more := list.byID("orders-more"); more != nil {
			path = attr(more, "href")
		}
	}
	if len(unseen) > 0 {
		t.Errorf("%d of the sales stand on no page", len(unseen))
	}
}

// A page without entries ends its list too: htmx puts its pager in the place of the last one.
func TestAnEmptyListHasAnEnd(t *testing.T) {
	if open(t).as("ann").get("/orders?role=seller").byID("orders-pager") == nil {
		t.Error("no pager on an empty page")
	}
}
