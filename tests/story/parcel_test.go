package story_test

import (
	"fmt"
	"strings"
	"time"

	"jishi/tests/harness"
	"jishi/tests/site"
)

// paid is how long money may take to move after somebody has decided that it shall.
const paid = 30 * time.Second

// ship sends the baskets of the second order, from the list of sales.
func (s *story) ship() {
	b := s.tab
	b.Go(s.market.Shop + site.SalesPath)
	b.See(site.Order(s.second), "待发货")
	b.Follow(site.Order(s.second) + " footer a")
	b.At("/orders/" + s.second)
	b.See(site.Shipment(s.basket), "寄给 王小明")
	b.See(site.OrderStatus, "¥60.00") // the seller's part
	b.Gone(site.Shipment(s.teapot))
	b.Fill(site.Field(site.ShipForm, "carrier"), "顺丰速运")
	b.Fill(site.Field(site.ShipForm, "tracking"), "SF1234567890")
	b.Follow(site.Submit(site.ShipForm))
	b.See(site.Flash, "已发货")
	b.See(site.Shipment(s.basket), "已发货")
	b.See(site.Shipment(s.basket), "SF1234567890")
	b.Gone(site.ShipForm)
}

// receive confirms that the baskets have come.
func (s *story) receive(p person) {
	b := s.tab
	s.enter(p, s.market.Shop+site.OrdersPath)
	b.See(site.Order(s.second), "已发货")
	b.See(site.Order(s.second), "SF1234567890")
	b.See(site.Order(s.second), "待发货")
	b.Follow(site.Order(s.second) + " footer a")
	for _, text := range []string{"竹编篮子", "梅 寄出的商品", "顺丰速运", "SF1234567890", "自动确认收货"} {
		b.See(site.Shipment(s.basket), text)
	}
	b.Follow(site.Submit(site.ReceiveForm))
	b.See(site.Flash, "已确认收货")
	b.See(site.Shipment(s.basket), "已收货")
	b.See(site.History, "确认收货")
	b.See(site.OrderStatus, "已付款") // the teapot is still to come
}

// askRefund asks for a part of what the teapot cost, which has not been sent. The first try
// is for more than there is.
func (s *story) askRefund() {
	b := s.tab
	part := site.Shipment(s.teapot)
	form := part + " " + site.RefundForm
	b.Click(part + " details > summary")
	b.Fill(site.Field(form, "amount"), "50")
	b.Fill(site.Field(form, "reason"), "茶壶有一点磕碰也没关系，便宜一点就好")
	b.Expect(422)
	b.Follow(site.Submit(form))
	b.See(site.Invalid(form, "amount"), "")
	b.Fill(site.Field(form, "amount"), "5")
	b.Follow(site.Submit(form))
	b.See(site.Flash, "退款申请已提交")
	for _, text := range []string{"等待卖家答复", "¥5.00", "便宜一点就好"} {
		b.See(part+" "+site.Refund, text)
	}
	b.Gone(form)
}

// grant gives the buyer what was asked for.
func (s *story) grant(p person) {
	b := s.tab
	s.enter(p, s.market.Shop+site.SalesPath)
	all := b.Texts(site.AllOrders)
	if len(all) != 2 || !strings.Contains(all[0], "待发货") {
		b.Fatalf("the sales are %q, want two, with what is to be sent first", all)
	}
	b.Follow(site.Order(s.second) + " footer a")
	b.See(site.Refund, "便宜一点就好")
	b.See(site.Refund, "卖家须在此之前答复")
	b.Gone(site.ShipForm) // nothing else happens meanwhile
	b.Follow(site.Submit(site.GrantForm))
	b.See(site.Flash, "已同意")
	b.See(site.Refund, "同意退款")
	b.See(site.Shipment(s.teapot), "其中退款 ¥5.00")
	b.See(site.ShipForm, "发货")
}

// giveBack refunds the rest instead of sending it.
func (s *story) giveBack() {
	b := s.tab
	b.Click(site.Open(site.GiveBack))
	b.Fill(site.Field(site.GiveBack, "reason"), "打包时摔坏了，很抱歉")
	b.Follow(site.Submit(site.GiveBack))
	b.See(site.Flash, "货款将退还给买家")
	b.See(site.OrderStatus, "已退款")
	b.See(site.Shipment(s.teapot), "已退款")
	b.Gone(site.ShipForm)
}

