package payweb_test

import (
	"slices"
	"strings"
	"testing"

	"jishi/pay"
	"jishi/pay/payclient"
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
	if p.status != 402 || !strings.Contains(p.one(t, "div#matter"), "the wallet you chose is ¥1.00 short") {
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

// A message tells money that is taken from money that is only set aside.
func TestTheCashierSaysWhatWasDone(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	s.purchase(t, pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{Payee: "usr_seller", Amount: 300}}}, "Paid ¥3.00.")
	s.purchase(t, pay.NewPayment{Order: "ord_2", Parties: []pay.Party{{Payee: "usr_seller", Amount: 300}}, Hold: true}, "Reserved ¥3.00")
}

// purchase agrees to a payment at the cashier, whose next page has to say that.
func (s *site) purchase(t *testing.T, in pay.NewPayment, says string) {
	t.Helper()
	_, err := s.Charge(t.Context(), pay.Caller{User: alice, Merchant: "shop"}, in)
	short, ok := payclient.ShortageOf(err)
	if !ok {
		t.Fatal(err)
	}
	if _, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 300}, ""); err != nil {
		t.Fatal(err)
	}
	cashier := strings.TrimPrefix(short.CheckoutURL, "http://pay.test")
	if p := s.do(t, alice, "POST", cashier, s.get(t, cashier).form(t, cashier)); p.status != 303 {
		t.Fatalf("%d: %s", p.status, text(p.doc))
	}
	if got := s.get(t, cashier).one(t, "#flash"); !strings.Contains(got, says) {
		t.Errorf("%s: it says %q, want %q", in.Order, got, says)
	}
}

// What can be paid is less than the balance while something is held.
func TestFormsShowWhatIsAvailable(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	s.purchase(t, pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{Payee: "usr_seller", Amount: 300}}, Hold: true}, "Reserved ¥3.00")
	w := s.purse(t).Wallets[0]
	if _, err := s.TopUp(t.Context(), alice, pay.NewTopUp{Wallet: w.ID, Amount: 100}, ""); err != nil {
		t.Fatal(err)
	}
	cashier := s.charge(t, "ord_2")
	for _, address := range []string{cashier, "/pay/topup"} {
		if got := s.get(t, address).one(t, "select#topup-wallet"); !strings.Contains(got, "¥1.00") {
			t.Errorf("%s: %q", address, got)
		}
	}
}

func TestAReservationMovesNoAmount(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	s.purchase(t, pay.NewPayment{Order: "ord_1", Parties: []pay.Party{{Payee: "usr_seller", Amount: 300}}, Hold: true}, "Reserved ¥3.00")
	p := s.get(t, "/pay/wallets/"+string(s.purse(t).Wallets[0].ID))
	if got := text(p.all("tr.entry")[0]); !strings.HasSuffix(got, "Reserved ¥3.00 for order ord_1 — ¥3.00") {
		t.Errorf("%q", got)
	}
	var amounts []string
	for _, h := range p.all("th.text-end") {
		amounts = append(amounts, text(h))
	}
	if want := []string{"Amount", "Balance"}; !slices.Equal(amounts, want) {
		t.Errorf("got %q, want %q", amounts, want)
	}
}
