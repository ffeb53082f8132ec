package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jishi/auth/authclient"
	"jishi/conf"
	"jishi/kit/job"
	"jishi/kit/money"
	"jishi/kit/rest"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payclient"
	"jishi/shop"
)

const buyer authclient.UserID = "usr_buyer"

// teller is pay as a shop sees it that sits beside it; quiet ones do and don't answer.
type teller struct {
	pay   *pay.Service
	quiet bool
}

func (p *teller) Create(ctx context.Context, in payclient.NewPayment) (payclient.Payment, error) {
	n := pay.NewPayment{Order: in.Order, ExpiresAt: in.ExpiresAt}
	for _, party := range in.Parties {
		n.Parties = append(n.Parties, pay.Party{Payee: party.Payee, Amount: party.Amount.Minor})
	}
	x, err := p.pay.Charge(ctx, pay.Caller{User: buyer, Merchant: "shop"}, n)
	if p.quiet {
		err = rest.ErrNoReply
	}
	return payclient.Payment{ID: string(x.ID), Order: x.Order, State: x.State, Amount: x.Amount, Captured: x.Captured}, err
}

// bought is a market in which two orders are paid, one for 12.00 and one for 24.00, and a
// third one for 36.00 that doesn't know it yet.
func bought(t *testing.T) *conf.Config {
	t.Helper()
	c := &conf.Config{BaseURL: "http://localhost:8080", Data: t.TempDir(), Currency: money.CNY, Sandbox: true, OrderDeadline: time.Hour, PhoneRegion: "CN"}
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p, _, err := m.payService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, err := m.openShop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := &teller{pay: p}
	s := shop.New(shop.Config{DB: db, Ledger: ledger.New(db, time.Now), Jobs: job.New(db, time.Now), Payer: there, Currency: money.CNY, PayTime: time.Hour, Now: time.Now})
	if _, err := p.OpenWallet(t.Context(), buyer, pay.NewWallet{TopUp: 10000}, ""); err != nil {
		t.Fatal(err)
	}
	product, err := s.AddProduct(t.Context(), shop.Person{ID: "usr_seller", Name: "seller"}, shop.NewProduct{Title: "teapot", Price: "12.00", Stock: 10}, "")
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		there.quiet = n == 2
		in := shop.NewOrder{Items: []shop.Item{{Product: product.ID, Quantity: n + 1}}}
		if _, err := s.PlaceOrder(t.Context(), shop.Person{ID: buyer, Name: "buyer"}, in, ""); err != nil && !there.quiet {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// What somebody changes in one of the two databases is found, and the order or payment is
// named.
func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	for name, c := range map[string]struct {
		module, statement string
		want              []string
	}{
		"nothing":                        {"shop", "SELECT 1", nil},
		"a paid order is called off":     {"shop", "UPDATE orders SET state = 'canceled' WHERE total = 1200", []string{paidIsCaptured}},
		"an unpaid order is called paid": {"shop", "UPDATE orders SET state = 'paid', total = 3500 WHERE total = 3600", []string{paidIsCaptured}},
		"an order vanishes":              {"shop", "DELETE FROM orders WHERE total = 1200", nil}, // within its grace
		"a payment is closed":            {"pay", "UPDATE payments SET state = 'closed', wallet_id = NULL WHERE amount = 1200", []string{paidIsCaptured, pay.TransferFits}},
		"a payment is less":              {"pay", "UPDATE payments SET amount = 1100, authorized = 1100, captured = 1100 WHERE amount = 1200", []string{paidIsCaptured, pay.TransferFits}},
		"a payment vanishes":             {"pay", "DELETE FROM payments WHERE amount = 1200", []string{paidIsCaptured}},
		"a payment is for another order": {"pay", "UPDATE payments SET order_id = 'ord_other', settled_at = 1 WHERE amount = 1200", []string{paidIsCaptured}},
		"two payments change amounts":    {"pay", "UPDATE payments SET amount = 3600 - amount, authorized = 3600 - amount, captured = 3600 - amount WHERE amount IN (1200, 2400)", []string{paidIsCaptured, pay.TransferFits}},
		"a transfer vanishes":            {"pay", "DELETE FROM transfers WHERE amount = 1200", []string{pay.TransferFits}},
		"an order hears nothing":         {"pay", "UPDATE payments SET settled_at = 1 WHERE amount = 3600", []string{paidIsCaptured}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := bought(t)
			db, err := sql.Open("sqlite", filepath.Join(conf.Data, c.module+".db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), c.statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = Verify(t.Context(), conf, Scope{Modules: []string{"auth", "pay", "shop"}}, &out)
			if name == "nothing" && (err != nil || !strings.Contains(out.String(), "shop and pay: 3 orders and 3 payments compared, 2 paid, 1 captured payments wait for their order\n")) {
				t.Errorf("got %v\n%s", err, &out)
			}
			if len(c.want) > 0 && !errors.Is(err, ErrBroken) {
				t.Errorf("got %v, want %v", err, ErrBroken)
			}
			for _, invariant := range c.want {
				if !strings.Contains(out.String(), "VIOLATED "+invariant+": ord_") && !strings.Contains(out.String(), "VIOLATED "+invariant+": pay_") {
					t.Errorf("%q isn't reported:\n%s", invariant, &out)
				}
			}
		})
	}
}
