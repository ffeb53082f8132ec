package payweb_test

import (
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payclient"
	"jishi/pay/payweb"
)

const alice = authclient.UserID("usr_alice")

type userKey struct{}

func userOf(ctx context.Context) authclient.UserID {
	u, _ := ctx.Value(userKey{}).(authclient.UserID)
	return u
}

// site is the pages on a database, with a reader whose name stands in a header.
type site struct {
	*pay.Service
	handler http.Handler
	db      *database.DB
	now     time.Time
	cookies []*http.Cookie // of the last answer
}

func newSite(t *testing.T, provider pay.Provider) *site {
	t.Helper()
	s := &site{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	db := dbtest.Open(t, dbtest.SQLite(t), pay.Migrate)
	s.db = db
	s.Service = pay.New(pay.Config{
		DB: db, Ledger: ledger.New(db, now), Jobs: job.New(db, now), Now: now, Currency: money.CNY, Provider: provider,
		BaseURL: "http://pay.test", Returns: map[string]string{"shop": "http://shop.test/orders/{order}/return"},
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	bundle, err := locale.New(ui.Locales, payweb.Locales)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	payweb.Routes(mux, payweb.Config{Pay: s.Service, User: userOf, Login: func(h http.Handler) http.Handler { return h }})
	mux.Handle("/", web.NotFound(mux))
	user := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := authclient.UserID(r.Header.Get("X-User"))
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, u)))
	})
	flashes := web.Flashes(web.NewSealer([][]byte{web.NewSecret()}), web.Cookies{})
	s.handler = bundle.Middleware(ui.Middleware(ui.Site{})(flashes(user)))
	t.Cleanup(func() {
		_, err := s.Check(context.Background(), func(invariant, id, found string) {
			t.Errorf("invariant %s: %s: %s", invariant, id, found)
		})
		if err != nil {
			t.Error(err)
		}
	})
	return s
}

// page is an answer.
type page struct {
	status   int
	location string
	doc      *html.Node
}

func (s *site) do(t *testing.T, user authclient.UserID, method, path string, form url.Values) page {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("X-User", string(user))
	r.Header.Set("Accept-Language", "en")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range s.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	s.cookies = w.Result().Cookies()
	doc, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{w.Code, w.Header().Get("Location"), doc}
}

func (s *site) get(t *testing.T, path string) page {
	t.Helper()
	p := s.do(t, alice, http.MethodGet, path, nil)
	if p.status != http.StatusOK {
		t.Fatalf("GET %s: %d: %s", path, p.status, text(p.doc))
	}
	if n := len(p.all("h1")); n != 1 {
		t.Errorf("GET %s: %d h1", path, n)
	}
	return p
}

// all are the elements of "tag", "tag.class", "tag#id" or "tag[name]"; the tag may be left out.
func (p page) all(selector string) []*html.Node {
	i := strings.IndexAny(selector+".", ".#[")
	tag, kind, value := selector[:i], "", ""
	if i < len(selector) {
		kind, value = selector[i:i+1], strings.TrimSuffix(selector[i+1:], "]")
	}
	var found []*html.Node
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode || (tag != "" && n.Data != tag) {
			continue
		}
		if kind == "" || kind == "#" && attr(n, "id") == value || kind == "[" && attr(n, "name") == value ||
			kind == "." && strings.Contains(" "+attr(n, "class")+" ", " "+value+" ") {
			found = append(found, n)
		}
	}
	return found
}

