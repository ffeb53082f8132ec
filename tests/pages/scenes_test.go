package pages_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/browser"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// act is what one person sees of a market.
type act struct {
	market *harness.Market
	as     string // who is logged in, "" for nobody
	scenes []scene
}

// scene is a page in a certain state.
type scene struct {
	name    string
	address string
	status  int64              // that some request on the way is answered with, if it is 400 or more
	then    func(*browser.Tab) // what is done on the page before it is looked at, or nil
}

// People of the furnished market.
const (
	seller   = "seller@example.com"
	buyer    = "13800138000"
	newcomer = "newcomer@example.com"
	operator = "operator@example.com"
)

// furnish makes a market in which every page has something to show, beside one in which
// none has.
func furnish(t *testing.T) []act {
	empty := harness.Start(t, harness.Config{})
	full := harness.Start(t, harness.Config{Flags: []string{"--order-deadline", "1h"}}) // what is unpaid is looked at last, and is of what there is plenty of
	empty.Register(t, newcomer, "小新")
	full.Register(t, newcomer, "小新")
	full.Set(t, "shop", "--operators", full.Register(t, operator, "平台客服").ID)
	f := fill(t, full)

	shop, pay, auth := full.Shop, full.Pay, full.Auth
	return []act{
		{empty, "", []scene{
			{"products-empty", empty.Shop + site.ProductsPath, 0, nil},
			{"cart-nobody", empty.Shop + site.CartPath, 0, nil},
		}},
		{full, "", []scene{
			{"products", shop + site.ProductsPath, 0, nil},
			{"search", shop + site.ProductsPath + "?q=茶", 0, nil},
			{"search-nothing", shop + site.ProductsPath + "?q=nowhere", 0, nil},
			{"product", shop + "/products/" + f.teapot.ID, 0, nil},
			{"product-soldout", shop + "/products/" + f.soldOut.ID, 0, nil},
			{"login", auth + site.LoginPath, 0, nil},
			{"login-wrong", auth + site.LoginPath, 401, mistypeLogin},
			{"register", auth + site.RegisterPath, 0, nil},
			{"register-wrong", auth + site.RegisterPath, 422, mistypeRegistration},
			{"error-404", shop + "/nowhere", 404, nil},
			{"product-404", shop + "/products/prd_00000000000000000000000000", 404, nil},
			{"error-422", shop + site.ProductsPath + "?cursor=nonsense", 422, nil},
			{"error-400", shop + "/session/callback?code=x&state=y", 400, nil},
		}},
		{empty, newcomer, []scene{
			{"home-empty", empty.Shop + site.HomePath, 0, nil},
			{"cart-empty", empty.Shop + site.CartPath, 0, nil},
			{"orders-empty", empty.Shop + site.OrdersPath, 0, nil},
			{"sales-empty", empty.Shop + site.SalesPath, 0, nil},
			{"wallets-empty", empty.Pay + site.WalletsPath, 0, nil},
			{"topup-empty", empty.Pay + site.TopUpPath, 0, nil},
		}},
		{full, buyer, []scene{
			{"home", shop + site.HomePath, 0, nil},
			{"products-in", shop + site.ProductsPath, 0, nil},
			{"cart", shop + site.CartPath, 0, nil},
			{"orders", shop + site.OrdersPath, 0, nil},
			{"order-paid", shop + "/orders/" + f.paid, 0, nil},
			{"order-pending", shop + "/orders/" + f.pending, 0, nil},
			{"order-canceled", shop + "/orders/" + f.canceled, 0, nil},
			{"order-shipped", shop + "/orders/" + f.shipped, 0, nil},
			{"order-received", shop + "/orders/" + f.received, 0, nil},
			{"order-given-back", shop + "/orders/" + f.givenBack, 0, nil},
			{"refund-form", shop + "/orders/" + f.received, 0, func(b *browser.Tab) { b.Click(site.Open(site.RefundForm)) }},
			{"refund-wrong", shop + "/orders/" + f.received, 422, mistypeRefund},
			{"refund-asked", shop + "/orders/" + f.asked, 0, nil},
			{"refund-refused", shop + "/orders/" + f.refused, 0, nil},
			{"refund-granted", shop + "/orders/" + f.partly, 0, nil},
			{"refund-appealed", shop + "/orders/" + f.appealed, 0, nil},
			{"operator-403", shop + site.OperatorPath, 403, nil},
			{"order-404", shop + "/orders/ord_00000000000000000000000000", 404, nil},
			{"cashier", f.cashier, 0, nil},
			{"cashier-closed", f.cashierClosed, 0, nil},
			{"wallets", pay + site.WalletsPath, 0, nil},
			{"statement", pay + site.WalletPath + f.wallet[len("wal_"):], 0, nil},
			{"topup", pay + site.TopUpPath, 0, nil},
			{"topup-wrong", pay + site.TopUpPath, 422, mistypeTopUp},
			{"sell", shop + site.SellPath, 0, nil},
			{"sell-wrong", shop + site.SellPath, 422, mistypeProduct},
			{"error-403", shop + "/products/" + f.teapot.ID + "/edit", 403, nil},
			{"account", auth + site.AccountPath, 0, nil},
			{"logout", auth + site.LogoutPath, 0, nil},
			{"menu", shop + site.ProductsPath, 0, func(b *browser.Tab) { b.Click(site.AccountMenu) }},
			{"preferences", shop + site.ProductsPath, 0, func(b *browser.Tab) { b.Click(site.Preferences) }},
		}},
		{full, newcomer, []scene{
			{"cashier-no-wallet", f.cashierWithoutWallet(t, full), 0, nil},
			{"cart-changed", shop + site.CartPath, 0, nil},
		}},
		{full, seller, []scene{
			{"home-seller", shop + site.HomePath, 0, nil},
			{"sales", shop + site.SalesPath, 0, nil},
			{"sale-to-ship", shop + "/orders/" + f.paid, 0, nil},
			{"sale-ship-wrong", shop + "/orders/" + f.paid, 422, mistypeShipping},
			{"sale-give-back", shop + "/orders/" + f.paid, 0, func(b *browser.Tab) { b.Click(site.Open(site.GiveBack)) }},
			{"sale-shipped", shop + "/orders/" + f.shipped, 0, nil},
			{"sale-refund-asked", shop + "/orders/" + f.asked, 0, func(b *browser.Tab) { b.Click(site.Open(site.RefuseForm)) }},
			{"wallets-seller", pay + site.WalletsPath, 0, nil},
			{"edit", shop + "/products/" + f.teapot.ID + "/edit", 0, nil},
		}},
		{full, operator, []scene{
			{"cashier-enough", f.cashierWithEnough(t, full), 0, nil},
			{"home-operator", shop + site.HomePath, 0, nil},
			{"operator", shop + site.OperatorPath, 0, nil},
			{"findings", shop + site.OperatorPath + "/findings", 0, nil},
			{"operator-case", shop + "/orders/" + f.appealed, 0, nil},
		}},
	}
}

