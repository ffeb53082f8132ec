// Package money is amounts and currencies: int64 minor units inside, decimals at the
// edges, checked arithmetic throughout. How an amount looks to a reader is
// kit/locale's matter.
package money

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/bojanz/currency"

	"jishi/kit/fault"
)

// Refusals of amounts, with the field left to the caller.
var (
	ErrMalformed = fault.New(fault.Invalid, "money.malformed", "Write an amount such as 12.50: digits, a point and at most the currency's decimals.")
	ErrRange     = fault.New(fault.Invalid, "money.range", "The amount is too large.")
	ErrCurrency  = fault.New(fault.Invalid, "money.currency", "This currency is not offered.")
)

// Currency is an ISO 4217 code.
type Currency string

// CNY is the default currency of a market.
const CNY Currency = "CNY"

// Known tells whether ISO 4217 has the currency.
func (c Currency) Known() bool { return currency.IsValid(string(c)) }

func (c Currency) digits() int {
	d, ok := currency.GetDigits(string(c))
	if !ok {
		return 2
	}
	return int(d)
}

// Amount is money: Minor counts the currency's smallest unit, such as fen or cents.
type Amount struct {
	Minor    int64
	Currency Currency
}

// Parse reads what people and programs write: "12", "12.5", "12.50", with spaces
// around it. Signs, exponents, commas and more decimals than the currency
// has are ErrMalformed, what does not fit is ErrRange.
func Parse(s string, c Currency) (Amount, error) {
	s = strings.TrimSpace(s)
	whole, frac, point := strings.Cut(s, ".")
	digits := c.digits()
	if !decimal(whole) || (point && !decimal(frac)) || len(frac) > digits {
		return Amount{}, ErrMalformed
	}
	minor, err := strconv.ParseInt(whole+frac+strings.Repeat("0", digits-len(frac)), 10, 64)
	if err != nil {
		return Amount{}, ErrRange
	}
	return Amount{minor, c}, nil
}

func decimal(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// String is the decimal form that Parse reads, "12.00".
func (a Amount) String() string {
	digits := a.Currency.digits()
	sign, u := "", uint64(a.Minor)
	if a.Minor < 0 {
		sign, u = "-", -u
	}
	s := fmt.Sprintf("%0*d", digits+1, u)
	if digits == 0 {
		return sign + s
	}
	return sign + s[:len(s)-digits] + "." + s[len(s)-digits:]
}

// Add is a + b, or ErrRange; ErrCurrency if the two differ in currency.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, ErrCurrency
	}
	sum := a.Minor + b.Minor
	if (sum > a.Minor) != (b.Minor > 0) {
		return Amount{}, ErrRange
	}
	return Amount{sum, a.Currency}, nil
}

// Times is n of a, or ErrRange. Neither may be negative.
func (a Amount) Times(n int64) (Amount, error) {
	if a.Minor < 0 || n < 0 {
		return Amount{}, ErrRange
	}
	hi, lo := bits.Mul64(uint64(a.Minor), uint64(n))
	if hi != 0 || lo > math.MaxInt64 {
		return Amount{}, ErrRange
	}
	return Amount{int64(lo), a.Currency}, nil
}

// document is an amount as it travels. A string, because a JSON number
// is a float in many clients.
type document struct {
	Amount   string   `json:"amount"`
	Currency Currency `json:"currency"`
}

// MarshalJSON writes {"amount":"12.00","currency":"CNY"}.
func (a Amount) MarshalJSON() ([]byte, error) {
	return json.Marshal(document{a.String(), a.Currency})
}

// UnmarshalJSON reads what MarshalJSON writes, negative amounts included: balances
// may have them.
func (a *Amount) UnmarshalJSON(b []byte) error {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	unsigned, negative := strings.CutPrefix(d.Amount, "-")
	p, err := Parse(unsigned, d.Currency)
	if err != nil {
		return err
	}
	if negative {
		p.Minor = -p.Minor
	}
	*a = p
	return nil
}
