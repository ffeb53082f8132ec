package pay_test

import (
	"context"
	"fmt"
	"strings"

	"jishi/auth/authclient"
	"jishi/kit/fault"
	"jishi/pay"
	"jishi/pay/payclient"
)

// request is what somebody asks for, and what the model says of it.
type request struct {
	name  string // its first word is the verb
	reads bool   // it changes nothing, so nobody misses one that had no answer
	do    func(ctx context.Context, s *pay.Service) (string, error)
	model func(m *model) (string, error)
}

func (r *request) verb() string {
	verb, _, _ := strings.Cut(r.name, " ")
	return verb
}

// answer is what somebody was told: what was done, or the code of a refusal.
func answer(said string, err error) string {
	if err != nil {
		return fault.Of(err).Code
	}
	return "done: " + said
}

// target is an order whose payment something is asked for. Without an id it is looked up.
type target struct {
	order string
	id    pay.PaymentID
}

func (x target) payment(ctx context.Context, s *pay.Service) (pay.PaymentID, error) {
	if x.id != "" {
		return x.id, nil
	}
	p, err := s.PaymentOf(ctx, merchant, x.order)
	return p.ID, err
}

// told is what an answer says of the payment, but for what others may do to its shares before
// somebody is told that the money was taken.
func (x target) told(p pay.Payment) string {
	if p.Order != x.order || x.id != "" && p.ID != x.id {
		return fmt.Sprintf("%s for %s", p.ID, p.Order)
	}
	return told(p.State, p.Expired, p.Authorized.Minor, p.Captured.Minor, p.Shares)
}

// modelled is told, of the model's payment.
func (x target) modelled(m *model) string {
	p := m.payments[x.order]
	if p == nil {
		return ""
	}
	authorized := int64(0)
	if p.wallet != nil {
		authorized = p.amount()
	}
	return told(p.state, p.expired, authorized, p.sum(func(s pay.Share) int64 { return s.Captured }), p.shares)
}

func told(state string, expired bool, authorized, captured int64, shares []pay.Share) string {
	text := fmt.Sprintf("%s, expired %t, %d authorized, %d captured", state, expired, authorized, captured)
	for _, s := range shares {
		text += fmt.Sprintf(", %d of %d for %s", s.Captured, s.Amount, s.Payee)
	}
	return text
}

// asks is a request about a payment.
func (x target) asks(name string, do func(ctx context.Context, s *pay.Service, id pay.PaymentID) (pay.Payment, error), says func(m *model) error) *request {
	return x.asksFor(name, func(ctx context.Context, s *pay.Service, id pay.PaymentID) (string, error) {
		p, err := do(ctx, s, id)
		return x.told(p), err
	}, func(m *model) (string, error) { err := says(m); return x.modelled(m), err })
}

// asksFor is a request with a payment's id, which nobody has before there is one.
func (x target) asksFor(name string, do func(ctx context.Context, s *pay.Service, id pay.PaymentID) (string, error), says func(m *model) (string, error)) *request {
	return &request{
		name: name,
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			id, err := x.payment(ctx, s)
			if err != nil {
				return "", err
			}
			return do(ctx, s, id)
		},
		model: func(m *model) (string, error) {
			if m.payments[x.order] == nil {
				return "", payclient.ErrNoPayment
			}
			return says(m)
		},
	}
}

// charge is for the money of a user, from that wallet.
func (x target) charge(user authclient.UserID, in pay.NewPayment, wallet int) *request {
	return &request{
		name: fmt.Sprintf("charge %s %+v", user, in),
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			p, err := s.Charge(ctx, shop(user), in)
			return x.told(p), err
		},
		model: func(m *model) (string, error) { err := m.charge(user, in, wallet); return x.modelled(m), err },
	}
}

func (x target) pay(user authclient.UserID, wallet int, id pay.WalletID) *request {
	return x.asks(fmt.Sprintf("pay %s by %s from %d", x.order, user, wallet),
		func(ctx context.Context, s *pay.Service, payment pay.PaymentID) (pay.Payment, error) {
			return s.Pay(ctx, user, payment, id)
		},
		func(m *model) error { return m.pay(user, x.order, wallet) })
}

