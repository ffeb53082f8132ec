package story_test

import (
	"jishi/tests/harness"
	"jishi/tests/site"
)

// registerAfterMistake registers somebody who mistypes the repeated password first.
func (s *story) registerAfterMistake(p person) {
	b := s.tab
	b.Go(s.market.Shop + site.ProductsPath)
	b.Follow(site.HeaderJoin)
	b.See(site.Title, "新用户注册")
	for _, label := range []string{"手机/邮箱", "密码", "重复输入密码", "注册"} {
		b.See(site.RegisterForm, label)
	}
	b.Fill(site.Field(site.RegisterForm, "identifier"), p.identifier)
	b.Fill(site.Field(site.RegisterForm, "name"), p.name)
	b.Fill(site.Field(site.RegisterForm, "password"), harness.Password)
	b.Fill(site.Field(site.RegisterForm, "password_repeat"), harness.Password+"!")
	b.Expect(422)
	b.Follow(site.Submit(site.RegisterForm))
	b.See(site.Invalid(site.RegisterForm, "password_repeat"), "")
	if got := b.Value(site.Field(site.RegisterForm, "identifier")); got != p.identifier {
		b.Fatalf("after a mistake the form says %q, want %q", got, p.identifier)
	}
	s.fillRegistration(p)
}

func (s *story) register(p person) {
	s.tab.Go(s.market.Shop + site.ProductsPath)
	s.tab.Follow(site.HeaderJoin)
	s.fillRegistration(p)
}

func (s *story) fillRegistration(p person) {
	b := s.tab
	b.Fill(site.Field(site.RegisterForm, "identifier"), p.identifier)
	b.Fill(site.Field(site.RegisterForm, "name"), p.name)
	b.Fill(site.Field(site.RegisterForm, "password"), harness.Password)
	b.Fill(site.Field(site.RegisterForm, "password_repeat"), harness.Password)
	b.Follow(site.Submit(site.RegisterForm))
	b.At(site.HomePath)
	b.See(site.Title, p.name)
}

// openWalletAtHome makes a wallet with the form of the home page.
func (s *story) openWalletAtHome(amount string) {
	b := s.tab
	b.Go(s.market.Shop + site.HomePath)
	for _, label := range []string{"查看我的购物车", "查看历史购买记录", "查看我的钱包", "创建新的钱包并充值", "请输入充值金额", "注销当前用户"} {
		b.See(site.Main, label)
	}
	b.Fill(site.Field(site.NewWalletForm, "amount"), amount)
	b.Follow(site.Submit(site.NewWalletForm))
	b.At(site.HomePath)
	b.See(site.HomeWallets, "¥"+amount+".00")
}

func (s *story) seeWallet(balance string) {
	b := s.tab
	b.Follow(site.HomeLink(s.market.Pay, site.WalletsPath))
	b.At(site.WalletsPath)
	b.See(site.Title, "钱包")
	b.See(site.Wallet, "账户余额")
	b.See(site.WalletBalance, balance)
	if number := b.Text(site.WalletNumber); len(number) < 16 {
		b.Fatalf("the wallet's number is %q", number)
	}
}

func (s *story) logOutFromHome() {
	s.tab.Go(s.market.Shop + site.HomePath)
	s.tab.Follow(site.HomeLogout)
	s.seeNobody()
}

func (s *story) logOutFromMenu() {
	s.tab.Go(s.market.Shop + site.ProductsPath)
	s.tab.Click(site.AccountMenu)
	s.tab.Follow(site.Logout)
	s.seeNobody()
}

// seeNobody finds that each of the three modules wants a login.
func (s *story) seeNobody() {
	b := s.tab
	b.See(site.HeaderLogin, "请登录")
	for _, page := range []string{s.market.Shop + site.HomePath, s.market.Pay + site.WalletsPath, s.market.Auth + site.AccountPath} {
		b.Go(page)
		b.At(site.LoginPath)
		b.See(site.Title, "请登录")
	}
}

// logInAgain logs in somebody whom the market knows, who was led there by a page that
// needs it, and is led back.
func (s *story) logInAgain(p person) {
	b := s.tab
	b.Go(s.market.Shop + site.SalesPath)
	b.At(site.LoginPath)
	for _, label := range []string{"手机/邮箱", "密码", "登录"} {
		b.See(site.LoginForm, label)
	}
	b.See(site.ToRegister, "新用户注册")
	b.Fill(site.Field(site.LoginForm, "identifier"), p.identifier)
	b.Fill(site.Field(site.LoginForm, "password"), "not the password")
	b.Expect(401)
	b.Follow(site.Submit(site.LoginForm))
	b.Fill(site.Field(site.LoginForm, "password"), harness.Password)
	b.Follow(site.Submit(site.LoginForm))
	b.At(site.SalesPath)
	b.See(site.Order(s.second), "竹编篮子")
	b.See(site.Order(s.second), "王小明")
}

// enter logs in somebody who wants to see a page.
func (s *story) enter(p person, page string) {
	b := s.tab
	b.Go(page)
	b.At(site.LoginPath)
	b.Fill(site.Field(site.LoginForm, "identifier"), p.identifier)
	b.Fill(site.Field(site.LoginForm, "password"), harness.Password)
	b.Follow(site.Submit(site.LoginForm))
}

// readEnglish changes the language on a page, and finds it changed on others.
func (s *story) readEnglish() {
	b := s.tab
	b.Go(s.market.Shop + site.HomePath)
	b.Click(site.Preferences)
	if b.Script() {
		b.Mark()
		b.Click(site.Language("en"))
		b.See(site.Title, "Hello")
		b.Stayed() // only the body was swapped
	} else {
		b.Follow(site.Language("en"))
	}
	b.At(site.HomePath)
	if got := b.Attribute("html", "lang"); got != "en" {
		b.Fatalf("the page has lang=%q after the change, want en", got)
	}
	for _, address := range []struct{ page, title string }{
		{s.market.Shop + site.HomePath, "Hello"},
		{s.market.Shop + site.ProductsPath, "All products"},
		{s.market.Shop + site.CartPath, "Cart"},
		{s.market.Shop + site.OrdersPath, "My purchases"},
		{s.market.Pay + site.WalletsPath, "wallets"},
	} {
		b.Go(address.page)
		b.See(site.Title, address.title)
		if got := b.Attribute("html", "lang"); got != "en" {
			b.Fatalf("%s has lang=%q, want en", address.page, got)
		}
	}
}
