package app

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"jishi/conf"
	"jishi/kit/fault"
	"jishi/shop/picture"
)

// calls are those of the APIs that take a body. The ids are of things that exist.
var calls = []struct{ method, path, body string }{
	{http.MethodPost, "/auth/api/v1/users", `{"identifier":"a@b.example","password":"good enough","name":"A"}`},
	{http.MethodPost, "/pay/api/v1/wallets", `{"name":"Groceries","currency":"CNY","amount":"12.00"}`},
	{http.MethodPatch, "/pay/api/v1/wallets/{wallet}", `{"name":"Holiday","default":true}`},
	{http.MethodPost, "/pay/api/v1/topups", `{"wallet":"{wallet}","amount":{"amount":"12.00","currency":"CNY"}}`},
	{http.MethodPost, "/pay/api/v1/payments", `{"order":"o1","parties":[{"payee":"usr_1","amount":{"amount":"1.00","currency":"CNY"}}],"wallet":"{wallet}","expires_at":"2030-01-01T00:00:00Z"}`},
	{http.MethodPost, "/pay/api/v1/payments/close", `{"order":"o2"}`},
	{http.MethodPost, "/api/v1/products", `{"title":"Teapot","description":"two\nlines","image":"https://x.example/y","price":"12.00","stock":3}`},
	{http.MethodPatch, "/api/v1/products/{product}", `{"title":"Pot","price":{"amount":"1.00","currency":"CNY"},"stock":5,"stock_seen":3}`},
	{http.MethodPut, "/api/v1/cart/items/{product}", `{"quantity":2}`},
	{http.MethodPost, "/api/v1/orders", `{"items":[{"product":"{product}","quantity":1,"price":"12.00"}],"cart":false,"wallet":"{wallet}"}`},
	{http.MethodPost, "/api/v1/orders/ord_0/pay", `{"wallet":"{wallet}"}`},
}

