package payapi

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"jishi/kit/money"
	"jishi/pay/payclient"
)

// amount is money as programs may send it: "12.00" in the market's currency, or
// {"amount":"12.00","currency":"CNY"} as in every answer.
type amount struct {
	decimal  string
	currency money.Currency // "" is the market's
}

// UnmarshalJSON reads both forms. What the text says is read when the currency is known.
func (a *amount) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &a.decimal); err == nil {
		return nil
	}
	var d struct {
		Amount   string         `json:"amount"`
		Currency money.Currency `json:"currency"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*a = amount{d.Amount, d.Currency}
	return nil
}

// Schema describes both forms.
func (*amount) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{
		{Type: huma.TypeString, Description: "decimal, in the market's currency", Examples: []any{"12.00"}},
		{
			Type:                 huma.TypeObject,
			AdditionalProperties: false,
			Required:             []string{"amount", "currency"},
			Properties: map[string]*huma.Schema{
				"amount":   {Type: huma.TypeString, Examples: []any{"12.00"}},
				"currency": {Type: huma.TypeString, Examples: []any{"CNY"}},
			},
		},
	}}
}

// in is the amount in minor units of c.
func (a *amount) in(c money.Currency) (int64, error) {
	if a.currency != "" && a.currency != c {
		return 0, payclient.ErrCurrency
	}
	m, err := money.Parse(a.decimal, c)
	return m.Minor, err
}
