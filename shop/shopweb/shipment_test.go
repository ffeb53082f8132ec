package shopweb

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jishi/kit/ui"
)

// bought is the id of an order of Bob's, for something that Ann sells, and that of its shipment.
func (s *site) bought() (order, shipment string) {
	s.t.Helper()
	cup := s.as("ann").sells("Cup", "3", "10")
	bob := s.as("bob")
	order = strings.TrimPrefix(bob.submit(bob.get("/"), "buy-"+cup).to(), "/orders/")
	return order, "shp_" + strings.TrimPrefix(order, "ord_") + "_1"
}

func TestShipAndReceivePages(t *testing.T) {
	s := open(t)
	order, shipment := s.bought()
	ann, bob := s.as("ann"), s.as("bob")
	path := "/orders/" + order

	sales := ann.get("/orders?role=seller").is(http.StatusOK)
	if sales.shows("待发货"); strings.Contains(text(sales.byID(order)), "ann") {
		t.Error("each line of the sales names the seller, who reads them")
	}
	sale := ann.get(path).is(http.StatusOK)
	if sale.byID("give-back-"+shipment) == nil || sale.byID("refund-"+shipment) != nil || sale.byID("receive-"+shipment) != nil {
		t.Error("the seller's page has other forms than a seller may use")
	}
	if give := text(sale.byID("give-back-" + shipment)); strings.Contains(give, "不发货并退款") || !strings.Contains(give, "确认退款") {
		t.Errorf("what sends the form is named as what opens it: %s", give)
	}
	bob.get(path).shows("卖家发货后，运单号会显示在这里")
	wrong := ann.submit(sale, "ship-"+shipment, "carrier", "顺丰", "tracking", " ").is(http.StatusUnprocessableEntity)
	wrong.shows("运单号须为 1 至 60 个字")
	if !strings.Contains(wrong.body, `value="顺丰"`) {
		t.Error("what was typed is gone")
	}
	if to := ann.submit(wrong, "ship-"+shipment, "carrier", "顺丰", "tracking", "SF1").to(); to != path {
		t.Errorf("led to %q", to)
	}
	page := bob.get(path).is(http.StatusOK)
	if page.shows("已发货"); strings.Contains(text(page.doc), "卖家发货后") {
		t.Error("what is on its way is said to wait for the seller")
	}
	page.shows("SF1")
	bob.get("/orders").shows("确认收货")
	if page.byID("ship-"+shipment) != nil || page.byID("refund-"+shipment) == nil {
		t.Error("the buyer's page has other forms than a buyer may use")
	}
	if to := bob.submit(page, "receive-"+shipment).to(); to != path {
		t.Errorf("led to %q", to)
	}
	done := bob.get(path)
	done.shows("已收货")
	done.shows("确认收货 · 买家")
	if done.byID("receive-"+shipment) != nil {
		t.Error("it can be received again")
	}
	bob.get("/orders").shows("已收货")
	strangers := s.as("cara").get(path).is(http.StatusNotFound)
	if links := strangers.tags("a"); !slices.ContainsFunc(links, func(a *html.Node) bool {
		return strings.HasSuffix(attr(a, "href"), "/orders") && attr(a, "class") == string(ui.Primary)
	}) {
		t.Error("who has no such order isn't led to those they have")
	}
	s.as("cara").post(path+"/shipments/"+shipment+"/receive", nil).is(http.StatusNotFound)
}

func TestRefundPages(t *testing.T) {
	s := open(t)
	order, shipment := s.bought()
	later, _ := s.bought()
	ann, bob, olga := s.as("ann"), s.as("bob"), s.as("olga")
	path := "/orders/" + order

	form := bob.get(path)
	wrong := bob.submit(form, "refund-"+shipment, "amount", "3.01", "reason", "破了").is(http.StatusUnprocessableEntity)
	wrong.shows("退款金额须大于 0")
	wrong.shows("最多 ¥3.00")
	bob.submit(wrong, "refund-"+shipment, "amount", "much", "reason", "破了").is(http.StatusUnprocessableEntity)
	bob.submit(wrong, "refund-"+shipment, "amount", "", "reason", "破了").to()
	bob.submit(wrong, "refund-"+shipment, "amount", "", "reason", "破了").to() // the same form again
	asked := bob.get(path)
	asked.shows("等待卖家答复")
	asked.shows("卖家须在此之前答复，否则自动退款")
	if asked.byID("refund-"+shipment) != nil || asked.form("grant-") != "" {
		t.Error("the buyer can ask twice, or answer")
	}
	if list := ann.get("/orders?role=seller").is(http.StatusOK); strings.Index(list.body, order) > strings.Index(list.body, later) {
		t.Error("a newer sale stands before the one whose refund waits for an answer")
	} else {
		list.shows("答复退款申请")
		list.shows("退款 · 等待卖家答复")
	}
	sale := ann.get(path)
	sale.shows("确认拒绝")
	ann.submit(sale, sale.form("refuse-"), "answer", "").is(http.StatusUnprocessableEntity).shows("请说明原因")
	ann.submit(sale, sale.form("refuse-"), "answer", "没有破").to()
	refused := bob.get(path)
	refused.shows("没有破")
	bob.submit(refused, refused.form("appeal-")).to()

	if got := bob.get("/operator").status; got != http.StatusForbidden {
		t.Errorf("the operator's page for a buyer: %d", got)
	}
	cases := olga.get("/operator").is(http.StatusOK)
	cases.shows("没有破")
	cases.shows("订单编号 " + order)
	decision := olga.get(path).is(http.StatusOK)
	decision.shows("平台管理")
	refund := strings.TrimPrefix(decision.form("decide-"), "decide-")
	olga.post(path+"/refunds/"+refund+"/decide", url.Values{"answer": {"图上看得出来"}, "grant": {"yes"}}).to()
	done := bob.get(path)
	for _, text := range []string{"已退款", "同意退款 · 平台", "图上看得出来"} {
		done.shows(text)
	}
	if status := text(done.byID("status")); !strings.Contains(status, "已退款") || strings.Contains(status, "已完成") {
		t.Errorf("an order of which everything went back is said to be %s", status)
	}
	if one := text(bob.get("/orders").byID(order)); !strings.Contains(one, "已退款") || strings.Contains(one, "已完成") {
		t.Errorf("an order of which everything went back is listed as %s", one)
	}
	olga.get("/operator").shows("没有等待裁定的退款")
	ann.get("/").shows("剩余 10 件") // it was never sent
}

// Where a form of a page is no use any more, the page says why and shows what is true now.
func TestFormsThatComeTooLate(t *testing.T) {
	s := open(t)
	order, shipment := s.bought()
	ann, bob := s.as("ann"), s.as("bob")
	sale, page := ann.get("/orders/"+order), bob.get("/orders/"+order)
	bob.submit(page, "refund-"+shipment, "reason", "不要了").to()
	late := ann.submit(sale, "ship-"+shipment, "carrier", "顺丰", "tracking", "SF1").is(http.StatusConflict)
	late.shows("有一个退款申请正在等待答复")
	ann.submit(late, late.form("grant-")).to()
	ann.submit(late, late.form("grant-")).to() // twice is once
	ann.submit(sale, "give-back-"+shipment, "reason", "没货了").to()
}

// form is the id of a form that begins like that, "" where there is none.
func (p page) form(prefix string) string {
	for _, f := range p.tags("form") {
		if id := attr(f, "id"); strings.HasPrefix(id, prefix) {
			return id
		}
	}
	return ""
}
