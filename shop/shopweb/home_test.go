package shopweb

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"jishi/kit/money"
	"jishi/pay/payclient"
)

func TestAWalletSaysWhatIsHeld(t *testing.T) {
	yuan := func(n int64) money.Amount { return money.Amount{Minor: n, Currency: money.CNY} }
	if v := walletOf(t.Context(), payclient.Wallet{Balance: yuan(500), Available: yuan(200)}); v.Balance != "¥5.00" || v.Held != "¥3.00" {
		t.Errorf("%+v", v)
	}
	if v := walletOf(t.Context(), payclient.Wallet{Balance: yuan(500), Available: yuan(500)}); v.Held != "" {
		t.Errorf("%+v", v)
	}
}

func TestHomeLeadsToStatements(t *testing.T) {
	s := open(t)
	ann := s.as("ann")
	home := ann.get("/home")
	ann.submit(home, "new-wallet", "name", "日常").to() // an amount need not be
	home = ann.get("/home")
	home.shows("¥0.00")
	home.shows("默认钱包")
	if !strings.HasPrefix(attr(find(home.byID("wallets"), func(n *html.Node) bool { return n.Data == "a" })[0], "href"), "/pay/wallets/wal_") {
		t.Error("a wallet doesn't lead to its statement")
	}
}
