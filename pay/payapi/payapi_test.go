package payapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/kit/web"
	"jishi/kit/web/webtest"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payapi"
	"jishi/pay/payclient"
)

type callerKey struct{}

// identified reads a token "user client" as what it says: a fake of what stands before
// the API in a market.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		user, client, _ := strings.Cut(token, " ")
		c := pay.Caller{User: authclient.UserID(user), Merchant: client}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func caller(ctx context.Context) pay.Caller {
	c, _ := ctx.Value(callerKey{}).(pay.Caller)
	return c
}

// api is the API on a database.
func api(t testing.TB, db *database.DB) http.Handler {
	t.Helper()
	s := pay.New(pay.Config{
		DB: db, Ledger: ledger.New(db, time.Now), Jobs: job.New(db, time.Now), Now: time.Now, Currency: money.CNY, Provider: pay.Sandbox{},
		BaseURL: "http://pay.test",
	})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := s.Check(context.Background(), func(invariant, id, found string) {
			t.Errorf("invariant %s: %s: %s", invariant, id, found)
		})
		if err != nil {
			t.Error(err)
		}
	})
	mux := http.NewServeMux()
	payapi.Routes(mux, s, caller)
	return webtest.Documented(t, mux, "/pay/api/openapi.json", identified(mux))
}

// as is a client with a token of that user and client.
func as(base string, hc *http.Client, user, client string) *payclient.Client {
	return payclient.New(base, rest.Bearer(hc, func(context.Context) (string, error) { return user + " " + client, nil }))
}

func cny(minor int64) money.Amount { return money.Amount{Minor: minor, Currency: money.CNY} }

// The client meets the real server, over memory and over a socket, with the same results.
func TestTheClientMeetsTheServer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		h := api(t, db)
		server := httptest.NewServer(h)
		defer server.Close()
		t.Run("memory", func(t *testing.T) {
			story(t, "http://pay.local", &http.Client{Transport: web.Local{Handler: h}}, "1")
		})
		t.Run("socket", func(t *testing.T) { story(t, server.URL, server.Client(), "2") })
	}, pay.Migrate)
}

func story(t *testing.T, base string, hc *http.Client, run string) {
	ctx := t.Context()
	buyer, shop := as(base, hc, "usr_buyer"+run, "shop"), as(base, hc, "", "shop")
	stranger := as(base, hc, "usr_stranger"+run, "shop")
	in := payclient.NewPayment{Order: "ord_" + run, Parties: []payclient.Party{{Payee: "usr_seller", Amount: cny(1200)}}}

	_, err := buyer.Create(ctx, in)
	short, ok := payclient.ShortageOf(err)
	if !errors.Is(err, payclient.ErrNoWallet) || !ok || short.Missing != cny(1200) || short.CheckoutURL == "" {
		t.Fatalf("without a wallet: %+v, %v", short, err)
	}
	w, err := buyer.CreateWallet(ctx, payclient.NewWallet{Name: "菜", Amount: "5"}, "key")
	if err != nil || w.Balance != cny(500) || w.Available != cny(500) || !w.Default || len(w.Number) != 19 || w.CreatedAt.IsZero() {
		t.Fatalf("%+v, %v", w, err)
	}
	if again, err := buyer.CreateWallet(ctx, payclient.NewWallet{Name: "菜", Amount: "5"}, "key"); err != nil || again.ID != w.ID {
		t.Errorf("the same key: %+v, %v", again, err)
	}
	_, err = buyer.Create(ctx, in)
	if short, ok = payclient.ShortageOf(err); !errors.Is(err, payclient.ErrInsufficient) || !ok || short.Missing != cny(700) || short.Available != cny(500) {
		t.Fatalf("too little: %+v, %v", short, err)
	}
	for range 2 {
		top, err := buyer.CreateTopUp(ctx, payclient.NewTopUp{Wallet: w.ID, Amount: "10.00"}, "key")
		if err != nil || top.State != payclient.Succeeded || top.Amount != cny(1000) {
			t.Fatalf("%+v, %v", top, err)
		}
	}
	p, err := buyer.Create(ctx, in)
	if err != nil || p.State != payclient.Captured || p.ID != short.Payment || p.Captured != cny(1200) || p.Wallet != w.ID ||
		len(p.Parties) != 1 || p.Parties[0].Payee != "usr_seller" || p.Parties[0].Amount != cny(1200) || p.Parties[0].Captured != cny(1200) || p.SettledAt == nil || p.Merchant != "shop" {
		t.Fatalf("%+v, %v", p, err)
	}
	for who, c := range map[string]*payclient.Client{"buyer": buyer, "shop": shop} {
		one, err1 := c.Payment(ctx, p.ID)
		two, err2 := c.PaymentOf(ctx, in.Order)
		closed, err3 := c.Close(ctx, in.Order)
		if err := errors.Join(err1, err2, err3); err != nil || one.ID != p.ID || two.ID != p.ID || closed.State != payclient.Captured {
			t.Errorf("%s: %v", who, err)
		}
	}
	if _, err := stranger.Payment(ctx, p.ID); !errors.Is(err, payclient.ErrNoPayment) {
		t.Errorf("a stranger: %v", err)
	}
	in.Parties[0].Amount = cny(1201)
	if _, err := buyer.Create(ctx, in); !errors.Is(err, payclient.ErrMismatch) {
		t.Errorf("other content: %v", err)
	}
	if c, err := shop.Close(ctx, "never_"+run); err != nil || c.State != payclient.Closed {
		t.Errorf("%+v, %v", c, err)
	}
	in.Order = "never_" + run
	if _, err := buyer.Create(ctx, in); !errors.Is(err, payclient.ErrClosed) {
		t.Errorf("too late: %v", err)
	}
	name := "Groceries"
	if w, err = buyer.ChangeWallet(ctx, w.ID, payclient.WalletChange{Name: &name}); err != nil || w.Name != name || w.Balance != cny(300) {
		t.Errorf("%+v, %v", w, err)
	}
	if one, err := buyer.Wallet(ctx, w.ID); err != nil || one != w {
		t.Errorf("%+v, %v", one, err)
	}
	if _, err := stranger.Wallet(ctx, w.ID); !errors.Is(err, payclient.ErrNotFound) {
		t.Errorf("a stranger: %v", err)
	}
	lists(t, buyer, w)
}