// abandon makes markets of three processes, of which one has ended.
func abandon(t *testing.T) []act {
	noAuth, noPay := harness.Start(t, harness.Config{Split: true}), harness.Start(t, harness.Config{Split: true})
	noAuth.Stop(t, "auth")
	noPay.Register(t, newcomer, "小新")
	teapot := noPay.Register(t, seller, "青瓷坊").Offer(t, "青花茶壶", "45", 50)
	noPay.Stop(t, "pay")
	return []act{
		{noAuth, "", []scene{
			{"error-503", noAuth.Shop + site.HomePath, 503, nil},
		}},
		{noPay, newcomer, []scene{
			{"home-pay-away", noPay.Shop + site.HomePath, 0, nil},
			{"order-pay-away", noPay.Shop + site.ProductsPath, 0, func(b *browser.Tab) {
				b.Follow(site.Submit(site.Buy(teapot.ID)))
				b.At(site.OrderPath)
			}},
		}},
	}
}

// furniture is what the pages of a furnished market are about.
type furniture struct {
	teapot, soldOut, cup    shopclient.Product
	paid, pending, canceled string // orders

	shipped, received, givenBack, asked, refused, partly, appealed string // orders
	cashier, cashierClosed                                         string // addresses
	wallet                                                         string
}

// fill sells and buys.
func fill(t *testing.T, m *harness.Market) furniture {
	var f furniture
	s := m.Register(t, seller, "青瓷坊")
	b := m.Register(t, buyer, "王小明")
	w := b.OpenWallet(t, "268")
	f.wallet = w.ID
	if _, err := b.Pay.CreateTopUp(t.Context(), payclient.NewTopUp{Wallet: w.ID, Amount: "12.50"}, ""); err != nil {
		t.Fatal(err)
	}
	b.OpenWallet(t, "8.80")
	for i := range 21 { // more than one page
		f.cup = s.Offer(t, fmt.Sprintf("白瓷茶杯 %02d 号", i+1), "18.00", 30)
	}
	f.soldOut = s.OfferWithPicture(t, "孤品建盏", "999", 0, picture(t, 200))
	bicycle := s.OfferWithPicture(t, "Second-hand touring bicycle with 27 gears, luggage racks and a very long title that has to go somewhere", "123456.89", 30, picture(t, 120))
	basket := b.OfferWithPicture(t, "竹编篮子", "20", 10, picture(t, 40))
	f.teapot = s.OfferWithPicture(t, "青花茶壶", "45", 5, picture(t, 0))

	f.paid = order(t, b, f.teapot, 1)
	canceled, closed := unpaid(t, b, bicycle)
	if _, err := b.Shop.Cancel(t.Context(), canceled); err != nil {
		t.Fatal(err)
	}
	f.canceled, f.cashierClosed = canceled, closed
	f.pending, f.cashier = unpaid(t, b, bicycle)
	for product, n := range map[string]int64{f.teapot.ID: 1, basket.ID: 2} {
		if _, err := b.Shop.SetCartItem(t.Context(), product, n); err != nil {
			t.Fatal(err)
		}
	}
	order(t, s, basket, 1)
	f.goOn(t, b, s, basket)
	if _, err := b.Pay.Create(t.Context(), payclient.NewPayment{Order: "reserved", Hold: true, Parties: []payclient.Party{
		{Payee: s.ID, Amount: money.Amount{Minor: 3000, Currency: money.CNY}},
	}}); err != nil {
		t.Fatal(err)
	}
	f.fillThatChanges(t, m.LogIn(t, newcomer), s)
	return f
}

