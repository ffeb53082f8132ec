package app

import (
	"context"
	"net/http"

	"jishi/auth"
	"jishi/auth/authguard"
	"jishi/kit/database"
	"jishi/kit/session"
	"jishi/kit/web"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payapi"
	"jishi/pay/payweb"
	"jishi/pay/webhook"
)

// payService is the rules of pay over its migrated database.
func (m *Market) payService(ctx context.Context) (*pay.Service, *database.DB, error) {
	db, err := m.open(ctx, "pay", session.Migrate, pay.Migrate)
	if err != nil {
		return nil, nil, err
	}
	var provider pay.Provider
	if m.conf.Sandbox {
		provider = pay.Sandbox{}
	}
	shop := m.conf.Module("shop").URL
	hook := shop + "/webhooks/pay"
	s := pay.New(pay.Config{
		DB:       db,
		Ledger:   ledger.New(db, m.now),
		Jobs:     m.queue("pay", db, m.now),
		Now:      m.now,
		Observe:  m.metrics.Batches("pay"),
		Currency: m.conf.Currency,
		Provider: provider,
		BaseURL:  m.conf.Module("pay").URL,
		Fee:      pay.Fee(m.conf.Fee),
		Webhooks: pay.Webhooks{
			Sender: webhook.New(outward{hook, way{m}, webhook.Transport(m.conf.WebhookNetworks())}, m.now),
			Sealer: web.NewSealer(m.secrets.Key("webhooks")),
			Own:    []pay.OwnWebhook{{Merchant: "shop", URL: hook, Secrets: webhookSecrets(m.secrets)}},
			Plain:  len(m.conf.WebhookAllow) > 0,
		},
		Returns:     map[string]string{"shop": shop + "/orders/{order}/return"},
		Programs:    []string{auth.CommandLine},
		PaymentLife: m.conf.OrderDeadline,
	})
	return s, db, nil
}

// webhookSecrets sign what pay tells shop, newest first. Both sides make them from the
// market's secrets.
func webhookSecrets(s web.Secrets) [][]byte { return s.Key("webhooks from pay to shop") }

func (m *Market) mountPay(ctx context.Context) error {
	s, db, err := m.payService(ctx)
	if err != nil {
		return err
	}
	if err := s.Prepare(ctx); err != nil {
		return err
	}
	guard := m.guard("pay", "/pay", db)
	mux := http.NewServeMux()
	guard.Routes(mux)
	payapi.Routes(mux, s, func(ctx context.Context) pay.Caller {
		who := authguard.From(ctx)
		return pay.Caller{User: who.User, Merchant: who.Client}
	})
	payweb.Routes(mux, payweb.Config{Pay: s, User: authguard.User, Login: guard.Login})
	mux.Handle("/", web.NotFound(mux))
	m.mux.Handle("/pay/", guard.Load(mux))
	m.keepSealed("pay", db)
	m.keepResealed("pay", s.Reseal)
	m.work = append(m.work, func(ctx context.Context) error { return s.Run(ctx, m.log) })
	return nil
}
