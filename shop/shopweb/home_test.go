package shopweb

import (
	"testing"

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