// goOn has orders of the buyer's in every state that follows payment.
func (f *furniture) goOn(t *testing.T, b, s *harness.Person, basket shopclient.Product) {
	t.Helper()
	cup := s.OfferWithPicture(t, "Celadon tea bowl · 龙泉青瓷茶碗", "6.20", 90, picture(t, 60))
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	part := func(id string) string { return "shp_" + strings.TrimPrefix(id, "ord_") + "_1" }
	buy := func() string { return order(t, b, cup, 2) }
	ship := func(id string) string {
		must(s.Shop.Ship(t.Context(), part(id), shopclient.Shipping{Carrier: "顺丰速运", Tracking: "SF1234567890123"}))
		return id
	}
	ask := func(id, amount string) string {
		in := shopclient.NewRefund{Reason: "茶碗边上有一道裂纹，照片里看得很清楚。\nThere is a crack along the rim; the picture shows it clearly."}
		if amount != "" {
			in.Amount = &money.Input{Amount: amount}
		}
		r, err := b.Shop.AskRefund(t.Context(), part(id), in, "")
		must(r, err)
		return r.ID
	}
	refuse := func(refund string) string {
		must(s.Shop.Refuse(t.Context(), refund, "发货前检查过，是完好的。"))
		return refund
	}
	f.shipped, f.received, f.givenBack = ship(bothOf(t, b, cup, basket)), ship(buy()), buy()
	must(b.Shop.Receive(t.Context(), part(f.received)))
	must(s.Shop.GiveBack(t.Context(), part(f.givenBack), "打包时碎了，很抱歉。"))
	f.asked, f.refused, f.partly, f.appealed = ship(buy()), ship(buy()), ship(buy()), ship(buy())
	ask(f.asked, "3")
	refuse(ask(f.refused, ""))
	must(s.Shop.Grant(t.Context(), ask(f.partly, "4.50")))
	must(b.Shop.Appeal(t.Context(), refuse(ask(f.appealed, ""))))
}

// bothOf is one order of what two sell.
func bothOf(t *testing.T, p *harness.Person, x, y shopclient.Product) string {
	t.Helper()
	o, err := p.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: x.ID, Quantity: 1}, {Product: y.ID, Quantity: 1}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// fillThatChanges fills a cart of which nothing stays as it was but one line.
func (f furniture) fillThatChanges(t *testing.T, b, s *harness.Person) {
	t.Helper()
	dear, short, gone := s.OfferWithPicture(t, "汝窑茶盏", "88", 6, picture(t, 80)), s.Offer(t, "Linen tea towels", "12.50", 9), s.Offer(t, "竹茶匙", "9", 9)
	for product, n := range map[string]int64{f.teapot.ID: 1, dear.ID: 1, short.ID: 5, gone.ID: 1} {
		if _, err := b.Shop.SetCartItem(t.Context(), product, n); err != nil {
			t.Fatal(err)
		}
	}
	left := int64(2)
	_, err := s.Shop.ChangeProduct(t.Context(), dear.ID, 0, shopclient.ProductChange{Price: &money.Input{Amount: "108"}}, "")
	_, errLeft := s.Shop.ChangeProduct(t.Context(), short.ID, 0, shopclient.ProductChange{Stock: &left}, "")
	if err := errors.Join(err, errLeft, s.Shop.TakeDown(t.Context(), gone.ID)); err != nil {
		t.Fatal(err)
	}
}

