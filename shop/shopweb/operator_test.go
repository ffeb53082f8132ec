package shopweb

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jishi/kit/database"
	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

func TestOperatorPages(t *testing.T) {
	s := open(t)
	olga := s.as("olga")
	olga.get("/home").is(http.StatusOK).shows("平台管理")
	olga.get("/operator").is(http.StatusOK).shows("对账结果")
	for _, state := range []string{"", "?state=mended", "?state=nonsense"} {
		olga.get("/operator/findings" + state).is(http.StatusOK).shows("没有需要处理的差异")
	}
	findings := olga.get("/operator/findings")
	findings.shows("还没有完成过核对")
	findings.shows("查看已修复")
	bob := s.as("bob")
	if strings.Contains(bob.get("/home").is(http.StatusOK).body, "/operator") {
		t.Error("the home page of one who operates nothing leads to the operator's")
	}
	bob.get("/operator/findings").is(http.StatusForbidden)
}

// What was found is told in the reader's language, and leads to the order where there is one.
func TestFindingsAreShown(t *testing.T) {
	now := database.At(time.Now())
	f := shop.Finding{ID: "fnd_1", OrderID: "ord_1", What: shopclient.FoundRefund, Found: "shipment shp_1", State: shop.OpenFinding, Since: now, SeenAt: now}
	none := f
	none.ID, none.OrderID, none.What, none.State = "fnd_2", "ord_2", shopclient.FoundNoOrder, shop.Mended
	texts, err := locale.New(ui.Locales, Locales)
	if err != nil {
		t.Fatal(err)
	}
	h := texts.Middleware(ui.Middleware(ui.Site{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := findingsView{Findings: []findingView{findingViewOf(r.Context(), f), findingViewOf(r.Context(), none)}}
		if err := web.Render(w, r, http.StatusOK, findingsPage(v)); err != nil {
			t.Error(err)
		}
	})))
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/operator/findings", nil)
	r.Header.Set("Accept-Language", "zh-CN")
	h.ServeHTTP(w, r)
	body := w.Body.String()
	for _, want := range []string{"已同意的退款没有完成", "ord_1", "shipment shp_1", `href="/orders/ord_1"`, "收款所属的订单不存在", "已修复"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(body, `href="/orders/ord_2"`) {
		t.Error("it leads to an order that there isn't")
	}
}
