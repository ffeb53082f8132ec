package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Config   kong.ConfigFlag
	Settings Config `embed:""`
}

func parse(t *testing.T, environ, args []string) (*Config, error) {
	t.Helper()
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	var c cli
	k, err := kong.New(&c, append(Options(environ), kong.Exit(func(int) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse(args); err != nil {
		return nil, err
	}
	return &c.Settings, c.Settings.Validate()
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jishi.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheDefaultsAreAWorkingMarket(t *testing.T) {
	c, err := parse(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Module("pay").Database, "sqlite:data/pay.db"; got != want {
		t.Errorf("pay database %q, want %q", got, want)
	}
	if got, want := c.Module("auth").URL, "http://localhost:8080"; got != want {
		t.Errorf("auth URL %q, want %q", got, want)
	}
}

func TestThreeSpellings(t *testing.T) {
	file := written(t, "order-deadline: 5m\nlog-level: debug\npay-url: http://pay.example\n")
	c, err := parse(t, []string{"JISHI_ORDER_DEADLINE=7m", "JISHI_DRAIN=3s"}, []string{"--config", file, "--drain", "4s"})
	if err != nil {
		t.Fatal(err)
	}
	if c.LogLevel != "debug" || c.Pay.URL != "http://pay.example" {
		t.Errorf("the file was not read: %+v", c)
	}
	if c.Drain != 4*time.Second {
		t.Errorf("drain %s: a flag must win over a variable", c.Drain)
	}
	if c.OrderDeadline != 7*time.Minute {
		t.Errorf("order-deadline %s: a variable must win over the file", c.OrderDeadline)
	}
}

// Whatever kind a setting is of: a flag, then a variable, then the file, then the default.
func TestWhichSpellingWins(t *testing.T) {
	file := written(t, "operators: [usr_file]\nsandbox: true\nfee: 1\npay-url: http://file.example\n")
	c, err := parse(t, []string{"JISHI_OPERATORS=usr_variable", "JISHI_SANDBOX=false", "JISHI_FEE=2", "JISHI_PAY_URL=http://variable.example"}, []string{"--config", file, "--fee", "3"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Operators, []string{"usr_variable"}) || c.Sandbox || c.Fee != 300 || c.Pay.URL != "http://variable.example" {
		t.Errorf("operators %v, sandbox %t, fee %d, pay-url %s", c.Operators, c.Sandbox, c.Fee, c.Pay.URL)
	}
}

func TestEveryFaultIsNamed(t *testing.T) {
	_, err := parse(t, nil, []string{"--listen", "8080", "--base-url", "market.example", "--pay-database", "postgres:x", "--drain", "0s", "--trusted-proxies", "10.0.0.0/8,proxy", "--webhook-allow", "intranet", "--currency", "XXX1", "--order-deadline", "696h1s"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{"listen", "base-url", "pay-database", "drain", "trusted-proxies", "webhook-allow", "currency", "order-deadline"} {
		if !strings.Contains(err.Error(), key+" \"") {
			t.Errorf("%s isn't named in: %v", key, err)
		}
	}
}

func TestNoFaultHasAPassword(t *testing.T) {
	for key, addresses := range map[string][]string{
		"pay-database": {"mariadb://jishi:hunter2@db/pay", "mariadb://db/pay?password=hunter2", "jishi/hunter2@db"},
		"pay-url":      {"http://jishi:hunter2@pay.example", "http:jishi:hunter2@pay.example", "jishi:hunter2@pay.example"},
		"base-url":     {"http://jishi:hunter2@market.example"},
	} {
		for _, address := range addresses {
			_, err := parse(t, nil, []string{"--" + key, address})
			if err == nil || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %s: %v", key, address, err)
			}
		}
	}
	for _, text := range []string{"pay-database: [mysql://jishi:hunter2@db/pay]", "pay-database: {mysql: //jishi:hunter2@db/pay}"} {
		_, err := parse(t, nil, []string{"--config", written(t, text+"\n")})
		if err == nil || !strings.Contains(err.Error(), "pay-database") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUnknownKeysAreFaults(t *testing.T) {
	if _, err := parse(t, nil, []string{"--config", written(t, "lisen: x\n")}); err == nil || !strings.Contains(err.Error(), "lisen") {
		t.Errorf("file: got %v", err)
	}
	if _, err := parse(t, []string{"JISHI_LISTEN=:80"}, []string{"--config", written(t, "listen: :81\nlisen: x\n")}); err == nil || !strings.Contains(err.Error(), "lisen is no setting") {
		t.Errorf("file, with a variable: got %v", err)
	}
	if _, err := parse(t, []string{"JISHI_LISEN=x"}, nil); err == nil || !strings.Contains(err.Error(), "JISHI_LISEN") {
		t.Errorf("environment: got %v", err)
	}
}

// A number in the file is what it is as a flag: 600 is no duration, rather than 600 ns.
func TestNumbersOfTheFile(t *testing.T) {
	for _, text := range []string{"order-deadline: 600", "drain: 1.5", "open-orders: 1.5", "login-limit: 2.5", "listen: 8080", "currency: 7"} {
		if c, err := parse(t, nil, []string{"--config", written(t, text+"\n")}); err == nil {
			t.Errorf("%s is taken: %+v", text, c)
		}
	}
	c, err := parse(t, nil, []string{"--config", written(t, "open-orders: 3\nsandbox: 0\ndemo: true\nlogin-limit: 5\n")})
	if err != nil || c.OpenOrders != 3 || c.Sandbox || !c.Demo || c.LoginLimit != 5 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFees(t *testing.T) {
	for text, want := range map[string]Percent{"0": 0, "2.5": 250, "0.05": 5, "100": 10_000} {
		flag, err1 := parse(t, nil, []string{"--fee", text})
		file, err2 := parse(t, nil, []string{"--config", written(t, "fee: "+text+"\n")})
		if err1 != nil || err2 != nil || flag.Fee != want || file.Fee != want {
			t.Errorf("%s: %v, %v; %v, %v", text, flag, file, err1, err2)
		}
	}
	for _, text := range []string{"100.01", "-1", "2.555", "2,5", "", ".5", "1e1"} {
		if _, err := parse(t, nil, []string{"--fee=" + text}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
