package app

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
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
	if err := p.Prepare(t.Context()); err != nil {
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

// What somebody changes in the databases is found, and the order or payment is named. What else
// the modules find in their own is for their own tests to say.
func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	const (
		refund = "INSERT INTO refunds (id, shipment_id, order_id, state, amount, currency, reason, answer, decision, open_since, paid_at, created_at) " +
			"SELECT 'rfd_x', id, order_id, 'granted', 100, currency, '', '', '', 1, 1, 1 FROM shipments WHERE amount = 1200; " +
			"INSERT INTO refund_events (refund_id, state, actor, at) VALUES ('rfd_x', 'granted', '', 1); " +
			"UPDATE shipments SET refunded = 100 WHERE amount = 1200"
		release = "UPDATE shipments SET state = 'received', shipped_at = 1, received_at = 1, released = amount, released_at = 1 WHERE amount = 1200; " +
			"INSERT INTO shipment_events (shipment_id, state, actor, at) SELECT id, 'shipped', '', 1 FROM shipments WHERE amount = 1200; " +
			"INSERT INTO shipment_events (shipment_id, state, actor, at) SELECT id, 'received', '', 1 FROM shipments WHERE amount = 1200; " +
			"UPDATE orders SET state = 'completed' WHERE total = 1200; " +
			"INSERT INTO order_events (order_id, state, at) SELECT id, 'completed', 1 FROM orders WHERE total = 1200"
		back = "UPDATE payments SET refunded = 100 WHERE amount = 1200; UPDATE payment_parties SET refunded = 100 WHERE amount = 1200"
		out  = "UPDATE payments SET released = 100 WHERE amount = 1200; UPDATE payment_parties SET released = 100 WHERE amount = 1200"

		fresh = "INSERT INTO payments SELECT 'pay_x', 'ord_other', merchant, payer, 'open', NULL, amount, currency, expires_at, created_at, NULL, 0, 0, 0, 0, 0 FROM payments WHERE amount = 1200; " +
			"INSERT INTO payment_parties SELECT 'pay_x', payee, amount, 0, 0, 0 FROM payment_parties WHERE amount = 1200"
		second = "DROP INDEX payments_order_id_merchant_key; " + // which is what keeps everybody else from it
			"INSERT INTO payments SELECT 'pay_x', order_id, merchant, payer, 'closed', NULL, amount, currency, expires_at, created_at, settled_at, 0, 0, 0, 0, 0 FROM payments WHERE amount = 1200; " +
			"INSERT INTO payment_parties SELECT 'pay_x', payee, amount, 0, 0, 0 FROM payment_parties WHERE amount = 1200"
	)
	for name, c := range map[string]struct {
		shop, pay string // statements
		compared  string // what is said of the comparison; "" is what is said when nothing is changed
		want      []string
	}{
		"nothing":                                   {},
		"a paid order is called off":                {shop: "UPDATE orders SET state = 'canceled' WHERE total = 1200", compared: "3 orders and 3 payments compared, 1 paid, 1", want: []string{paidIsCaptured + ": ord"}},
		"an unpaid order is called paid":            {shop: "UPDATE orders SET state = 'paid', total = 3500 WHERE total = 3600", compared: "3 orders and 3 payments compared, 3 paid, 0", want: []string{paidIsCaptured + ": ord"}},
		"a canceled order can be paid":              {shop: "UPDATE orders SET state = 'canceled' WHERE total = 3600", pay: "UPDATE payments SET state = 'open', wallet_id = NULL, authorized = 0, captured = 0, settled_at = NULL WHERE amount = 3600", compared: "3 orders and 3 payments compared, 2 paid, 0", want: []string{paidIsCaptured + ": ord"}},
		"an order to come can be paid":              {pay: fresh, compared: "3 orders and 4 payments compared, 2 paid, 1"},
		"no order can be paid":                      {pay: fresh + "; UPDATE payments SET created_at = 1 WHERE id = 'pay_x'", compared: "3 orders and 4 payments compared, 2 paid, 1", want: []string{paidIsCaptured + ": ord"}},
		"an order waits, and less was taken":        {pay: "UPDATE payments SET amount = 3500, authorized = 3500, captured = 3500 WHERE amount = 3600", compared: "3 orders and 3 payments compared, 2 paid, 0", want: []string{paidIsCaptured + ": ord", pay.TransferFits + ": pay"}},
		"an order vanishes":                         {shop: "DELETE FROM orders WHERE total = 1200", compared: "2 orders and 3 payments compared, 1 paid, 2", want: []string{shop.SoldIsPaid + ": prd"}},
		"an order has vanished long ago":            {shop: "DELETE FROM orders WHERE total = 1200", pay: "UPDATE payments SET settled_at = 1 WHERE amount = 1200", compared: "2 orders and 3 payments compared, 1 paid, 1", want: []string{paidIsCaptured + ": ord", shop.SoldIsPaid + ": prd"}},
		"a payment is for an order to come":         {pay: "UPDATE payments SET order_id = 'ord_other' WHERE amount = 3600"},
		"a payment is for an order that never came": {pay: "UPDATE payments SET order_id = 'ord_other', settled_at = 1 WHERE amount = 3600", compared: "3 orders and 3 payments compared, 2 paid, 0", want: []string{paidIsCaptured + ": ord"}},
		"a payment is for another order":            {pay: "UPDATE payments SET order_id = 'ord_other', settled_at = 1 WHERE amount = 1200", want: []string{paidIsCaptured + ": ord"}},
		"a payment is closed":                       {pay: "UPDATE payments SET state = 'closed', wallet_id = NULL WHERE amount = 1200", want: []string{paidIsCaptured + ": ord", pay.TransferFits + ": pay"}},
		"a payment is less":                         {pay: "UPDATE payments SET amount = 1100, authorized = 1100, captured = 1100 WHERE amount = 1200", want: []string{paidIsCaptured + ": ord", pay.TransferFits + ": pay"}},
		"a payment vanishes":                        {pay: "DELETE FROM payments WHERE amount = 1200", compared: "3 orders and 2 payments compared, 2 paid, 1", want: []string{paidIsCaptured + ": ord"}},
		"two payments change amounts":               {pay: "UPDATE payments SET amount = 3600 - amount, authorized = 3600 - amount, captured = 3600 - amount WHERE amount IN (1200, 2400)", want: []string{paidIsCaptured + ": ord", pay.TransferFits + ": pay"}},
		"a transfer vanishes":                       {pay: "DELETE FROM transfers WHERE amount = 1200", want: []string{pay.TransferFits + ": pay"}},
		"an account vanishes":                       {pay: "DELETE FROM accounts WHERE id = 'escrow:CNY'", want: []string{ledger.HasAccounts + ": escrow:CNY"}},
		"an order hears nothing":                    {pay: "UPDATE payments SET settled_at = 1 WHERE amount = 3600"},
		"an order will never hear":                  {shop: "DELETE FROM jobs", pay: "UPDATE payments SET settled_at = 1 WHERE amount = 3600", compared: "3 orders and 3 payments compared, 2 paid, 0", want: []string{paidIsCaptured + ": ord"}},
		"an order has two payments":                 {pay: second, want: []string{paidOnce + ": ord", paidIsCaptured + ": ord"}},
		"nobody gave back what is done":             {shop: refund, want: []string{settledAlike + ": ord"}},
		"nobody released what is done":              {shop: release, want: []string{settledAlike + ": ord"}},
		"money went back that nobody granted":       {pay: back, want: []string{settledAlike + ": ord"}},
		"money was released that nobody is due":     {pay: out, want: []string{settledAlike + ": ord"}},
		"another seller's share was taken":          {pay: "UPDATE payment_parties SET payee = 'usr_other' WHERE amount = 1200", want: []string{settledAlike + ": ord"}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := bought(t)
			for module, statements := range map[string]string{"shop": c.shop, "pay": c.pay} {
				db, err := sql.Open("sqlite", filepath.Join(conf.Data, module+".db"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.ExecContext(t.Context(), statements); err != nil {
					t.Fatal(err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			err := Verify(t.Context(), conf, Scope{Modules: []string{"auth", "pay", "shop"}}, &out)
			if len(c.want) == 0 && err != nil || len(c.want) > 0 && !errors.Is(err, ErrBroken) {
				t.Errorf("got %v, want %q to be broken", err, c.want)
			}
			if compared := cmp.Or(c.compared, "3 orders and 3 payments compared, 2 paid, 1"); !strings.Contains(out.String(), "shop and pay: "+compared+" captured payments wait for their order\n") {
				t.Errorf("it doesn't say %q", compared)
			}
			ours, got := []string{paidIsCaptured, paidOnce, settledAlike}, []string(nil)
			for line := range strings.Lines(out.String()) {
				if invariant, found := strings.CutPrefix(line, "VIOLATED "); found {
					parts := strings.SplitN(invariant, ": ", 3)
					kind, _, _ := strings.Cut(parts[1], "_")
					if v := parts[0] + ": " + kind; slices.Contains(ours, parts[0]) || slices.Contains(c.want, v) {
						got = append(got, v)
					}
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if got = slices.Compact(got); !slices.Equal(got, c.want) {
				t.Errorf("found %q, want %q", got, c.want)
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

// Payments of orders that the shop has lost are reported as they are read, by order: however many
// there are, none is kept.
func TestVerifyKeepsNoPaymentOfALostOrder(t *testing.T) {
	conf := bought(t)
	db, err := sql.Open("sqlite", filepath.Join(conf.Data, "pay.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) "+
		"INSERT INTO payments (id, order_id, merchant, payer, state, amount, currency, expires_at, created_at, settled_at, hold, authorized, captured, refunded, released) "+
		"SELECT printf('pay_%02d', 99 - i), printf('ord_%02d', i), 'shop', 'usr_buyer', 'captured', 100, 'CNY', 1, 1, 1, 0, 100, 100, 0, 0 FROM n")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Verify(t.Context(), conf, Scope{Modules: []string{"pay", "shop"}}, &out); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		if found, ours := strings.CutPrefix(line, "VIOLATED "+paidIsCaptured+": "); ours {
			got = append(got, found)
		}
	}
	if len(got) != 50 || !slices.IsSorted(got) {
		t.Errorf("got %q, want the 50 by order", got)
	}
}
