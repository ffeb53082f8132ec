// Package hostile_test sends one market what nobody in their right mind sends: each line of
// the list of input that must get a clear answer is a case here, on the pages and on REST
// where there are both. After each case, what was there before must still be there, and
// nothing else; at the end the market must add up.
package hostile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	sellerName = "seller@example.com"
	buyerName  = "13800138000"
)

// house is the market, with a seller of a product and a buyer with a wallet.
type house struct {
	*harness.Market
	seller, buyer *harness.Person
	product       shopclient.Product
	wallet        payclient.Wallet
	order         shopclient.Order // of the buyer, paid
	program       *http.Client
	short         string // a token of the buyer's that lives for a second

	third, fourth, fifth *harness.Person // made when they are needed
	thirds               *browser
}

func TestInput(t *testing.T) { inputs(t, open(t, harness.Config{})) }

// What databases make of a text differs most in the other one.
func TestInputOnMariaDB(t *testing.T) {
	if !dbtest.Long() {
		t.Skip("the long form tries it on MariaDB too: TEST_LONG=1")
	}
	inputs(t, open(t, harness.Config{MariaDB: true}))
}

// inputs is the list. The cases share the market, and run one after the other.
func inputs(t *testing.T, h *house) {
	for _, c := range []struct {
		name string
		try  func(*house, *testing.T)
	}{
		{"a phone number or e-mail address that is taken or none", (*house).identifiers},
		{"passwords that differ, are shorter than 8 or longer than 256", (*house).passwords},
		{"a wrong password is answered as an unknown user is", (*house).wrongPassword},
		{"amounts that are none", (*house).amounts},
		{"an amount in a currency that is not offered", (*house).currencies},
		{"quantities that are none, or more than there is", (*house).quantities},
		{"titles of spaces, or too long", (*house).titles},
		{"titles with markup, emoji and marks for right-to-left", (*house).strangeTitles},
		{"files that are no pictures, or too large", (*house).files},
		{"an animated picture", (*house).animation},
		{"somebody else's wallet", (*house).othersWallet},
		{"somebody else's cart", (*house).othersCart},
		{"somebody else's order", (*house).othersOrder},
		{"somebody else's product", (*house).othersProduct},
		{"ids of the wrong kind", (*house).wrongIDs},
		{"JSON that is malformed, deep, huge or has unknown fields", (*house).documents},
		{"a wrong content type", (*house).media},
		{"bodies without end", (*house).endless},
		{"slow bodies", (*house).slow},
		{"tokens that are forged, or for somebody else", (*house).tokens},
		{"the same form sent twice", (*house).twice},
		{"a form from another site", (*house).anotherSite},
		{"a path with dots", (*house).dots},
		{"a Host header of another site", (*house).anotherHost},
		{"return addresses that lead away", (*house).returns},
		{"NUL and broken UTF-8 in every text", (*house).noText},
		{"values that are far too long in every field of every form", (*house).tooLong},
		{"1,000 requests a second from one address at login", (*house).flood},
		{"a token that has expired", (*house).expired},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.everything(t)
			c.try(h, t)
			if after := h.everything(t); before != after {
				t.Errorf("something changed: %s", cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")))
			}
		})
	}
}

func open(t *testing.T, c harness.Config) *house {
	c.Flags = []string{"--trusted-proxies", "127.0.0.0/8"}
	h := &house{
		Market:  harness.Start(t, c),
		program: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	h.seller = h.Register(t, sellerName, "Seller")
	h.buyer = h.Register(t, buyerName, "Buyer")
	h.product = h.seller.Offer(t, "Teapot", "12.00", 5)
	h.wallet = h.buyer.OpenWallet(t, "1000.00")
	o, err := h.buyer.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: h.product.ID, Quantity: 1}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	h.order = o
	if _, err := h.buyer.Shop.SetCartItem(t.Context(), h.product.ID, 2); err != nil {
		t.Fatal(err)
	}
	h.short = h.fetchToken(t, "--life", "1s")
	return h
}

// everything is what the buyer and the seller have: money, goods, carts and orders.
func (h *house) everything(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, p := range []*harness.Person{h.seller, h.buyer} {
		for _, path := range []string{"/auth/api/v1/me", "/pay/api/v1/wallets", "/api/v1/cart", "/api/v1/orders", "/api/v1/orders?role=seller"} {
			a := h.call(t, p.Token, http.MethodGet, path, "")
			if a.status != http.StatusOK {
				t.Fatalf("read %s: %d %s", path, a.status, a.body)
			}
			b.WriteString(path + " " + a.body + "\n")
		}
	}
	b.WriteString(h.call(t, "", http.MethodGet, "/api/v1/products?limit=100", "").body)
	b.WriteString(h.call(t, h.buyer.Token, http.MethodGet, "/pay/api/v1/wallets/"+h.wallet.ID+"/entries", "").body)
	return b.String()
}

// answer is an answer to a program.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a program's request; more are names and values of headers.
func (h *house) call(t testing.TB, token, method, path, body string, more ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.Shop+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	return h.do(t, req)
}

func (h *house) do(t testing.TB, req *http.Request) answer {
	t.Helper()
	res, err := h.program.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(bytes.TrimSpace(b))}
}

// refuses says that an answer is a problem document with that status and field; "" is
// no field.
func (a answer) refuses(t testing.TB, what string, status int, field string) {
	t.Helper()
	f := fault.Decode(a.status, []byte(a.body))
	if a.status != status || f.Field != field || a.header.Get("Content-Type") != fault.ContentType || strings.HasPrefix(f.Code, "http.") {
		t.Errorf("%.80s: got %d %s %.300s, want a problem %d of field %q", what, a.status, a.header.Get("Content-Type"), a.body, status, field)
	}
}

// field is the input that a refusal names.
func (a answer) field() string { return fault.Decode(a.status, []byte(a.body)).Field }

// quoted is a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // never: it is a string
	}
	return string(b)
}

// isRefusal tells whether a client's call was refused with that status.
func isRefusal(err error, kind fault.Kind) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Kind == kind
}
