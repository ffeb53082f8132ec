// Package story_test is a day at the market: people register, sell, buy, run out of
// money, top up, look back and leave, in a browser with scripts and in one without, in one
// process and in three. Each row P1 to P9 of the original's pages has a step of its name.
package story_test

import (
	"testing"

	"jishi/tests/browser"
	"jishi/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

func TestStory(t *testing.T) {
	for _, c := range []struct {
		name   string
		script bool
		market harness.Config
	}{
		{"with JavaScript", true, harness.Config{}},
		{"without JavaScript", false, harness.Config{}},
		{"without JavaScript in three processes", false, harness.Config{Split: true}},
		{"with JavaScript in three processes", true, harness.Config{Split: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &story{
				t:      t,
				market: harness.Start(t, c.market),
				tab:    browser.Open(t, browser.Config{Script: c.script, Language: "zh-CN"}),
			}
			s.market.Set(t, "shop", "--operators", s.market.Register(t, operator.identifier, operator.name).ID)
			s.play()
		})
	}
}

// operator decides what buyer and seller can't agree on.
var operator = person{"operator@example.com", "平台客服"}

// story is what has happened so far.
type story struct {
	t      *testing.T
	market *harness.Market
	tab    *browser.Tab

	teapot, basket string // ids of products
	first, second  string // ids of the buyer's orders
}

// play plays every step in turn. Each goes on from the one before, so the first that
// fails is the last.
func (s *story) play() {
	lin := person{"138 0013 8000", "林掌柜"}
	mei := person{"Mei@Example.COM", "梅"}
	wang := person{"+86 139-1234-5678", "王小明"}

	s.step("P1 a seller registers by phone", func() { s.registerAfterMistake(lin) })
	s.step("P2 home leads on and opens a wallet with an amount", func() { s.openWalletAtHome("100") })
	s.step("P9 the wallet has a number and a balance", func() { s.seeWallet("¥100.00") })
	s.step("P3 the seller adds a product with a picture", func() { s.teapot = s.sell("青花茶壶", "景德镇手绘，容量 300 毫升", "45", "5") })
	s.step("P2 logging out ends the sessions of all modules", s.logOutFromHome)

	s.step("P1 another seller registers by e-mail address", func() { s.register(mei) })
	s.step("P3 the other seller adds a product", func() { s.basket = s.sell("竹编篮子", "手工编织", "20.00", "10") })
	s.step("P1 the other seller logs out", s.logOutFromMenu)

	s.step("P1 the buyer registers", func() { s.register(wang) })
	s.step("P2 the buyer opens a wallet", func() { s.openWalletAtHome("50") })
	s.step("P4 all products are shown with id, description, picture and price", s.seeProducts)
	s.step("P4 P6 the buyer buys at once", s.buyNow)
	s.step("P4 the buyer puts products of two sellers into the cart", s.fillCart)
	s.step("P5 the buyer changes a quantity in the cart", s.changeCart)
	s.step("P5 P7 the cart costs more than there is", s.checkOutWithTooLittle)
	s.step("P7 P6 topping up at the cashier pays the order", s.topUpAndPay)
	s.step("P8 the history has time and products of both purchases", s.seeHistory)
	s.step("P9 the statement has every movement with the balance after it", s.seeStatement)
	s.step("P7 a new wallet at the cashier pays another order", s.payFromNewWallet)
	s.step("P6 an order that is not paid can be cancelled", s.cancel)
	s.step("P1 P2 the buyer logs out", s.logOutFromMenu)

	s.step("P1 P8 the other seller logs in again and sees the sale", func() { s.logInAgain(mei) })
	s.step("the other seller sends the baskets", s.ship)
	s.step("the other seller logs out", s.logOutFromMenu)
	s.step("the buyer receives the baskets and asks for money back for the teapot", func() { s.receive(wang); s.askRefund() })
	s.step("the buyer logs out again", s.logOutFromMenu)
	s.step("the seller sees what is to be sent first, and grants the refund", func() { s.grant(lin) })
	s.step("the seller won't send the rest", s.giveBack)
	s.step("the seller logs out", s.logOutFromMenu)
	s.step("the buyer has the money back, and asks for some of the baskets' too", func() { s.seeRefunds(wang); s.askAgain() })
	s.step("the other seller has the money for the baskets, and refuses", func() { s.logOutFromMenu(); s.seeIncome(mei); s.refuse() })
	s.step("the buyer goes to the operator", func() { s.logOutFromMenu(); s.appeal(wang) })
	s.step("the operator decides for the buyer", func() { s.logOutFromMenu(); s.decide() })
	s.step("the other seller gives it back", func() { s.logOutFromMenu(); s.seeLoss(mei) })

	s.step("the same pages in English", s.readEnglish)
}

// step is a subtest with the name of what happens in it.
func (s *story) step(name string, play func()) {
	s.t.Helper()
	if !s.t.Run(name, func(t *testing.T) {
		defer s.tab.For(t)()
		play()
		s.tab.Problems()
	}) {
		s.t.FailNow()
	}
}

// person is somebody as they type themselves in.
type person struct{ identifier, name string }
