// Package conf is everything that an operator can set: one struct, its defaults and its
// checks. Flags, JISHI_… variables and a YAML file are three spellings of it.
package conf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"jishi/kit/money"
)

// Modules are the parts of the market that a process can run.
var Modules = []string{"auth", "pay", "shop"}

// maxOrderDeadline is a day less than what pay takes payments for, since clocks differ: an
// order whose payment it refuses is canceled at once.
const maxOrderDeadline = 29 * 24 * time.Hour

// Config with its defaults is a working market.
type Config struct {
	Listen         string   `default:"127.0.0.1:8080" help:"Address of pages and APIs."`
	BaseURL        string   `default:"http://localhost:8080" help:"What browsers call us; redirects and tokens are made from it, never from the Host header."`
	TrustedProxies []string `help:"Networks (CIDR) of the reverse proxies in front, whose X-Forwarded-For says who a request comes from; none by default."`
	OpsListen      string   `help:"Private address of health, readiness, metrics and profiles; none when empty."`

	Data       string `default:"./data" help:"Directory of the databases, pictures and keys."`
	SecretFile string `help:"File of the market's secrets, a base64 line each; the first one seals and signs, all of them open. Services that work together share it. Made at the first start. Default: secret in the data directory."`

	LogDir   string        `help:"Directory for log files, rotated; none when empty."`
	LogLevel string        `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	Drain    time.Duration `default:"10s" help:"How long requests may go on after SIGTERM."`

	Currency       money.Currency `default:"CNY" help:"The currency of prices and wallets (ISO 4217)."`
	PhoneRegion    string         `default:"CN" help:"Region of phone numbers written without a country code (ISO 3166)."`
	OrderDeadline  time.Duration  `default:"30m" help:"How long an unpaid order keeps its goods, at most 696h (29 days)."`
	ScarceDeadline time.Duration  `default:"5m" help:"The same for one that leaves fewer than 10 pieces of a product to others; 0 is as long as for all."`
	OpenOrders     int64          `default:"10" help:"How many unpaid orders a buyer may have at once; 0 is any number."`
	OpenPieces     int64          `default:"200" help:"How many pieces of one product the unpaid orders of a buyer may hold; 0 is any number."`
	ConfirmAfter   time.Duration  `default:"240h" help:"How long after shipping a shipment counts as received, unless its buyer says so earlier."`
	RefundWindow   time.Duration  `default:"360h" help:"How long after receipt a buyer can ask for a refund."`
	RefundAnswer   time.Duration  `default:"72h" help:"How long a seller has to answer a request for a refund; then it is granted."`
	Operators      []string       `help:"Ids (usr_…) of the users who decide refunds that buyer and seller can't agree on, and see what reconciliation finds."`
	Sandbox        bool           `default:"true" negatable:"" help:"Top-ups with play money."`
	Fee            Percent        `default:"0" help:"The market's part of what sellers get, in percent with at most two decimals."`
	WebhookAllow   []string       `help:"Networks (CIDR) that webhooks may go to although they are not public, also without TLS; none by default."`
	Demo           bool           `help:"Start with the demo market where nobody has registered yet."`
	LoginLimit     int            `default:"20" help:"Wrong passwords per account in ten minutes before its logins are refused, but in browsers that its user has logged in with."`

	Auth Module `embed:"" prefix:"auth-"`
	Pay  Module `embed:"" prefix:"pay-"`
	Shop Module `embed:"" prefix:"shop-"`
}

// Module is what can be set for each module.
type Module struct {
	Database string `help:"Database: sqlite:FILE or mysql://user:password@host:port/name. Default: an SQLite file in the data directory."`
	URL      string `help:"Base URL where this module runs, if not in this process. Default: the base URL."`
}

// Module is the settings of one of Modules, with every default filled in.
func (c *Config) Module(name string) Module {
	m := map[string]Module{"auth": c.Auth, "pay": c.Pay, "shop": c.Shop}[name]
	if m.Database == "" {
		m.Database = "sqlite:" + filepath.Join(c.Data, name+".db")
	}
	if m.URL == "" {
		m.URL = c.BaseURL
	}
	m.URL = strings.TrimSuffix(m.URL, "/")
	return m
}

// Proxies is TrustedProxies as networks.
func (c *Config) Proxies() []netip.Prefix { return networks(c.TrustedProxies) }

// WebhookNetworks is WebhookAllow as networks.
func (c *Config) WebhookNetworks() []netip.Prefix { return networks(c.WebhookAllow) }

// networks leaves out those that are none, since Validate names them.
func networks(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			all = append(all, p.Masked())
		}
	}
	return all
}

// Secrets is the path of the secret file.
func (c *Config) Secrets() string {
	if c.SecretFile != "" {
		return c.SecretFile
	}
	return filepath.Join(c.Data, "secret")
}

// Validate names every setting that is wrong, not only the first.
func (c *Config) Validate() error {
	var errs []error
	wrong := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s %q: want %s", key, fmt.Sprint(value), want))
	}
	wantOrigin := func(key, text string) {
		if origin(text) {
			return
		}
		if strings.Contains(text, "@") {
			text = kindOnly(text)
		}
		wrong(key, text, "http(s)://host without a user or a path")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		wrong("listen", c.Listen, "host:port")
	}
	if _, _, err := net.SplitHostPort(c.OpsListen); c.OpsListen != "" && err != nil {
		wrong("ops-listen", c.OpsListen, "host:port")
	}
	for key, texts := range map[string][]string{"trusted-proxies": c.TrustedProxies, "webhook-allow": c.WebhookAllow} {
		for _, text := range texts {
			if _, err := netip.ParsePrefix(text); err != nil {
				wrong(key, text, "networks such as 10.0.0.0/8 or 192.0.2.7/32")
			}
		}
	}
	wantOrigin("base-url", c.BaseURL)
	for _, name := range Modules {
		m := c.Module(name)
		wantOrigin(name+"-url", m.URL)
		if scheme, rest, _ := strings.Cut(m.Database, ":"); !slices.Contains([]string{"sqlite", "mysql"}, scheme) || rest == "" {
			wrong(name+"-database", kindOnly(m.Database), "sqlite:FILE or mysql://user:password@host:port/name")
		}
	}
	if c.Data == "" {
		wrong("data", c.Data, "a directory")
	}
	for key, d := range map[string]time.Duration{
		"drain": c.Drain, "order-deadline": c.OrderDeadline,
		"confirm-after": c.ConfirmAfter, "refund-window": c.RefundWindow, "refund-answer": c.RefundAnswer,
	} {
		if d <= 0 {
			wrong(key, d, "more than zero")
		}
	}
	if c.OrderDeadline > maxOrderDeadline {
		wrong("order-deadline", c.OrderDeadline, "at most 696h, which is 29 days")
	}
	for key, n := range map[string]int64{"scarce-deadline": int64(c.ScarceDeadline), "open-orders": c.OpenOrders, "open-pieces": c.OpenPieces} {
		if n < 0 {
			wrong(key, n, "0 or more")
		}
	}
	for _, id := range c.Operators {
		if !strings.HasPrefix(id, "usr_") {
			wrong("operators", id, "ids of users, which begin with usr_")
		}
	}
	if !c.Currency.Known() {
		wrong("currency", c.Currency, "an ISO 4217 code such as CNY")
	}
	if len(c.PhoneRegion) != 2 || strings.ToUpper(c.PhoneRegion) != c.PhoneRegion {
		wrong("phone-region", c.PhoneRegion, "an ISO 3166 code such as CN")
	}
	if c.LoginLimit < 1 {
		wrong("login-limit", c.LoginLimit, "at least 1")
	}
	return errors.Join(errs...)
}

// kindOnly is all that an error shows of an address which isn't as it should be, since a
// password may stand anywhere in it.
func kindOnly(address string) string {
	kind, _, found := strings.Cut(address, ":")
	if !found {
		return "…"
	}
	return kind + ":…"
}

// origin tells whether s is an http(s) address without path, query or user.
func origin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil
}
