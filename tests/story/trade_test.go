package story_test

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"

	"jishi/tests/site"
)

// sell adds a product and gives its id.
func (s *story) sell(title, description, price, stock string) string {
	b := s.tab
	b.Go(s.market.Shop + site.SellPath)
	b.See(site.Title, "我要添加商品")
	for _, label := range []string{"商品价格", "商品描述", "商品图片", "提交商品信息"} {
		b.See(site.SellForm, label)
	}
	b.Fill(site.Field(site.SellForm, "title"), title)
	b.Fill(site.Field(site.SellForm, "description"), description)
	b.Fill(site.Field(site.SellForm, "price"), price)
	b.Fill(site.Field(site.SellForm, "stock"), stock)
	b.Upload(site.SellPicture, s.picture())
	b.Follow(site.Submit(site.SellForm))
	b.At(site.ProductPath)
	b.See(site.Title, title)
	b.See(site.Flash, title)
	b.Loaded(site.ProductPic)
	return b.Text(site.ProductID)
}

// picture is a file as a camera would make it, only smaller.
func (s *story) picture() string {
	m := image.NewRGBA(image.Rect(0, 0, 800, 600))
	for y := range 600 {
		for x := range 800 {
			m.Set(x, y, color.RGBA{uint8(x / 4), uint8(y / 3), 160, 255})
		}
	}
	path := filepath.Join(s.t.TempDir(), "picture.png")
	f, err := os.Create(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := png.Encode(f, m); err != nil {
		s.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *story) seeProducts() {
	b := s.tab
	b.Go(s.market.Shop + site.ProductsPath)
	b.See(site.Main, "所有商品，请点击你喜欢的加入购物车或直接购买")
	for _, p := range []struct{ id, title, description, price, stock string }{
		{s.teapot, "青花茶壶", "景德镇手绘", "¥45.00", "5"},
		{s.basket, "竹编篮子", "手工编织", "¥20.00", "10"},
	} {
		for _, text := range []string{p.id, p.title, p.description, p.price, p.stock, "购买该商品", "请输入购买数量", "添加至购物车", "请输入添加数量"} {
			b.See(site.Card(p.id), text)
		}
		b.Loaded(site.Card(p.id) + " img")
	}
	b.Fill(site.Search, "茶壶")
	b.Follow(site.SearchGo)
	b.See(site.Card(s.teapot), "青花茶壶")
	b.Gone(site.Card(s.basket))
}

// buyNow buys one teapot for 45.00 out of 50.00.
func (s *story) buyNow() {
	b := s.tab
	b.Go(s.market.Shop + site.ProductsPath)
	b.Fill(site.Field(site.Buy(s.teapot), "quantity"), "1")
	b.Follow(site.Submit(site.Buy(s.teapot)))
	s.first = s.orderID()
	b.See(site.OrderStatus, "已付款")
	b.See(site.OrderStatus, "¥45.00")
	b.See(site.Main, s.teapot)
}

// orderID reads from the address which order is shown.
func (s *story) orderID() string {
	s.tab.At(site.OrderPath)
	address := s.tab.Address()
	id := address[strings.LastIndex(address, "/")+1:]
	id, _, _ = strings.Cut(id, "?")
	return id
}

// fillCart puts a teapot and two baskets into the cart.
func (s *story) fillCart() {
	b := s.tab
	b.Go(s.market.Shop + site.ProductsPath)
	s.change(site.Submit(site.Add(s.teapot)))
	b.See(site.Flash, "1")
	b.See(site.CartBadge, "1")
	s.stayed()
	b.Fill(site.Field(site.Add(s.basket), "quantity"), "2")
	s.change(site.Submit(site.Add(s.basket)))
	b.See(site.CartBadge, "3")
	s.stayed()
	b.At(site.ProductsPath)
}

// changeCart makes it three baskets.
func (s *story) changeCart() {
	b := s.tab
	b.Go(s.market.Shop + site.CartPath)
	b.See(site.Title, "购物车")
	b.See(site.Line(s.teapot), "青花茶壶")
	b.See(site.Line(s.teapot), "林掌柜")
	b.See(site.Line(s.basket), "竹编篮子")
	b.See(site.Line(s.basket), "手工编织")
	b.See(site.Line(s.basket), "¥20.00")
	b.See(site.Line(s.basket), "数量")
	b.Loaded(site.Line(s.basket) + " img")
	b.See(site.Cart, "¥85.00")
	b.Fill(site.Quantity(s.basket), "3")
	s.change(site.LineUpdate(s.basket))
	b.See(site.Cart, "¥105.00")
	b.See(site.CartBadge, "4")
	s.stayed()
	if got := b.Value(site.Quantity(s.basket)); got != "3" {
		b.Fatalf("the quantity is %s, want 3", got)
	}
}

// checkOutWithTooLittle orders for 105.00 with 5.00 in the wallet.
func (s *story) checkOutWithTooLittle() {
	b := s.tab
	b.See(site.Checkout, "提交购买")
	b.Follow(site.Checkout)
	b.At(site.CheckoutPath)
	b.See(site.Matter, "账户余额不足，请充值或者创建")
	b.See(site.Matter, "¥100.00") // what is missing
	b.See(site.Main, "¥105.00")
	b.See(site.CashierNew, "点击创建新的钱包")
}

func (s *story) topUpAndPay() {
	b := s.tab
	b.Fill(site.Field(site.CashierTopUp, "amount"), "100")
	b.Follow(site.Submit(site.CashierTopUp))
	b.At(site.CheckoutPath)
	b.See(site.Flash, "¥100.00")
	b.Follow(site.Submit(site.CashierPay))
	s.second = s.orderID()
	b.See(site.OrderStatus, "已付款")
	b.See(site.OrderStatus, "¥105.00")
	b.Gone(site.OrderPay)
	b.Go(s.market.Shop + site.CartPath)
	b.See(site.Main, "购物车是空的")
}

func (s *story) seeHistory() {
	b := s.tab
	b.Go(s.market.Shop + site.OrdersPath)
	b.See(site.Title, "历史购买记录")
	for _, text := range []string{"成交时间", "购买产品id", s.teapot, "青花茶壶", "¥45.00", "已付款"} {
		b.See(site.Order(s.first), text)
	}
	for _, text := range []string{"成交时间", "购买产品id", s.teapot, s.basket, "竹编篮子", "¥60.00", "¥105.00", "已付款"} {
		b.See(site.Order(s.second), text)
	}
	all := b.Texts(site.AllOrders)
	if len(all) != 2 || !strings.Contains(all[0], "¥105.00") {
		b.Fatalf("the history is %q, want two orders, the newer one first", all)
	}
}

func (s *story) seeStatement() {
	b := s.tab
	b.Go(s.market.Pay + site.WalletsPath)
	b.Follow(site.WalletLink)
	b.At(site.WalletPath)
	b.See(site.WalletBalance, "¥0.00")
	want := []struct{ amount, balance string }{
		{"-¥105.00", "¥0.00"}, {"¥100.00", "¥105.00"}, {"-¥45.00", "¥5.00"}, {"¥50.00", "¥50.00"},
	}
	got := b.Texts(site.Entry)
	if len(got) != len(want) {
		b.Fatalf("the statement is %q, want %d lines", got, len(want))
	}
	for i, w := range want {
		if !strings.Contains(got[i], w.amount) || !strings.HasSuffix(got[i], w.balance) {
			b.Errorf("line %d of the statement is %q, want %s and then %s", i+1, got[i], w.amount, w.balance)
		}
	}
}

// payFromNewWallet buys a basket for 20.00 with nothing left, from a wallet that is made
// at the cashier.
func (s *story) payFromNewWallet() {
	b := s.tab
	s.buyBasket()
	b.Click(site.CashierNew)
	b.Fill(site.Field(site.CashierCreate, "name"), "零花钱")
	b.Fill(site.Field(site.CashierCreate, "amount"), "30.50")
	b.Follow(site.Submit(site.CashierCreate))
	b.At(site.CheckoutPath)
	b.Follow(site.Submit(site.CashierPay))
	b.At(site.OrderPath)
	b.See(site.OrderStatus, "已付款")
	b.Go(s.market.Pay + site.WalletsPath)
	b.See(site.Wallet, "零花钱")
	b.See(site.Wallet, "¥10.50")
	if n := len(b.Texts(site.Wallet)); n != 2 {
		b.Fatalf("there are %d wallets, want 2", n)
	}
}

// buyBasket orders what can't be paid, from the product's own page.
func (s *story) buyBasket() {
	b := s.tab
	b.Go(s.market.Shop + site.ProductsPath)
	b.Follow(site.Card(s.basket) + " h2 a")
	b.At(site.ProductPath)
	b.Follow(site.Submit(site.Buy(s.basket)))
	b.At(site.CheckoutPath)
	b.See(site.Matter, "账户余额不足")
}

// cancel leaves the cashier for the order, and calls it off.
func (s *story) cancel() {
	b := s.tab
	s.buyBasket()
	b.Follow(site.ToOrder)
	s.orderID()
	b.See(site.OrderStatus, "等待付款")
	b.Follow(site.OrderPay)
	b.At(site.CheckoutPath)
	b.Follow(site.ToOrder)
	s.orderID()
	s.change(site.OrderCancel)
	b.See(site.OrderStatus, "已取消")
	s.stayed()
}

// change clicks on what changes a part of the page where there are scripts, and loads
// it anew where there are none.
func (s *story) change(selector string) {
	s.t.Helper()
	if s.tab.Script() {
		s.tab.Mark()
		s.tab.Click(selector)
		return
	}
	s.tab.Follow(selector)
}

// stayed finds that a change did not load the whole page again where there are scripts.
func (s *story) stayed() {
	s.t.Helper()
	if s.tab.Script() {
		s.tab.Stayed()
	}
}
