package money

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		minor int64
		err   error
	}{
		"12":                   {1200, nil},
		"12.5":                 {1250, nil},
		" 12.50 ":              {1250, nil},
		"0":                    {0, nil},
		"0.01":                 {1, nil},
		"92233720368547758.07": {math.MaxInt64, nil},
		"92233720368547758.08": {0, ErrRange},
		"99999999999999999999": {0, ErrRange},
		"":                     {0, ErrMalformed},
		".":                    {0, ErrMalformed},
		".5":                   {0, ErrMalformed},
		"5.":                   {0, ErrMalformed},
		"-1":                   {0, ErrMalformed},
		"+1":                   {0, ErrMalformed},
		"1e3":                  {0, ErrMalformed},
		"12,5":                 {0, ErrMalformed},
		"1.234":                {0, ErrMalformed},
		"1 000":                {0, ErrMalformed},
		"１２":                   {0, ErrMalformed},
		"0x10":                 {0, ErrMalformed},
		"1_000":                {0, ErrMalformed},
	}
	for in, want := range cases {
		got, err := Parse(in, CNY)
		if !errors.Is(err, want.err) || got.Minor != want.minor {
			t.Errorf("Parse(%q) = %d, %v, want %d, %v", in, got.Minor, err, want.minor, want.err)
		}
	}
}

func TestCurrenciesHaveTheirOwnDecimals(t *testing.T) {
	for c, want := range map[Currency]string{"CNY": "12.00", "JPY": "12", "KWD": "12.000"} {
		a, err := Parse("12", c)
		if err != nil || a.String() != want {
			t.Errorf("%s: got %q, %v, want %q", c, a, err, want)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{rapid.Int64Min(math.MinInt64+1).Draw(t, "minor"), rapid.SampledFrom([]Currency{"CNY", "JPY", "KWD"}).Draw(t, "currency")}
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Amount
		if err := json.Unmarshal(b, &back); err != nil || back != a {
			t.Fatalf("%s became %v, %v", b, back, err)
		}
	})
}

func TestArithmeticIsChecked(t *testing.T) {
	big, one := Amount{math.MaxInt64, CNY}, Amount{1, CNY}
	if _, err := big.Add(one); !errors.Is(err, ErrRange) {
		t.Errorf("overflow in Add: %v", err)
	}
	if _, err := big.Times(2); !errors.Is(err, ErrRange) {
		t.Errorf("overflow in Times: %v", err)
	}
	if _, err := one.Add(Amount{1, "JPY"}); !errors.Is(err, ErrCurrency) {
		t.Errorf("two currencies: %v", err)
	}
	if got, err := one.Add(Amount{0, CNY}); err != nil || got != one {
		t.Errorf("1 + 0 = %v, %v", got, err)
	}
	if got, err := (Amount{250, CNY}).Times(4); err != nil || got.Minor != 1000 {
		t.Errorf("4 x 2.50 = %v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"12", "12.50", "1e3", "-1", "92233720368547758.08"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s, CNY)
		if err != nil {
			return
		}
		if a.Minor < 0 {
			t.Fatalf("%q is %d", s, a.Minor)
		}
		if b, err := Parse(a.String(), CNY); err != nil || a != b {
			t.Fatalf("%q: %v became %v, %v", s, a, b, err)
		}
	})
}