// one is the text of the only element of a selector.
func (p page) one(t *testing.T, selector string) string {
	t.Helper()
	found := p.all(selector)
	if len(found) != 1 {
		t.Fatalf("%d of %s in %s", len(found), selector, text(p.doc))
	}
	return text(found[0])
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// form is what a browser would send of the form with that action, as it is shown.
func (p page) form(t *testing.T, action string) url.Values {
	t.Helper()
	for _, f := range p.all("form") {
		if attr(f, "action") != action {
			continue
		}
		v := url.Values{}
		for n := range f.Descendants() {
			name := attr(n, "name")
			switch {
			case n.Data == "input" && attr(n, "type") == "radio" && !has(n, "checked"):
			case n.Data == "input" && name != "":
				v.Set(name, attr(n, "value"))
			case n.Data == "option" && has(n, "selected"):
				v.Set(attr(n.Parent, "name"), attr(n, "value"))
			}
		}
		if len(v.Get(web.TokenField)) != 26 {
			t.Errorf("form %s has no token", action)
		}
		return v
	}
	t.Fatalf("no form %s in %s", action, text(p.doc))
	return nil
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func (s *site) purse(t *testing.T) pay.Purse {
	t.Helper()
	p, err := s.Purse(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTexts(t *testing.T) {
	localetest.Check(t, payweb.Locales, localetest.Sources{
		Dirs: []string{".", "..", "../payclient"}, Shared: []fs.FS{ui.Locales},
		Dynamic: []string{"pay.flash.topup.", "pay.flash.paid.", "pay.checkout.settled.", "pay.entry.kind."},
	})
}

func TestAWalletIsCreatedAndToppedUp(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	p := s.get(t, "/pay/")
	if len(p.all("article.wallet")) != 0 || !strings.Contains(p.one(t, "p.play-money"), "play money") {
		t.Error("empty state")
	}
	form := p.form(t, "/pay/wallets")
	form.Set("name", "Groceries")
	form.Set("amount", "12.5")
	for range 2 { // a double click
		if p = s.do(t, alice, "POST", "/pay/wallets", form); p.status != 303 || p.location != "/pay/" {
			t.Fatalf("%d to %q", p.status, p.location)
		}
	}
	w := s.purse(t).Wallets
	if len(w) != 1 {
		t.Fatalf("%d wallets", len(w))
	}
	p = s.get(t, "/pay/")
	if p.one(t, "dd.balance") != "¥12.50" || p.one(t, "dd.number") != w[0].Number || p.one(t, "strong#total") != "¥12.50" {
		t.Error(text(p.doc))
	}

	statement := "/pay/wallets/" + string(w[0].ID)
	form = s.get(t, statement).form(t, "/pay/topup")
	form.Set("amount", "7.50")
	for range 2 {
		if p = s.do(t, alice, "POST", "/pay/topup", form); p.status != 303 || p.location != statement {
			t.Fatalf("%d to %q", p.status, p.location)
		}
	}
	p = s.get(t, statement)
	if rows := p.all("tr.entry"); len(rows) != 2 || !strings.Contains(text(rows[0]), "+¥7.50 ¥20.00") {
		t.Errorf("entries: %s", text(p.doc))
	}

	form.Set("amount", "8.00") // back, and another amount in the same form
	p = s.do(t, alice, "POST", "/pay/topup", form)
	if p.status != 422 || p.form(t, "/pay/topup").Get(web.TokenField) == form.Get(web.TokenField) || s.purse(t).Total.Minor != 2000 {
		t.Errorf("%d: %s", p.status, text(p.doc))
	}
}

// While nothing can be written a form comes back as it was sent, and once there is room it
// tops up once.
func TestATopUpOutlivesAFullDisk(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	form := s.get(t, "/pay/").form(t, "/pay/wallets")
	form.Set("name", "Groceries")
	s.do(t, alice, "POST", "/pay/wallets", form)
	dbtest.LimitPages(t, s.db, 0)
	var p page
	for i := 0; p.status != http.StatusServiceUnavailable; i++ { // until there is no room beside other rows
		if i == 300 {
			t.Fatal("the disk is never full")
		}
		form = s.get(t, "/pay/topup").form(t, "/pay/topup")
		form.Set("amount", "7.50")
		p = s.do(t, alice, "POST", "/pay/topup", form)
	}
	again := p.form(t, "/pay/topup")
	if again.Get("amount") != "7.50" || again.Get(web.TokenField) != form.Get(web.TokenField) || !strings.Contains(p.one(t, "div.alert"), "no room left") {
		t.Errorf("the form came back as %v: %s", again, text(p.doc))
	}
	had := s.purse(t).Total.Minor
	dbtest.LimitPages(t, s.db, -1)
	for range 2 {
		if p = s.do(t, alice, "POST", "/pay/topup", again); p.status != http.StatusSeeOther {
			t.Fatalf("%d: %s", p.status, text(p.doc))
		}
	}
	if has := s.purse(t).Total.Minor; has != had+750 {
		t.Errorf("%d after %d", has, had)
	}
}

func TestFormsSayWhatIsWrong(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	form := s.get(t, "/pay/").form(t, "/pay/wallets")
	form.Set("name", strings.Repeat("x", 41))
	form.Set("amount", "1000000.01")
	p := s.do(t, alice, "POST", "/pay/wallets", form)
	if p.status != 422 || p.one(t, "#new-wallet-name-error") == "" || !strings.Contains(p.one(t, "#new-wallet-amount-error"), "¥1,000,000.00") {
		t.Errorf("%d: %s", p.status, text(p.doc))
	}
	if again := p.form(t, "/pay/wallets"); again.Get("amount") != "1000000.01" || again.Get(web.TokenField) != form.Get(web.TokenField) {
		t.Errorf("the form forgot: %v", again)
	}
	form.Set("amount", "12,50")
	if p = s.do(t, alice, "POST", "/pay/wallets", form); p.status != 422 || p.one(t, "#new-wallet-amount-error") == "" {
		t.Errorf("%d", p.status)
	}
	form.Del(web.TokenField)
	if p = s.do(t, alice, "POST", "/pay/wallets", form); p.status != 400 {
		t.Errorf("without a token: %d", p.status)
	}
}

// A change of language on the page of a refused form, which stands at the address that takes the
// form, comes back to the page that it was on.
func TestARefusedFormIsComeBackTo(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{}, "")
	if err != nil {
		t.Fatal(err)
	}
	at := "/pay/wallets/" + string(w.ID)
	for action, want := range map[string]string{"/pay/wallets": "/pay/", at + "/name": at} {
		form := s.get(t, want).form(t, action)
		form.Set("name", strings.Repeat("x", 41))
		p := s.do(t, alice, "POST", action, form)
		back := p.all("[return]")
		if p.status != 422 || len(back) == 0 {
			t.Fatalf("%s: %d: %s", action, p.status, text(p.doc))
		}
		if p := s.do(t, alice, "GET", attr(back[0], "value"), nil); p.status != 303 || p.location != want {
			t.Errorf("%s: comes back to %d %q, want 303 %s", action, p.status, p.location, want)
		}
	}
}

// On a phone the entries come after the balance, before all forms.
func TestAStatementBeginsWithItsEntries(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 100}, "")
	if err != nil {
		t.Fatal(err)
	}
	var heads []string
	for _, h := range s.get(t, "/pay/wallets/"+string(w.ID)).all("h2") {
		heads = append(heads, text(h))
	}
	if want := []string{"Balance", "Statement", "Top up", "Download statement", "Settings"}; !slices.Equal(heads, want) {
		t.Errorf("got %q, want %q", heads, want)
	}
}

func TestSettingsOfAWallet(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	for range 2 {
		if _, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{}, ""); err != nil {
			t.Fatal(err)
		}
	}
	at := "/pay/wallets/" + string(s.purse(t).Wallets[1].ID)
	p := s.get(t, at)
	form := p.form(t, at+"/name")
	form.Set("name", "Second")
	if p := s.do(t, alice, "POST", at+"/name", form); p.status != 303 || p.location != at {
		t.Errorf("%d to %q", p.status, p.location)
	}
	if p := s.do(t, alice, "POST", at+"/default", p.form(t, at+"/default")); p.status != 303 || p.location != at {
		t.Errorf("%d to %q", p.status, p.location)
	}
	if w := s.purse(t).Wallets[1]; w.Name != "Second" || !w.Default {
		t.Errorf("%+v", w)
	}
	if p = s.get(t, at); len(p.all("form.make-default")) != 0 || p.one(t, "h1") != "Second" {
		t.Error(text(p.doc))
	}
	form.Set("name", strings.Repeat("x", 41))
	if p := s.do(t, alice, "POST", at+"/name", form); p.status != 422 || p.one(t, "#field-name-error") == "" {
		t.Errorf("%d: %s", p.status, text(p.doc))
	}
}

