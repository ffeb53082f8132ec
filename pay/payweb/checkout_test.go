package payweb_test

import (
	"strings"
	"testing"

	"jishi/pay"
)

// A page may be older than the wallets on it: what is spent elsewhere in the meantime is said,
// also where another wallet has enough.
func TestTheCashierSaysWhatWasRefused(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	cashier := s.charge(t, "ord_1")
	var wallets [2]pay.Wallet
	for i, minor := range []int64{300, 30_000} {
		var err error
		if wallets[i], err = s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: minor}, ""); err != nil {
			t.Fatal(err)
		}
	}
	form := s.get(t, cashier).form(t, cashier)
	if form.Get("wallet") != string(wallets[0].ID) {
		t.Fatalf("chosen is %s, want the default wallet %s", form.Get("wallet"), wallets[0].ID)
	}
	_, err := s.Charge(t.Context(), pay.Caller{User: alice, Merchant: "shop"}, pay.NewPayment{
		Order: "ord_2", Parties: []pay.Party{{Payee: "usr_seller", Amount: 100}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := s.do(t, alice, "POST", cashier, form)
	if p.status != 402 || !strings.Contains(p.one(t, "div#matter"), "¥1.00 short") {
		t.Errorf("%d: %s", p.status, text(p.doc))
	}
	form = p.form(t, cashier)
	if form.Get("wallet") != string(wallets[1].ID) {
		t.Errorf("then chosen is %s, want %s, which has enough", form.Get("wallet"), wallets[1].ID)
	}
	if p = s.do(t, alice, "POST", cashier, form); p.status != 303 {
		t.Errorf("%d: %s", p.status, text(p.doc))
	}
	if len(s.get(t, cashier).all("form#pay")) != 0 {
		t.Error("it isn't paid")
	}
}
