package shopapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
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
	"jishi/kit/web/webtest"
	"jishi/ledger"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

const base = "http://shop.test"

type userKey struct{}

// server is the API over a real socket, in front of a pay that does as it is told. The
// bearer token is the user's name.
type server struct {
	t    *testing.T
	url  string
	shop *shop.Service
	pay  *shoptest.Pay
}

func serve(t *testing.T, db *database.DB) *server {
	t.Helper()
	pictures, err := picture.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pictures.Close() })
	pay := shoptest.NewPay()
	s := shop.New(shop.Config{
		DB: db, Ledger: ledger.New(db, time.Now), Jobs: job.New(db, time.Now), Pictures: pictures,
		Payer: pay, Payments: pay, Currency: money.CNY, PayTime: time.Hour, Terms: shop.DefaultTerms, Now: time.Now, Operators: []authclient.UserID{"usr_olga"},
	})
	mux := http.NewServeMux()
	Routes(mux, Config{Shop: s, BaseURL: base, Webhooks: [][]byte{hookSecret}, User: func(ctx context.Context) shop.Person {
		name, _ := ctx.Value(userKey{}).(string)
		if name == "" {
			return shop.Person{}
		}
		return shop.Person{ID: authclient.UserID("usr_" + name), Name: name}
	}})
	front := httptest.NewServer(webtest.Documented(t, mux, "/api/openapi.json", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimSpace(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer"))
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, name)))
	})))
	t.Cleanup(front.Close)
	return &server{t, front.URL, s, pay}
}

func (s *server) as(name string) *shopclient.Client {
	return shopclient.New(s.url, rest.Bearer(http.DefaultClient, func(context.Context) (string, error) { return name, nil }))
}

func (s *server) call(method, path, user, body string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+user)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var doc map[string]any
	_ = json.Unmarshal(b, &doc)
	return res.StatusCode, doc
}

// The whole way of a product and an order, by the client that others use.
func TestClient(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, db *database.DB) {
		s, ctx := serve(t, db), t.Context()
		ann, bob, nobody := s.as("ann"), s.as("bob"), s.as("")

		in := shopclient.NewProduct{Title: "Teapot", Price: money.Input{Amount: "12.5"}, Stock: 3}
		p, err := ann.AddProduct(ctx, in, "k1")
		if err != nil || p.Price != (money.Amount{Minor: 1250, Currency: money.CNY}) || p.Seller.Name != "ann" || p.Version != 1 || !p.Listed {
			t.Fatalf("got %+v, %v", p, err)
		}
		if again, err := ann.AddProduct(ctx, in, "k1"); err != nil || again.ID != p.ID {
			t.Errorf("the same key: %+v, %v", again, err)
		}
		in.Title = "Cup"
		if _, err := ann.AddProduct(ctx, in, "k1"); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("the key for something else: %v", err)
		}

		title := "Pot"
		if _, err := ann.ChangeProduct(ctx, p.ID, 7, shopclient.ProductChange{Title: &title}, ""); !errors.Is(err, shopclient.ErrStale) {
			t.Errorf("an old version: %v", err)
		}
		if _, err := bob.ChangeProduct(ctx, p.ID, 1, shopclient.ProductChange{Title: &title}, ""); !errors.Is(err, shopclient.ErrNotSeller) {
			t.Errorf("somebody else's: %v", err)
		}
		for range 2 {
			p, err = ann.ChangeProduct(ctx, p.ID, 1, shopclient.ProductChange{Title: &title, Price: money.InputOf(money.Amount{Minor: 1300, Currency: money.CNY})}, "c1")
			if err != nil || p.Title != "Pot" || p.Price.Minor != 1300 || p.Version != 2 {
				t.Fatalf("got %+v, %v", p, err)
			}
		}
		if _, err := ann.ChangeProduct(ctx, p.ID, 1, shopclient.ProductChange{Title: &title}, "c1"); !errors.Is(err, database.ErrMismatch) {
			t.Errorf("the key for another change: %v", err)
		}
		list, err := nobody.Products(ctx, "po", "usr_ann", shopclient.Page{Limit: 1})
		if err != nil || len(list.Items) != 1 || list.Next != "" {
			t.Errorf("list %+v, %v", list, err)
		}

		order := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: p.ID, Quantity: 2, Price: money.InputOf(p.Price)}}}
		o, err := bob.PlaceOrder(ctx, order, "o1")
		if err != nil || o.State != shopclient.Paid || o.Total.Minor != 2600 || o.PaidAt == nil || o.Items[0].Title != "Pot" {
			t.Fatalf("got %+v, %v", o, err)
		}
		if again, err := bob.PlaceOrder(ctx, order, "o1"); err != nil || again.ID != o.ID {
			t.Errorf("the same key: %+v, %v", again, err)
		}
		_, err = bob.PlaceOrder(ctx, order, "o2")
		if f := fault.Of(err); !errors.Is(err, shopclient.ErrSoldOut) || f.Extra["product"] != p.ID || f.Extra["available"] != 1.0 {
			t.Errorf("sold out: %v %v", err, f.Extra)
		}
		order.Items[0].Price = &money.Input{Amount: "12.50"}
		if _, err := bob.PlaceOrder(ctx, order, ""); !errors.Is(err, shopclient.ErrPriceChanged) {
			t.Errorf("another price: %v", err)
		}
		if _, err := s.as("cara").Order(ctx, o.ID); !errors.Is(err, shopclient.ErrNoOrder) {
			t.Errorf("somebody else's order: %v", err)
		}
		if sales, err := ann.Sales(ctx, shopclient.Page{}); err != nil || len(sales.Items) != 1 || sales.Items[0].Buyer.Name != "bob" {
			t.Errorf("sales %+v, %v", sales, err)
		}
		if _, err := bob.Cancel(ctx, o.ID); !errors.Is(err, shopclient.ErrWrongState) {
			t.Errorf("cancel what is paid: %v", err)
		}
		if err := ann.TakeDown(ctx, p.ID); err != nil {
			t.Error(err)
		}
		if p, err := nobody.Product(ctx, p.ID); err != nil || p.Listed {
			t.Errorf("taken down: %+v, %v", p, err)
		}
		for name, err := range map[string]error{
			"cart":   second(nobody.Cart(ctx)),
			"orders": second(nobody.Orders(ctx, shopclient.Page{})),
			"sell":   second(nobody.AddProduct(ctx, in, "")),
			"buy":    second(nobody.PlaceOrder(ctx, order, "")),
		} {
			if !errors.Is(err, fault.ErrUnauthenticated) {
				t.Errorf("%s without a token: %v", name, err)
			}
		}
	}, shop.Migrate)
}

