// Package site is where things are in the market's pages: their paths, and the selectors
// of what a test presses, fills in or reads. A test that breaks since a page has
// been rearranged is mended here.
package site

import "fmt"

// Paths of pages.
const (
	ProductsPath = "/"
	HomePath     = "/home"
	SellPath     = "/sell"
	CartPath     = "/cart"
	OrdersPath   = "/orders"
	OrderPath    = "/orders/ord_"   // and the rest of an id
	ProductPath  = "/products/prd_" // and the rest of an id
	SalesPath    = "/orders?role=seller"
	OperatorPath = "/operator"
	LoginPath    = "/auth/login"
	RegisterPath = "/auth/register"
	LogoutPath   = "/auth/logout"
	AccountPath  = "/auth/account"
	WalletsPath  = "/pay/"
	WalletPath   = "/pay/wallets/wal_" // and the rest of an id
	TopUpPath    = "/pay/topup"
	CheckoutPath = "/pay/checkout/pay_" // and the rest of an id
)

// Cookies that keep how a reader wants the pages.
const (
	LanguageCookie = "lang"  // zh or en
	ThemeCookie    = "theme" // light or dark
)

// The frame around every page.
const (
	Title       = "main h1"
	Main        = "main"
	Flash       = "#flash"
	CartBadge   = "#cart-badge"
	AccountMenu = "header details:has(form.logout) > summary"
	Logout      = "header form.logout button"
	HeaderLogin = `header nav a[href*="login"]`
	HeaderJoin  = `header nav a[href$="/auth/register"]`
	Preferences = "header details:has(form.preferences) > summary"
	Search      = `header input[name="q"]`
	SearchGo    = "header form[role=search] button"
)

// Language is the button that chooses one, "zh" or "en".
func Language(lang string) string {
	return fmt.Sprintf(`header form.preferences button[name="lang"][value="%s"]`, lang)
}

// P1: login and registration.
const (
	LoginForm    = "#login"
	RegisterForm = "#register"
	ToRegister   = `main a[href*="/auth/register"]`
)

// P2: home after login.
const (
	NewWalletForm = "#new-wallet"
	HomeWallets   = "#wallets"
	HomeLogout    = "#logout button"
)

// HomeLink is a link of the home page to a page of the module at base.
func HomeLink(base, path string) string {
	return fmt.Sprintf(`main nav a:is([href="%s%s"], [href="%s"])`, base, path, path)
}

// P3: add a product.
const (
	SellForm    = "#sell"
	SellPicture = `#sell input[name="image"][type="file"]`
)

// P4: all products.
const (
	ProductID  = "main .product-id" // on a product's page
	ProductPic = "main img"
)

// Card is a product among all products.
func Card(product string) string { return `main article[id="` + product + `"]` }

// Buy is a product's form to buy a quantity now.
func Buy(product string) string { return "#buy-" + product }

// Add is a product's form to put a quantity into the cart.
func Add(product string) string { return "#add-" + product }

// P5: the cart.
const (
	Cart         = "#cart"
	CheckoutForm = "#checkout"
	Checkout     = "#checkout button"
)

// Line is a product in the cart.
func Line(product string) string { return "#line-" + product }

// Quantity is the input of a line of the cart.
func Quantity(product string) string { return Line(product) + ` [name="quantity"]` }

// LineUpdate is the button beside the quantity of a line of the cart.
func LineUpdate(product string) string { return Line(product) + " form.quantity button" }

// P6 and P8: an order, and all of them.
const (
	OrderStatus = "#status"
	AllOrders   = "#orders > article"
)

// P6 and P7: what an order's own page offers while it is not paid.
const (
	OrderPay    = "#pay button"
	OrderCancel = "#cancel button"
)

// What follows payment, on an order's own page. Each form has the id of a shipment or a refund
// after this, and an order of one seller has one of each.
const (
	ShipForm    = `form[id^="ship-"]`
	ReceiveForm = `form[id^="receive-"]`
	RefundForm  = `form[id^="refund-"]`
	GrantForm   = `form[id^="grant-"]`
	RefuseForm  = `form[id^="refuse-"]`
	AppealForm  = `form[id^="appeal-"]`
	DecideForm  = `form[id^="decide-"]`
	DecideYes   = DecideForm + ` [name="grant"][value="yes"]`
	GiveBack    = `form[id^="give-back-"]`
	Refund      = `article[id^="rfd_"]`
	History     = "#history"
)

// Open is what opens a form that is folded.
func Open(form string) string { return "details:has(> " + form + ") > summary" }

// Shipment is the part of an order that a product is in.
func Shipment(product string) string {
	return `section[id^="shp_"]:has(a[href*="` + product + `"])`
}

// P7: the cashier.
const (
	Matter        = "#matter"  // why it is not paid
	ToOrder       = "a#back"   // back to where the reader came from
	CashierPay    = "form#pay" // from a wallet that has enough
	CashierTopUp  = "form.topup"
	CashierNew    = "main details > summary" // opens the form below
	CashierCreate = "#new-wallet form"       // also on the page of all wallets
)

// P9: wallets, and the statement of one.
const (
	Wallet        = "#wallets .wallet"
	WalletLink    = "#wallets .wallet h2 a"
	WalletNumber  = "#wallets .wallet .number"
	WalletBalance = "main .balance"
	Entry         = "#entries tr.entry"
)

// Order is one of all orders.
func Order(id string) string { return `#orders article[id="` + id + `"]` }

// Field is an input of a form.
func Field(form, name string) string { return fmt.Sprintf(`%s [name="%s"]`, form, name) }

// Submit is the button of a form.
func Submit(form string) string { return form + " button:not([disabled])" }

// Invalid is an input of a form that was refused.
func Invalid(form, name string) string { return Field(form, name) + `[aria-invalid="true"]` }
