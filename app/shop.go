package app

import (
	"context"
	"net/http"
	"path/filepath"

	"jishi/auth/authclient"
	"jishi/auth/authguard"
	"jishi/kit/database"
	"jishi/kit/ops"
	"jishi/kit/rest"
	"jishi/kit/session"
	"jishi/kit/web"
	"jishi/ledger"
	"jishi/pay/payclient"
	"jishi/shop"
	"jishi/shop/picture"
	"jishi/shop/shopapi"
	"jishi/shop/shopclient"
	"jishi/shop/shopweb"
)

// openShop opens and migrates the shop's database.
func (m *Market) openShop(ctx context.Context) (*database.DB, error) {
	return m.open(ctx, "shop", session.Migrate, shop.Migrate)
}

// shopOver is the rules of the shop over its migrated database, with what they talk to.
func (m *Market) shopOver(db *database.DB, c shop.Config) *shop.Service {
	c.DB, c.Ledger = db, ledger.New(db, m.now)
	c.Currency, c.PayTime, c.Now = m.conf.Currency, m.conf.OrderDeadline, m.now
	c.Terms = shop.Terms{
		ConfirmAfter: m.conf.ConfirmAfter, RefundWindow: m.conf.RefundWindow, AnswerTime: m.conf.RefundAnswer,
		ScarceTime: m.conf.ScarceDeadline, OpenOrders: m.conf.OpenOrders, OpenPieces: m.conf.OpenPieces,
	}
	for _, id := range m.conf.Operators {
		c.Operators = append(c.Operators, authclient.UserID(id))
	}
	return shop.New(c)
}

func (m *Market) mountShop(ctx context.Context) error {
	db, err := m.openShop(ctx)
	if err != nil {
		return err
	}
	pictures, err := picture.Open(filepath.Join(m.conf.Data, "pictures"))
	if err != nil {
		return err
	}
	m.closers = append(m.closers, pictures.Close)
	guard := m.guard("shop", "", db, "pay")
	payURL := m.conf.Module("pay").URL
	buyer := payclient.New(payURL, rest.Bearer(m.client(), guard.Token))
	service := payclient.New(payURL, rest.Bearer(m.client(), guard.ServiceToken("pay")))
	s := m.shopOver(db, shop.Config{Jobs: m.queue("shop", db, m.now), Pictures: pictures, Payer: buyer, Payments: service, Observe: m.metrics.Batches("shop")})
	m.shop = s
	m.metrics.Add("shop", ops.Reading{
		Name: "jishi_findings", Label: "state",
		Help: "What the shop and pay did not agree on when they were compared, by whether it is still so.",
		Read: func(ctx context.Context) (map[string]float64, error) {
			n, err := s.CountFindings(ctx)
			return map[string]float64{shopclient.FindingOpen: float64(n[shop.OpenFinding]), shopclient.FindingMended: float64(n[shop.Mended])}, err
		},
	})
	person := func(ctx context.Context) shop.Person {
		who := authguard.From(ctx)
		return shop.Person{ID: who.User, Name: who.Name}
	}
	mux := http.NewServeMux()
	guard.Routes(mux)
	shopapi.Routes(mux, shopapi.Config{Shop: s, User: person, BaseURL: m.conf.Module("shop").URL, Webhooks: webhookSecrets(m.secrets)})
	shopweb.Routes(mux, shopweb.Config{Shop: s, Wallets: buyer, User: person, Login: guard.Login,
		Sealer: web.NewSealer(m.secrets.Key("carts of guests")), Secure: web.CookiesFor(m.conf.BaseURL).Secure})
	mux.Handle("/", web.NotFound(mux))
	m.mux.Handle("/", guard.Load(mux))
	m.mux.Handle("GET /pictures/", mux) // caches keep them for everybody: nothing of a session belongs there

	m.keepSealed("shop", db)
	m.work = append(m.work, func(ctx context.Context) error { return s.Run(ctx, m.log) })
	return nil
}
