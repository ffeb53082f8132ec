package story_test

import (
	"testing"

	"jishi/tests/browser"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// Who comes to the demo market for the first time has bought something after five clicks
// and four fields.
func TestFirstPurchase(t *testing.T) {
	market := harness.Start(t, harness.Config{Flags: []string{"--demo"}})
	b := browser.Open(t, browser.Config{Script: true, Language: "en"})
	clicks := 0
	click := func(selector string) {
		clicks++
		b.Follow(selector)
	}
	b.Go(market.Shop + site.ProductsPath)
	b.Loaded("article img")
	click(site.HeaderJoin)
	b.Fill(site.Field(site.RegisterForm, "identifier"), "first@example.com")
	b.Fill(site.Field(site.RegisterForm, "password"), harness.Password)
	b.Fill(site.Field(site.RegisterForm, "password_repeat"), harness.Password)
	click(site.Submit(site.RegisterForm))
	b.Fill(site.Field(site.NewWalletForm, "amount"), "500")
	click(site.Submit(site.NewWalletForm))
	click(`header a[href="/"]`)
	click("article:nth-of-type(2) form.buy button")
	b.At(site.OrderPath)
	b.See(site.OrderStatus, "Paid")
	if clicks != 5 {
		t.Errorf("%d clicks, want 5", clicks)
	}
	b.Problems()
}
