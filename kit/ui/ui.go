// Package ui is the page frame and the components that all pages share.
//
// [Page] is the whole document around a page's content; what it shows of the reader
// (name, cart, language, theme) is the [Visitor] that [Middleware] puts into the context.
// Components get texts and addresses as they are shown, and decide nothing but presence.
// Every one works without script; htmx makes some of them smoother. The package knows
// where the parts of the market are ([Site]), but none of them.
package ui

import (
	"embed"
	"net/url"
)

// Locales has the texts of the frame and of the refusals that kit itself declares.
//
//go:embed locales
var Locales embed.FS

// Site is where the parts of the market are. The fields are origins without a trailing
// slash, "https://shop.example.org", and empty where everything has one origin.
type Site struct{ Shop, Pay, Auth string }

// Products is all products.
func (s Site) Products() string { return s.Shop + "/" }

// Search is what the search form is sent to, with the query as q.
func (s Site) Search() string { return s.Products() }

// Product is one product's page.
func (s Site) Product(id string) string { return s.Shop + "/products/" + url.PathEscape(id) }

// Home is the reader's own page after login.
func (s Site) Home() string { return s.Shop + "/home" }

// Cart is the reader's cart.
func (s Site) Cart() string { return s.Shop + "/cart" }

// Sell is the form that adds a product.
func (s Site) Sell() string { return s.Shop + "/sell" }

// Orders is what the reader bought.
func (s Site) Orders() string { return s.Shop + "/orders" }

// Sales is what the reader sold.
func (s Site) Sales() string { return s.Shop + "/orders?role=seller" }

// Wallets is the reader's wallets.
func (s Site) Wallets() string { return s.Pay + "/pay/" }

// Wallet is one of them, with its statement.
func (s Site) Wallet(id string) string { return s.Pay + "/pay/wallets/" + url.PathEscape(id) }

// Account is the reader's account: name, password, devices.
func (s Site) Account() string { return s.Auth + "/auth/account" }

// Login is where a reader logs in. Modules whose own session must begin too send the
// reader through a route of their own: they set [Visitor].Login.
func (s Site) Login() string { return s.Auth + "/auth/login" }

// Register is where a new user registers.
func (s Site) Register() string { return s.Auth + "/auth/register" }

// Logout takes a POST, and ends the session.
func (s Site) Logout() string { return s.Auth + "/auth/logout" }