// charge asks for 3.00 and gives the cashier's path.
func (s *site) charge(t *testing.T, order string) string {
	t.Helper()
	_, err := s.Charge(t.Context(), pay.Caller{User: alice, Merchant: "shop"}, pay.NewPayment{
		Order: order, Parties: []pay.Party{{Payee: "usr_seller", Amount: 300}},
	})
	short, ok := payclient.ShortageOf(err)
	if !ok {
		t.Fatal(err)
	}
	return strings.TrimPrefix(short.CheckoutURL, "http://pay.test")
}

// From a payment without a wallet to a paid order, with what the pages offer.
func TestTheWayThroughTheCashier(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	cashier := s.charge(t, "ord_1")
	p := s.get(t, cashier)
	if text(p.all("h2")[0]) != "To pay" || p.one(t, "p#amount") != "¥3.00" || !strings.Contains(p.one(t, "div#matter"), "¥3.00") || len(p.all("form#pay")) != 0 {
		t.Error(text(p.doc))
	}
	form := p.form(t, "/pay/wallets")
	if form.Get("amount") != "3.00" {
		t.Errorf("prefilled with %q", form.Get("amount"))
	}
	form.Set("amount", "1")
	if p = s.do(t, alice, "POST", "/pay/wallets", form); p.location != cashier {
		t.Fatalf("%d to %q", p.status, p.location)
	}

	p = s.get(t, cashier)
	form = p.form(t, "/pay/topup")
	if len(p.all("div.choice")) != 1 || len(p.all("button")) == 0 || form.Get("amount") != "2.00" || form.Get("wallet") == "" {
		t.Errorf("%v: %s", form, text(p.doc))
	}
	early := p.form(t, cashier)
	early.Set("wallet", form.Get("wallet"))
	if p = s.do(t, alice, "POST", cashier, early); p.status != 402 || !strings.Contains(p.one(t, "div#matter"), "¥2.00") {
		t.Errorf("too early: %d: %s", p.status, text(p.doc))
	}
	if p = s.do(t, alice, "POST", "/pay/topup", form); p.location != cashier {
		t.Fatalf("%d to %q: %s", p.status, p.location, text(p.doc))
	}

	p = s.get(t, cashier)
	form = p.form(t, cashier)
	for range 2 {
		if p = s.do(t, alice, "POST", cashier, form); p.status != 303 || p.location != "http://shop.test/orders/ord_1/return" {
			t.Fatalf("%d to %q", p.status, p.location)
		}
	}
	if got := s.purse(t).Total.Minor; got != 0 {
		t.Errorf("%d left", got)
	}
	p = s.get(t, cashier)
	if text(p.all("h2")[0]) != "Amount" || p.one(t, "div#matter") != "This is paid." || len(p.all("form#pay")) != 0 || attr(p.all("a#back")[0], "href") != "http://shop.test/orders/ord_1/return" {
		t.Error(text(p.doc))
	}
}

