package shopclient

import (
	"encoding/json"

	"jishi/kit/money"
)

// Price is an amount as programs may send it: "12.00" in the market's currency, or
// {"amount":"12.00","currency":"CNY"} as it is in every answer.
type Price struct {
	Amount   string
	Currency money.Currency // "" is the market's
}

// PriceOf sends an amount that came in an answer.
func PriceOf(a money.Amount) *Price { return &Price{a.String(), a.Currency} }

// MarshalJSON writes the short form where there is no currency.
func (p Price) MarshalJSON() ([]byte, error) {
	if p.Currency == "" {
		return json.Marshal(p.Amount)
	}
	return json.Marshal(map[string]string{"amount": p.Amount, "currency": string(p.Currency)})
}

// UnmarshalJSON reads both forms.
func (p *Price) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &p.Amount); err == nil {
		return nil
	}
	var d struct {
		Amount   string         `json:"amount"`
		Currency money.Currency `json:"currency"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*p = Price{d.Amount, d.Currency}
	return nil
}