func (x target) capture(parties []pay.Party) *request {
	return x.asks(fmt.Sprintf("capture %s %+v", x.order, parties),
		func(ctx context.Context, s *pay.Service, payment pay.PaymentID) (pay.Payment, error) {
			return s.Capture(ctx, merchant, payment, parties)
		},
		func(m *model) error { return m.capture(x.order, parties) })
}

// close is by the merchant, who may do it before anybody has asked for the order's money.
func (x target) close() *request {
	return &request{
		name: "close " + x.order,
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			p, err := s.CloseOrder(ctx, merchant, x.order)
			return x.told(p), err
		},
		model: func(m *model) (string, error) { err := m.closeOrder(x.order); return x.modelled(m), err },
	}
}

// withdraw is closing by the payer.
func (x target) withdraw(user authclient.UserID) *request {
	return x.asks(fmt.Sprintf("withdraw %s by %s", x.order, user),
		func(ctx context.Context, s *pay.Service, payment pay.PaymentID) (pay.Payment, error) {
			return s.Close(ctx, shop(user), payment)
		},
		func(m *model) error { return m.withdraw(user, x.order) })
}

func (x target) refund(in pay.NewRefund) *request {
	return x.asksFor(fmt.Sprintf("refund %s %+v", x.order, in),
		func(ctx context.Context, s *pay.Service, payment pay.PaymentID) (string, error) {
			r, err := s.Refund(ctx, merchant, payment, in)
			return fmt.Sprint(r.Amount.Minor, r.From), err
		},
		func(m *model) (string, error) {
			err := m.refund(x.order, in)
			return m.payments[x.order].refunds[in.ID].said, err
		})
}

func (x target) release(in pay.NewRelease) *request {
	return x.asksFor(fmt.Sprintf("release %s %+v", x.order, in),
		func(ctx context.Context, s *pay.Service, payment pay.PaymentID) (string, error) {
			r, err := s.Release(ctx, merchant, payment, in)
			return fmt.Sprint(r.Amount.Minor, r.Fee.Minor, r.Net.Minor), err
		},
		func(m *model) (string, error) {
			err := m.release(x.order, in)
			return m.payments[x.order].given[in.ID].said, err
		})
}

// halting is a provider whose money comes later where the amount is odd.
type halting struct{ pay.Sandbox }

func comesLater(minor int64) bool { return minor%2 == 1 }

func (p halting) Collect(ctx context.Context, t pay.TopUp) (pay.Receipt, error) {
	if comesLater(t.Amount.Minor) {
		return pay.Receipt{}, nil
	}
	return p.Sandbox.Collect(ctx, t)
}

func topUp(user authclient.UserID, wallet int, in pay.NewTopUp, key string) *request {
	return &request{
		name: fmt.Sprintf("top-up %s %s's %d with %d", key, user, wallet, in.Amount),
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			t, err := s.TopUp(ctx, user, in, key)
			return fmt.Sprint(t.State, t.Amount.Minor), err
		},
		model: func(m *model) (string, error) {
			m.topUp(user, wallet, in.Amount, key)
			return fmt.Sprint(m.topUps[key].state, in.Amount), nil
		},
	}
}

// confirm is news that a top-up's money has come.
func confirm(t pay.TopUp, key string) *request {
	return &request{
		name: "confirm " + key,
		do: func(ctx context.Context, s *pay.Service) (string, error) {
			got, err := s.Confirm(ctx, t.ID, pay.Receipt{Reference: string(t.ID), Amount: t.Amount})
			return fmt.Sprint(got.State, got.Amount.Minor), err
		},
		model: func(m *model) (string, error) {
			m.confirm(key)
			return fmt.Sprint(m.topUps[key].state, m.topUps[key].amount), nil
		},
	}
}