// cashierWithoutWallet is the cashier as somebody without a wallet meets it.
func (f furniture) cashierWithoutWallet(t *testing.T, m *harness.Market) string {
	_, cashier := unpaid(t, m.LogIn(t, newcomer), f.cup)
	return cashier
}

// cashierWithEnough is the cashier as somebody meets it who has topped up since.
func (f furniture) cashierWithEnough(t *testing.T, m *harness.Market) string {
	p := m.LogIn(t, operator)
	_, cashier := unpaid(t, p, f.cup)
	p.OpenWallet(t, "100")
	return cashier
}

// order buys, and gives the order whether it is paid or not.
func order(t *testing.T, p *harness.Person, x shopclient.Product, n int64) string {
	t.Helper()
	o, err := p.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: x.ID, Quantity: n}}}, "")
	if err == nil {
		return o.ID
	}
	id, ok := fault.Of(err).Extra["order"].(string)
	if !errors.Is(err, shopclient.ErrUnpaid) || !ok {
		t.Fatal(err)
	}
	return id
}

// unpaid buys what is too dear, and gives the order and the address of the cashier.
func unpaid(t *testing.T, p *harness.Person, x shopclient.Product) (id, cashier string) {
	t.Helper()
	_, err := p.Shop.PlaceOrder(t.Context(), shopclient.NewOrder{Items: []shopclient.NewItem{{Product: x.ID, Quantity: 1}}}, "")
	if !errors.Is(err, shopclient.ErrUnpaid) {
		t.Fatalf("got %v, want %v", err, shopclient.ErrUnpaid)
	}
	extra := fault.Of(err).Extra
	id, _ = extra["order"].(string)
	cashier, _ = extra["checkout_url"].(string)
	return id, cashier
}

func mistypeLogin(b *browser.Tab) {
	b.Fill(site.Field(site.LoginForm, "identifier"), "nobody@example.com")
	b.Fill(site.Field(site.LoginForm, "password"), "not the password")
	b.Follow(site.Submit(site.LoginForm))
}

func mistypeRegistration(b *browser.Tab) {
	b.Fill(site.Field(site.RegisterForm, "identifier"), "12")
	b.Fill(site.Field(site.RegisterForm, "password"), "short")
	b.Fill(site.Field(site.RegisterForm, "password_repeat"), "other")
	b.Follow(site.Submit(site.RegisterForm))
}

func mistypeTopUp(b *browser.Tab) {
	b.Fill(site.Field(site.CashierTopUp, "amount"), "1,5")
	b.Follow(site.Submit(site.CashierTopUp))
}

func mistypeRefund(b *browser.Tab) {
	b.Click(site.Open(site.RefundForm))
	b.Fill(site.Field(site.RefundForm, "amount"), "9999")
	b.Fill(site.Field(site.RefundForm, "reason"), "碎了")
	b.Follow(site.Submit(site.RefundForm))
}

func mistypeShipping(b *browser.Tab) {
	b.Fill(site.Field(site.ShipForm, "carrier"), "顺丰速运")
	b.Fill(site.Field(site.ShipForm, "tracking"), "\u200b")
	b.Follow(site.Submit(site.ShipForm))
}

func mistypeProduct(b *browser.Tab) {
	b.Fill(site.Field(site.SellForm, "title"), "x")
	b.Fill(site.Field(site.SellForm, "price"), "-1")
	b.Fill(site.Field(site.SellForm, "stock"), "1")
	b.Follow(site.Submit(site.SellForm))
}

// picture draws a vase in front of a wall, in a colour of its own.
func picture(t *testing.T, hue uint8) []byte {
	const size = 480
	m := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			m.Set(x, y, color.RGBA{230 - uint8(y/16), 225 - uint8(y/16), 215 - hue/8, 255})
			v := float64(y-80) / 330
			half := 45 + 75*math.Sin(math.Pi*math.Pow(max(v, 0), 0.8))
			if v >= 0 && v <= 1 && math.Abs(float64(x-size/2)) < half {
				shade := uint8(60 * math.Abs(float64(x-size/2)+20) / half)
				m.Set(x, y, color.RGBA{60 + hue/2 - shade/2, 110 - shade/2, 190 - hue/2 - shade/2, 255})
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