// One is taken back by the top-up page too, and nowhere else than to this origin.
func TestTheTopUpPageLeadsBack(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	if _, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{}, ""); err != nil {
		t.Fatal(err)
	}
	cashier := s.charge(t, "ord_1")
	link := ""
	for _, a := range s.get(t, cashier).all("a") {
		if strings.HasPrefix(attr(a, "href"), "/pay/topup") {
			link = attr(a, "href")
		}
	}
	form := s.get(t, link).form(t, "/pay/topup")
	if form.Get("amount") != "3.00" || form.Get("return") != cashier {
		t.Errorf("%s: %v", link, form)
	}
	for _, to := range []string{"//evil.test", "https://evil.test", `/\evil.test`} {
		form.Set("return", to)
		form.Set(web.TokenField, web.FormToken())
		if p := s.do(t, alice, "POST", "/pay/topup", form); !strings.HasPrefix(p.location, "/pay/wallets/") {
			t.Errorf("%s leads to %q", to, p.location)
		}
	}
}

func TestPaymentsThatCantBePaid(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	closed, late := s.charge(t, "ord_1"), s.charge(t, "ord_2")
	w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 1000}, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CloseOrder(t.Context(), pay.Caller{Merchant: "shop"}, "ord_1"); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(time.Hour)
	for path, says := range map[string]string{closed: "closed", late: "time to pay"} {
		p := s.get(t, path)
		if !strings.Contains(p.one(t, "div#matter"), says) || len(p.all("a#back")) != 1 || len(p.all("form#pay")) != 0 {
			t.Errorf("%s: %s", says, text(p.doc))
		}
		p = s.do(t, alice, "POST", path, url.Values{"token": {web.FormToken()}, "wallet": {string(w.ID)}})
		if p.status != 409 || !strings.Contains(p.one(t, "div#matter"), says) {
			t.Errorf("%s: %d: %s", says, p.status, text(p.doc))
		}
	}
	if s.purse(t).Total.Minor != 1000 {
		t.Error("money moved")
	}
}

func TestWhatIsOthersIsNotThere(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	cashier := s.charge(t, "ord_1")
	w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 1000}, "")
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"token": {web.FormToken()}, "wallet": {string(w.ID)}, "amount": {"1"}, "name": {"mine"}}
	at := "/pay/wallets/" + string(w.ID)
	for _, c := range []struct{ method, path string }{
		{"GET", at}, {"POST", at + "/name"}, {"POST", at + "/default"}, {"POST", "/pay/topup"}, {"GET", cashier}, {"POST", cashier},
	} {
		if p := s.do(t, "usr_bob", c.method, c.path, form); p.status != 404 {
			t.Errorf("%s %s: %d", c.method, c.path, p.status)
		}
	}
}

func TestTopUpsAreOff(t *testing.T) {
	s := newSite(t, nil)
	if _, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{}, ""); err != nil {
		t.Fatal(err)
	}
	p := s.get(t, "/pay/topup")
	if len(p.all("form.topup")) != 0 || !strings.Contains(p.one(t, "div.alert"), "can't be topped up") {
		t.Error(text(p.doc))
	}
	if p = s.get(t, "/pay/"); len(p.all("input[amount]")) != 0 {
		t.Error("the new wallet's form asks for an amount")
	}
}

// The labels of the original are found again.
func TestChineseLabels(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	cashier := s.charge(t, "ord_1")
	for path, labels := range map[string][]string{
		"/pay/": {"创建新的钱包并充值", "请输入充值金额"},
		cashier: {"账户余额不足，请充值或者创建钱包", "点击创建新的钱包"},
	} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("X-User", string(alice))
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		for _, l := range labels {
			if !strings.Contains(w.Body.String(), l) {
				t.Errorf("%s lacks %s", path, l)
			}
		}
	}
}
