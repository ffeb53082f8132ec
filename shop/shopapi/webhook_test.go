package shopapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/shopclient"
	"jishi/shop/shoptest"
)

var hookSecret = []byte("what pay and shop know")

// tell sends what pay says of an order, signed with a secret at a time, and gives the status.
func (s *server) tell(order string, secret []byte, at time.Time) int {
	s.t.Helper()
	body, err := json.Marshal(payclient.Event{Type: payclient.EventCaptured, Timestamp: at, Data: payclient.Payment{Order: order}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.post(body, secret, at)
}

func (s *server) post(body, secret []byte, at time.Time) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/webhooks/pay", strings.NewReader(string(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set(payclient.WebhookID, "evt_1")
	req.Header.Set(payclient.WebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(payclient.WebhookSignature, payclient.SignWebhook([][]byte{secret}, "evt_1", at, body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// An order stands for which pay could not be asked, however that failed.
func TestAnOrderStandsThatPayDidNotTake(t *testing.T) {
	s := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate))
	p, err := s.as("ann").AddProduct(t.Context(), shopclient.NewProduct{Title: "Cup", Price: money.Input{Amount: "3"}, Stock: 20}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []fault.Kind{fault.Busy, fault.Unknown, fault.Internal, fault.Limited} {
		s.pay.Set(func(x *shoptest.Pay) { x.Before = fault.New(kind, "test.failed", "It failed.") })
		o, err := s.as("bob").PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: p.ID, Quantity: 1}}}, "")
		if err != nil || o.State != string(shop.Pending) {
			t.Errorf("%v: got %s, %v; want an order that is pending", kind, o.State, err)
		}
	}
}

// What pay says is heard when it is pay who says so, now; saying it twice is harmless.
func TestWebhookOfPay(t *testing.T) {
	s := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate))
	p, err := s.as("ann").AddProduct(t.Context(), shopclient.NewProduct{Title: "Cup", Price: money.Input{Amount: "3"}, Stock: 20}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.pay.Set(func(x *shoptest.Pay) { x.Poor = true })
	_, err = s.as("bob").PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: p.ID, Quantity: 1}}}, "")
	if !errors.Is(err, shopclient.ErrUnpaid) {
		t.Fatal(err)
	}
	mine, err := s.as("bob").Orders(t.Context(), shopclient.Page{})
	if err != nil || len(mine.Items) != 1 {
		t.Fatalf("%d orders, %v", len(mine.Items), err)
	}
	order := mine.Items[0].ID
	s.pay.Capture(order, nil)
	for name, status := range map[string]int{
		"signed by somebody else": s.tell(order, []byte("guessed"), time.Now()),
		"an old one":              s.tell(order, hookSecret, time.Now().Add(-time.Hour)),
	} {
		if status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", name, status)
		}
	}
	if o, err := s.as("bob").Order(t.Context(), order); err != nil || o.State != shopclient.Pending {
		t.Fatalf("it is %s, %v", o.State, err)
	}
	for range 2 {
		if status := s.tell(order, hookSecret, time.Now()); status != http.StatusNoContent {
			t.Errorf("got %d, want 204", status)
		}
	}
	if o, err := s.as("bob").Order(t.Context(), order); err != nil || o.State != shopclient.Paid {
		t.Errorf("it is %s, %v", o.State, err)
	}
	s.pay.Set(func(x *shoptest.Pay) { x.Before = errors.New("away") })
	if status := s.tell("ord_unknown", hookSecret, time.Now()); status != http.StatusNoContent {
		t.Errorf("of an order that there isn't: %d", status)
	}
}

// Anybody can send to the address, so what is longer than any event isn't read.
func TestWebhooksAreShort(t *testing.T) {
	s := serve(t, dbtest.Open(t, dbtest.SQLite(t), shop.Migrate))
	event := []byte(`{"data":{"order":"ord_unknown"}}`)
	for length, want := range map[int]int{maxEvent: http.StatusNoContent, maxEvent + 1: http.StatusRequestEntityTooLarge} {
		body := append(slices.Clone(event), bytes.Repeat([]byte(" "), length-len(event))...)
		if status := s.post(body, hookSecret, time.Now()); status != want {
			t.Errorf("%d bytes: %d, want %d", length, status, want)
		}
	}
}