// lists pages through wallets and entries one by one.
func lists(t *testing.T, buyer *payclient.Client, w payclient.Wallet) {
	t.Helper()
	ctx := t.Context()
	if _, err := buyer.CreateWallet(ctx, payclient.NewWallet{}, ""); err != nil {
		t.Fatal(err)
	}
	first, err1 := buyer.Wallets(ctx, payclient.Page{Limit: 1})
	second, err2 := buyer.Wallets(ctx, payclient.Page{Limit: 1, Cursor: first.Next})
	if errors.Join(err1, err2) != nil || len(first.Items) != 1 || first.Items[0] != w || len(second.Items) != 1 || second.Next != "" {
		t.Errorf("%+v, %v; %+v, %v", first, err1, second, err2)
	}
	e, err := buyer.Entries(ctx, w.ID, payclient.Page{Limit: 1})
	if err != nil || len(e.Items) != 1 || e.Next == "" || e.Items[0].Kind != "payment" || e.Items[0].Amount != cny(-1200) || e.Items[0].Balance != cny(300) || e.Items[0].Order == "" {
		t.Errorf("%+v, %v", e, err)
	}
	for at, want := range map[time.Time]money.Amount{time.Now().Add(-time.Hour): cny(0), time.Now().Add(time.Hour): cny(300)} {
		if b, err := buyer.BalanceAt(ctx, w.ID, at); err != nil || b.Balance != want || b.Available != want || !b.At.Equal(at) {
			t.Errorf("at %s: %+v, %v; want %v", at, b, err, want)
		}
	}
	if _, err := buyer.Entries(ctx, w.ID, payclient.Page{Cursor: "nonsense"}); fault.Of(err).Code != "page.cursor" {
		t.Errorf("%v", err)
	}
}