func second[T any](_ T, err error) error { return err }

func TestUnpaidOrder(t *testing.T) {
	s, ctx := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate)), t.Context()
	p, err := s.as("ann").AddProduct(ctx, shopclient.NewProduct{Title: "Cup", Price: money.Input{Amount: "3"}, Stock: 9}, "")
	if err != nil {
		t.Fatal(err)
	}
	bob := s.as("bob")
	if c, err := bob.SetCartItem(ctx, p.ID, 2); err != nil || c.Total.Minor != 600 || !c.Items[0].Available {
		t.Fatalf("cart %+v, %v", c, err)
	}
	s.pay.Set(func(p *shoptest.Pay) { p.Poor = true })
	status, doc := s.call("POST", "/api/v1/orders", "bob", `{"cart":true}`)
	oid, _ := doc["order"].(string)
	missing, _ := doc["missing"].(map[string]any)
	if status != http.StatusPaymentRequired || oid == "" || missing["amount"] != "6.00" || doc["checkout_url"] == "" || doc["code"] != "shop.unpaid" {
		t.Fatalf("%d %v", status, doc)
	}
	if o, err := bob.Order(ctx, oid); err != nil || o.State != shopclient.Pending {
		t.Errorf("the order %+v, %v", o, err)
	}
	if c, err := bob.Cart(ctx); err != nil || len(c.Items) != 0 {
		t.Errorf("the cart %+v, %v", c, err)
	}
	if _, err := bob.Pay(ctx, oid, ""); !errors.Is(err, shopclient.ErrUnpaid) {
		t.Errorf("pay without money: %v", err)
	}
	s.pay.Set(func(p *shoptest.Pay) { p.Poor = false })
	if status, doc := s.call("POST", "/api/v1/orders/"+oid+"/pay", "bob", ""); status != http.StatusOK || doc["state"] != "paid" {
		t.Errorf("pay: %d %v", status, doc)
	}

	// Pay's answer gets lost: the order stands.
	s.pay.Set(func(p *shoptest.Pay) { p.After = rest.ErrNoReply })
	status, doc = s.call("POST", "/api/v1/orders", "bob", `{"items":[{"product":"`+p.ID+`","quantity":1}]}`)
	if status != http.StatusCreated || doc["state"] != "pending" {
		t.Errorf("%d %v", status, doc)
	}
}

