package outage_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"jishi/kit/fault"
	"jishi/shop/shopclient"
	"jishi/tests/browser"
	"jishi/tests/harness"
	"jishi/tests/site"
)

const buyer = "13900139000"

// seen is a script that tells whether somebody who looks at the page sees what was said in it last.
const seen = `(said => {
	const box = said.getBoundingClientRect();
	return box.top >= 0 && box.bottom <= innerHeight && said.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
})(document.querySelector("#flash [role=alert]"))`

// A page that is open while the database is away, or while a proxy answers in the market's place, keeps
// what stands on it, and goes on when they are back.
func TestAPageOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	server := harness.NewServer(t)
	m := harness.Start(t, harness.Config{Databases: databases(t, server)})
	teapot := m.Register(t, "13800138000", "seller").Offer(t, "青花茶壶", "45", 50)
	p := m.Register(t, buyer, "王小明")
	_, err := p.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: teapot.ID, Quantity: 1}}}, "")
	order, _ := fault.Of(err).Extra["order"].(string)
	if !errors.Is(err, shopclient.ErrUnpaid) || order == "" {
		t.Fatalf("got %v, want %v", err, shopclient.ErrUnpaid)
	}
	b := browser.Open(t, browser.Config{Script: true, Language: "zh-CN", Width: 375})
	b.Go(m.Shop + site.HomePath)
	b.Fill(site.Field(site.LoginForm, "identifier"), buyer)
	b.Fill(site.Field(site.LoginForm, "password"), harness.Password)
	b.Follow(site.Submit(site.LoginForm))
	b.At(site.HomePath)

	// The page of an order that waits for money: two looks fail, the third is kept until all is well.
	var looks atomic.Int64
	well := make(chan struct{})
	b.Go(m.Behind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/status") && looks.Add(1) == 3 {
				<-well
			}
			next.ServeHTTP(w, r)
		})
	}) + "/orders/" + order)
	b.See(site.OrderStatus, "等待付款")
	b.Expect(http.StatusServiceUnavailable)
	b.Expect(http.StatusServiceUnavailable)
	server.Kill(t)
	harness.Eventually(t, patience, func() error {
		if n := looks.Load(); n < 3 {
			return fmt.Errorf("the page has looked %d times", n)
		}
		return nil
	})
	b.See(site.OrderStatus, "¥45.00")
	b.See(site.OrderPay, "")
	b.See(site.OrderCancel, "")
	if said := b.Text(site.Flash); said != "" {
		t.Errorf("a look that failed says %q", said)
	}
	server.Start(t)
	p.OpenWallet(t, "100")
	if _, err := p.Shop.Pay(t.Context(), order, ""); err != nil {
		t.Fatal(err)
	}
	close(well)
	b.See(site.OrderStatus, "已付款")
	b.Gone(site.OrderCancel)

	// The list and the cart: what failed is said, and can be tried again.
	refused := func(status int64, try func()) {
		t.Helper()
		b.Expect(status)
		try()
		b.See(site.Flash, "暂时不可用")
		if !browser.Ask[bool](b, seen) {
			t.Error("what went wrong stands where nobody sees it")
		}
	}
	add := func() { b.Click(site.Submit(site.Add(teapot.ID))) }
	more := func() { b.Click(site.Quantity(teapot.ID)); b.Press(browser.KeyUp) }
	b.Go(m.Shop + site.ProductsPath)
	server.Kill(t)
	refused(http.StatusServiceUnavailable, add)
	server.Start(t)
	add()
	b.See(site.CartBadge, "1")
	b.Gone("#flash [role=alert]")

	b.Go(m.Shop + site.CartPath)
	server.Kill(t)
	refused(http.StatusServiceUnavailable, more)
	b.See(site.Line(teapot.ID), "青花茶壶")
	server.Start(t)
	more()
	b.See(site.Cart, "¥135.00")
	b.Gone("#flash [role=alert]")

	// A proxy's own page takes the place of nothing, as one that the market sends with the same status
	// does.
	var sent atomic.Int64
	b.Go(m.Behind(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			if sent.Add(1) == 1 {
				answer.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(answer, "<html><head><title>502</title></head><body><h1>502 Bad Gateway</h1></body></html>")
			} else {
				next.ServeHTTP(answer, r)
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write(answer.Body.Bytes())
		})
	}) + site.CartPath)
	b.Expect(http.StatusBadGateway)
	b.Expect(http.StatusBadGateway)
	more()
	more() // waits for the answer to the first
	b.See(site.Cart, "¥225.00")
	b.Problems()
}