// seeRefunds finds the order ended and the money in the wallet that it came from.
func (s *story) seeRefunds(p person) {
	b := s.tab
	s.enter(p, s.market.Shop+"/orders/"+s.second)
	b.See(site.OrderStatus, "已完成")
	for _, text := range []string{"申请退款", "同意退款（林掌柜） · 卖家", "全额退款", "打包时摔坏了", "订单完成"} {
		b.See(site.Main, text)
	}
	b.Go(s.market.Pay + site.WalletsPath)
	s.eventually(site.Wallet, "¥45.00")
	b.Go(s.market.Shop + site.ProductsPath)
	b.See(site.Card(s.teapot), "4") // it is on sale again
}

// seeIncome finds the money of what was received in a wallet that was made for it.
func (s *story) seeIncome(p person) {
	b := s.tab
	s.enter(p, s.market.Pay+site.WalletsPath)
	s.eventually(site.Wallet, "¥60.00")
	b.Follow(site.WalletLink)
	b.See(site.Entry, "销售收入")
	b.See(site.Entry, s.second)
}

// askAgain asks for a part of what the baskets cost, which the seller has been paid.
func (s *story) askAgain() {
	b := s.tab
	b.Go(s.market.Shop + "/orders/" + s.second)
	form := site.Shipment(s.basket) + " " + site.RefundForm
	b.Click(site.Shipment(s.basket) + " details > summary")
	b.Fill(site.Field(form, "amount"), "6")
	b.Fill(site.Field(form, "reason"), "有一个篮子裂了")
	b.Follow(site.Submit(form))
	b.See(site.Flash, "退款申请已提交")
}

func (s *story) refuse() {
	b := s.tab
	b.Go(s.market.Shop + "/orders/" + s.second)
	b.See(site.Refund, "有一个篮子裂了")
	b.Click(site.Open(site.RefuseForm))
	b.Fill(site.Field(site.RefuseForm, "answer"), "寄出时是好的")
	b.Follow(site.Submit(site.RefuseForm))
	b.See(site.Flash, "已拒绝")
	b.See(site.Refund, "卖家已拒绝")
}

func (s *story) appeal(p person) {
	b := s.tab
	s.enter(p, s.market.Shop+"/orders/"+s.second)
	b.See(site.Shipment(s.basket), "寄出时是好的")
	b.Follow(site.Submit(site.AppealForm))
	b.See(site.Flash, "已提交平台")
	b.See(site.Shipment(s.basket), "等待平台裁定")
	b.Gone(site.AppealForm)
}

// decide finds the case among those of the operator, and gives the buyer the money.
func (s *story) decide() {
	b := s.tab
	s.enter(operator, s.market.Shop+site.OperatorPath)
	b.See(site.Refund, "有一个篮子裂了")
	b.Follow(site.Refund + " a")
	b.At("/orders/" + s.second)
	b.Fill(site.Field(site.DecideForm, "answer"), "照片上看得到裂口")
	b.Follow(site.DecideYes)
	b.See(site.Flash, "裁定已生效")
	b.See(site.Shipment(s.basket), "照片上看得到裂口")
	b.Gone(site.DecideForm)
	b.Go(s.market.Shop + site.OperatorPath)
	b.Gone(site.Refund)
}

// seeLoss finds the money gone again that the operator gave back.
func (s *story) seeLoss(p person) {
	s.enter(p, s.market.Pay+site.WalletsPath)
	s.eventually(site.Wallet, "¥54.00")
}

// eventually looks at the page again until it shows something, for what takes its time.
func (s *story) eventually(selector, text string) {
	s.t.Helper()
	harness.Eventually(s.t, paid, func() error {
		got := strings.Join(s.tab.Texts(selector), "\n")
		if strings.Contains(got, text) {
			return nil
		}
		s.tab.Go(s.tab.Address())
		return fmt.Errorf("%s shows %q, want %q", selector, got, text)
	})
}