// What programs send that don't use our client.
func TestBodiesAndAnswers(t *testing.T) {
	db := dbtest.Open(t, dbtest.SQLite(t), pay.Migrate)
	h := api(t, db)
	call := func(token, method, path, body string) (int, map[string]any) {
		t.Helper()
		r := httptest.NewRequest(method, "/pay/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var doc map[string]any
		if err := json.NewDecoder(w.Body).Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		return w.Code, doc
	}
	const me = "usr_me cli"
	_, wallet := call(me, "POST", "/wallets", `{"amount":{"amount":"20.00","currency":"CNY"}}`)
	id := fmt.Sprint(wallet["id"])

	for _, c := range []struct {
		name, token, method, path, body string
		status                          int
		code, field                     string
	}{
		{"nobody", "", "GET", "/wallets", "", 401, "unauthenticated", ""},
		{"a service has no wallets", " shop", "GET", "/wallets", "", 403, "forbidden", ""},
		{"a wallet without a body", me, "POST", "/wallets", "", 201, "", ""},
		{"another currency", me, "POST", "/wallets", `{"currency":"USD"}`, 422, "pay.currency", "currency"},
		{"an amount as text", me, "POST", "/topups", `{"wallet":"` + id + `","amount":"1.5"}`, 201, "", ""},
		{"an amount as an object", me, "POST", "/topups", `{"wallet":"` + id + `","amount":{"amount":"1","currency":"CNY"}}`, 201, "", ""},
		{"an amount in another currency", me, "POST", "/topups", `{"wallet":"` + id + `","amount":{"amount":"1","currency":"USD"}}`, 422, "money.currency", "amount"},
		{"an amount as a number", me, "POST", "/topups", `{"wallet":"` + id + `","amount":1.5}`, 422, "request.invalid", "amount"},
		{"too many decimals", me, "POST", "/topups", `{"wallet":"` + id + `","amount":"1.555"}`, 422, "money.malformed", "amount"},
		{"a negative amount", me, "POST", "/topups", `{"wallet":"` + id + `","amount":"-1"}`, 422, "money.malformed", "amount"},
		{"nothing", me, "POST", "/topups", `{"wallet":"` + id + `","amount":"0"}`, 422, "pay.topup_range", "amount"},
		{"too much", me, "POST", "/topups", `{"wallet":"` + id + `","amount":"1000000.01"}`, 422, "pay.topup_range", "amount"},
		{"somebody else's wallet", "usr_other cli", "POST", "/topups", `{"wallet":"` + id + `","amount":"1"}`, 404, "pay.wallet_not_found", "wallet"},
		{"no such wallet", me, "GET", "/wallets/wal_nonsense", "", 404, "pay.wallet_not_found", "wallet"},
		{"default can't be taken away", me, "PATCH", "/wallets/" + id, `{"default":false}`, 422, "request.invalid", "default"},
		{"no parties", me, "POST", "/payments", `{"order":"o1","parties":[]}`, 422, "request.invalid", "parties"},
		{"paid", me, "POST", "/payments", `{"order":"o1","parties":[{"payee":"usr_s","amount":"2.00"}]}`, 201, "", ""},
		{"too little", me, "POST", "/payments", `{"order":"o2","parties":[{"payee":"usr_s","amount":"200"}]}`, 402, "pay.insufficient", ""},
		{"a service pays", " shop", "POST", "/payments", `{"order":"o3","parties":[{"payee":"usr_s","amount":"2.00"}]}`, 403, "forbidden", ""},
		{"closed", me, "POST", "/orders/o2/close", ``, 200, "", ""},
		{"closed already", me, "POST", "/payments", `{"order":"o2","parties":[{"payee":"usr_s","amount":"200"}]}`, 409, "pay.closed", ""},
		{"no such payment", me, "GET", "/payments?order=o9", "", 404, "pay.no_payment", ""},
	} {
		status, doc := call(c.token, c.method, c.path, c.body)
		code, _ := doc["code"].(string)
		field, _ := doc["field"].(string)
		if status != c.status || code != c.code || field != c.field {
			t.Errorf("%s: %d %s %s, want %d %s %s: %v", c.name, status, code, field, c.status, c.code, c.field, doc)
		}
	}
	if _, doc := call(me, "POST", "/payments", `{"order":"o4","parties":[{"payee":"usr_s","amount":"200"}]}`); doc["payment"] == nil ||
		fmt.Sprint(doc["missing"]) != "map[amount:179.50 currency:CNY]" || fmt.Sprint(doc["available"]) != "map[amount:20.50 currency:CNY]" {
		t.Errorf("%v", doc)
	}
}

// The cashier's page over REST: what a payment can be paid from, paying it from a wallet
// that is chosen, and top-ups as they come in.
func TestTheCashier(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		server := httptest.NewServer(api(t, db))
		defer server.Close()
		ctx, hc := t.Context(), server.Client()
		buyer, stranger := as(server.URL, hc, "usr_buyer", "shop"), as(server.URL, hc, "usr_stranger", "shop")

		terms, err := buyer.Terms(ctx)
		if err != nil || terms.Currency != "CNY" || !terms.TopUps.On || !terms.TopUps.Play || terms.TopUps.Min.Minor < 1 || terms.TopUps.Max.Minor <= terms.TopUps.Min.Minor {
			t.Errorf("terms %+v, %v", terms, err)
		}
		small, err1 := buyer.CreateWallet(ctx, payclient.NewWallet{Name: "small", Amount: "1"}, "")
		large, err2 := buyer.CreateWallet(ctx, payclient.NewWallet{Name: "large", Amount: "7"}, "")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		_, err = buyer.Create(ctx, payclient.NewPayment{Order: "ord_1", Parties: []payclient.Party{{Payee: "usr_seller", Amount: cny(800)}}})
		short, ok := payclient.ShortageOf(err)
		if !ok {
			t.Fatal(err)
		}
		c, err := buyer.Checkout(ctx, short.Payment)
		if err != nil || c.Enough || c.Missing != cny(100) || len(c.Choices) != 2 || c.Payment.State != payclient.Open {
			t.Fatalf("checkout %+v, %v", c, err)
		}
		if _, err := stranger.Checkout(ctx, short.Payment); !errors.Is(err, payclient.ErrNoPayment) {
			t.Errorf("a stranger at the cashier: %v", err)
		}
		if _, err := buyer.Pay(ctx, short.Payment, payclient.Source{Wallet: large.ID}); !errors.Is(err, payclient.ErrInsufficient) {
			t.Errorf("too little: %v", err)
		}
		top, err := buyer.CreateTopUp(ctx, payclient.NewTopUp{Wallet: large.ID, Amount: "1"}, "")
		if err != nil {
			t.Fatal(err)
		}
		if same, err := buyer.TopUp(ctx, top.ID); err != nil || same != top {
			t.Errorf("top-up %+v, %v; want %+v", same, err, top)
		}
		if _, err := stranger.TopUp(ctx, top.ID); !errors.Is(err, payclient.ErrNoTopUp) {
			t.Errorf("a stranger's top-up: %v", err)
		}
		if _, err := stranger.TopUps(ctx, large.ID, payclient.Page{}); !errors.Is(err, payclient.ErrNotFound) {
			t.Errorf("a stranger's list: %v", err)
		}
		first, err := buyer.TopUps(ctx, large.ID, payclient.Page{Limit: 1})
		if err != nil || len(first.Items) != 1 || first.Items[0] != top || first.Next == "" {
			t.Fatalf("first page %+v, %v", first, err)
		}
		rest, err := buyer.TopUps(ctx, large.ID, payclient.Page{Limit: 1, Cursor: first.Next})
		if err != nil || len(rest.Items) != 1 || rest.Items[0].Amount != cny(700) || rest.Next != "" {
			t.Errorf("last page %+v, %v", rest, err)
		}
		if _, err := buyer.Pay(ctx, short.Payment, payclient.Source{}); !errors.Is(err, payclient.ErrInsufficient) {
			t.Errorf("from the default one, %s: %v", small.Name, err)
		}
		if _, err := stranger.Pay(ctx, short.Payment, payclient.Source{}); !errors.Is(err, payclient.ErrNoPayment) {
			t.Errorf("a stranger pays: %v", err)
		}
		for range 2 {
			p, err := buyer.Pay(ctx, short.Payment, payclient.Source{Wallet: large.ID})
			if err != nil || p.State != payclient.Captured || p.Wallet != large.ID {
				t.Errorf("pay: %+v, %v", p, err)
			}
		}
		if c, err := buyer.Checkout(ctx, short.Payment); err != nil || len(c.Choices) != 0 || c.Payment.State != payclient.Captured {
			t.Errorf("afterwards %+v, %v", c, err)
		}
	}, pay.Migrate)
}

func TestTheDocument(t *testing.T) {
	mux := http.NewServeMux()
	payapi.Routes(mux, nil, nil)
	webtest.Committed(t, mux, "/pay/api/openapi.json", "../../docs/openapi/pay.json")
}