func TestShapes(t *testing.T) {
	s := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate))
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		field  string
	}{
		"a decimal":           {`{"title":"a","price":"1.50","stock":1}`, 201, "", ""},
		"an amount":           {`{"title":"a","price":{"amount":"1.50","currency":"CNY"},"stock":1}`, 201, "", ""},
		"another currency":    {`{"title":"a","price":{"amount":"1.50","currency":"USD"},"stock":1}`, 422, "money.currency", "price"},
		"a number":            {`{"title":"a","price":1.5,"stock":1}`, 422, "request.invalid", "price"},
		"no price":            {`{"title":"a","stock":1}`, 422, "request.invalid", "price"},
		"a title of nothing":  {`{"title":" ","price":"1","stock":1}`, 422, "shop.title", "title"},
		"half a piece":        {`{"title":"a","price":"1","stock":1.5}`, 422, "request.invalid", "stock"},
		"no JSON":             {`{`, 400, "request.malformed", ""},
		"an unknown member":   {`{"title":"a","price":"1","stock":1,"x":1}`, 422, "request.invalid", "x"},
		"a negative quantity": {`{"title":"a","price":"1","stock":-1}`, 422, "shop.stock", "stock"},
	} {
		status, doc := s.call("POST", "/api/v1/products", "ann", c.body)
		if code, _ := doc["code"].(string); status != c.status || code != c.code {
			t.Errorf("%s: %d %v, want %d %s", name, status, doc, c.status, c.code)
		}
		if field, _ := doc["field"].(string); field != c.field {
			t.Errorf("%s: field %q, want %q", name, field, c.field)
		}
	}
}

func TestPictureUpload(t *testing.T) {
	s, ctx := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate)), t.Context()
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	send := func(user string, content []byte) (int, shopclient.Picture) {
		req, err := http.NewRequestWithContext(ctx, "POST", s.url+"/api/v1/pictures", bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "image/png")
		if user != "" {
			req.Header.Set("Authorization", "Bearer "+user)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var p shopclient.Picture
		_ = json.NewDecoder(res.Body).Decode(&p)
		return res.StatusCode, p
	}
	if status, _ := send("", file.Bytes()); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := send("ann", []byte("<svg>")); status != http.StatusUnprocessableEntity {
		t.Errorf("no picture: %d", status)
	}
	if status, _ := send("ann", make([]byte, picture.MaxBytes+2048)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", status)
	}
	status, pic := send("ann", file.Bytes())
	if status != http.StatusCreated || pic.URL != base+"/pictures/"+pic.Name {
		t.Fatalf("%d %+v", status, pic)
	}
	for _, image := range []string{pic.Name, pic.URL} { // both ways to name it
		p, err := s.as("ann").AddProduct(ctx, shopclient.NewProduct{Title: "Cup", Image: image, Price: money.Input{Amount: "1"}}, "")
		if err != nil || p.Image != pic.URL {
			t.Errorf("%s: %+v, %v", image, p, err)
		}
	}
}

// What the seller's and the buyer's pages can do beside the above: one's own products with
// what was taken down, and more of the same into the cart.
func TestOwnProductsAndMoreInTheCart(t *testing.T) {
	s, ctx := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate)), t.Context()
	ann, bob := s.as("ann"), s.as("bob")
	var ids []string
	for _, title := range []string{"Cup", "Pot", "Tray"} {
		p, err := ann.AddProduct(ctx, shopclient.NewProduct{Title: title, Price: money.Input{Amount: "3"}, Stock: 9}, "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	if err := ann.TakeDown(ctx, ids[1]); err != nil {
		t.Fatal(err)
	}
	var seen []string
	page := shopclient.Page{Limit: 2}
	for {
		list, err := ann.OwnProducts(ctx, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			seen = append(seen, p.ID)
			if p.Listed != (p.ID != ids[1]) {
				t.Errorf("%s listed: %t", p.Title, p.Listed)
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	if want := []string{ids[2], ids[1], ids[0]}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	if list, err := bob.OwnProducts(ctx, page); err != nil || len(list.Items) != 0 {
		t.Errorf("another's: %+v, %v", list, err)
	}
	if _, err := s.as("").OwnProducts(ctx, page); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("nobody's: %v", err)
	}

	add := shopclient.NewCartItem{Product: ids[0], Quantity: 2, Price: money.InputOf(money.Amount{Minor: 300, Currency: money.CNY})}
	for range 2 {
		if _, err := bob.AddToCart(ctx, add, "twice"); err != nil {
			t.Fatal(err)
		}
	}
	c, err := bob.AddToCart(ctx, add, "")
	if err != nil || len(c.Items) != 1 || c.Items[0].Quantity != 4 || c.Total.Minor != 1200 {
		t.Errorf("cart %+v, %v", c, err)
	}
	if _, err := bob.AddToCart(ctx, shopclient.NewCartItem{Product: ids[1], Quantity: 1}, ""); !errors.Is(err, shopclient.ErrNoProduct) {
		t.Errorf("taken down: %v", err)
	}
	add.Quantity = 0
	if _, err := bob.AddToCart(ctx, add, ""); !errors.Is(err, shopclient.ErrQuantity) {
		t.Errorf("none: %v", err)
	}
}

func TestDocument(t *testing.T) {
	mux := http.NewServeMux()
	Routes(mux, Config{})
	webtest.Committed(t, mux, "/api/openapi.json", "../../docs/openapi/shop.json")
}