// A body is done, or refused with a problem document: nothing that anybody can write is a
// failure of ours.
func FuzzBodies(f *testing.F) {
	m := openForOne(f)
	things := strings.NewReplacer("{wallet}", m.wallet, "{product}", m.product)
	for i, c := range calls {
		f.Add(uint8(i), []byte(things.Replace(c.body)))
		for _, body := range []string{
			"", "null", "[]", "{", `{"x":1}`, strings.Repeat("[", 10_001), `{"items":[null]}`, `{"parties":[{}]}`, `{"quantity":1e400}`, `{"amount":{"amount":null}}`,
			`{"title":"\u0000"}`, "{\"title\":\"\xff\"}", `{"title":"\ud800","price":"1","stock":1}`, `{"amount":-0}`, `{"price":["1"]}`, `{"wallet":{}}`, `{"expires_at":"0000-00-00T00:00:00Z"}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, call uint8, body []byte) {
		c := calls[int(call)%len(calls)]
		a := m.send(c.method, things.Replace(c.path), string(body))
		if a.Code < 300 {
			if a.Body.Len() > 0 && !json.Valid(a.Body.Bytes()) {
				t.Errorf("%s %s %q: got %d %q", c.method, c.path, body, a.Code, a.Body)
			}
			return
		}
		var doc struct {
			Type, Title, Detail, Code string
			Status                    int
		}
		if err := json.Unmarshal(a.Body.Bytes(), &doc); err != nil || a.Code < 400 || a.Code >= 500 || a.Header().Get("Content-Type") != fault.ContentType || doc.Status != a.Code || doc.Type == "" || doc.Detail == "" {
			t.Errorf("%s %s %q: got %d %q", c.method, c.path, body, a.Code, a.Body)
		}
	})
}

// one is a market with one user, who sells and buys.
type one struct {
	*Market
	token, wallet, product string
}

func openForOne(t testing.TB, flags ...string) *one {
	t.Helper()
	var c conf.Config
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append(flags, "--data", t.TempDir())); err != nil {
		t.Fatal(err)
	}
	m, err := Open(t.Context(), &c, conf.Modules, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	x := &one{Market: m}
	x.must(t, "/auth/api/v1/users", `{"identifier":"fuzz@example.com","password":"good enough"}`)
	if x.token, err = Token(t.Context(), &c, "fuzz@example.com", conf.Modules, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	x.wallet = x.must(t, "/pay/api/v1/wallets", `{"amount":"1000000.00"}`)
	x.product = x.must(t, "/api/v1/products", `{"title":"Teapot","price":"12.00","stock":1000000}`)
	return x
}

func (x *one) send(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Encoding", "identity")
	if x.token != "" {
		r.Header.Set("Authorization", "Bearer "+x.token)
	}
	w := httptest.NewRecorder()
	x.Handler.ServeHTTP(w, r)
	return w
}

// must makes something and gives its id.
func (x *one) must(t testing.TB, path, body string) string {
	t.Helper()
	w := x.send(http.MethodPost, path, body)
	var made struct{ ID string }
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || w.Code != http.StatusCreated {
		t.Fatalf("%s: got %d %s", path, w.Code, w.Body)
	}
	return made.ID
}

// counted is a body that tells how often somebody wanted to read it.
type counted struct {
	io.Reader
	reads int
}

func (c *counted) Read(b []byte) (int, error) {
	c.reads++
	return c.Reader.Read(b)
}

// What nobody sends, to a call that somebody has to make, isn't read: a file could be large, and
// its sender slow. Without a token one may read products and register.
func TestNothingOfNobodysIsRead(t *testing.T) {
	m := openForOne(t)
	files, open := 0, []string(nil)
	for _, document := range []string{"/auth/api/openapi.json", "/pay/api/openapi.json", "/api/openapi.json"} {
		var d struct {
			Paths map[string]map[string]struct {
				Security    []map[string][]string
				RequestBody struct{ Content map[string]any }
			}
		}
		if err := json.Unmarshal(m.send(http.MethodGet, document, "").Body.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		for path, calls := range d.Paths {
			for method, call := range calls {
				if len(call.Security) == 0 {
					open = append(open, method+" "+path)
					continue
				}
				if len(call.RequestBody.Content) == 0 {
					call.RequestBody.Content = map[string]any{"": nil}
				}
				for media := range call.RequestBody.Content {
					if strings.HasPrefix(media, "image/") {
						files++
					}
					body := &counted{Reader: strings.NewReader("{}")}
					r := httptest.NewRequest(strings.ToUpper(method), path, body)
					r.Header.Set("Content-Type", media)
					w := httptest.NewRecorder()
					m.Handler.ServeHTTP(w, r)
					if f := fault.Decode(w.Code, w.Body.Bytes()); !errors.Is(f, fault.ErrUnauthenticated) || w.Header().Get("WWW-Authenticate") == "" {
						t.Errorf("%s %s as %s: got %d %s", method, path, media, w.Code, w.Body)
					}
					if body.reads > 0 {
						t.Errorf("%s %s as %s: it is read", method, path, media)
					}
				}
			}
		}
	}
	slices.Sort(open)
	if want := []string{"get /api/v1/products", "get /api/v1/products/{id}", "post /auth/api/v1/users"}; !slices.Equal(open, want) {
		t.Errorf("nobody may call %q, want %q", open, want)
	}
	if files == 0 {
		t.Error("no call takes a file")
	}
}

// How much of a file is read doesn't depend on what it calls itself.
func TestFilesOfAnyName(t *testing.T) {
	m := openForOne(t)
	for _, media := range []string{"image/png", "application/octet-stream", "application/json", "text/plain", "multipart/form-data; boundary=x", "nonsense", ""} {
		for size, want := range map[int]string{2 << 20: picture.ErrFormat.Code, picture.MaxBytes + 1: picture.ErrTooLarge.Code, 10 << 20: "request.too_large"} {
			r := httptest.NewRequest(http.MethodPost, "/api/v1/pictures", strings.NewReader(strings.Repeat("x", size)))
			r.Header.Set("Content-Type", media)
			r.Header.Set("Authorization", "Bearer "+m.token)
			w := httptest.NewRecorder()
			m.Handler.ServeHTTP(w, r)
			if f := fault.Decode(w.Code, w.Body.Bytes()); f.Code != want {
				t.Errorf("%d bytes as %q: got %d %s, want %s", size, media, w.Code, w.Body, want)
			}
		}
	}
}
