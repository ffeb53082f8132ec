package money

import "encoding/json"

// Input is an amount as programs write it: "12.00" in the market's currency, or
// {"amount":"12.00","currency":"CNY"} as it is in every answer. What the text says is
// read by [Input.In], where the market's currency is known.
type Input struct {
	Amount   string
	Currency Currency // "" is the market's
}

// InputOf sends an amount that came in an answer.
func InputOf(a Amount) *Input { return &Input{a.String(), a.Currency} }

// In is the amount in a market whose currency is c. Refusals: those of [Parse], and
// ErrCurrency for another currency.
func (i Input) In(c Currency) (Amount, error) {
	if i.Currency != "" && i.Currency != c {
		return Amount{}, ErrCurrency
	}
	return Parse(i.Amount, c)
}

// MarshalJSON writes the short form where there is no currency.
func (i Input) MarshalJSON() ([]byte, error) {
	if i.Currency == "" {
		return json.Marshal(i.Amount)
	}
	return json.Marshal(document(i))
}

// UnmarshalJSON reads both forms.
func (i *Input) UnmarshalJSON(b []byte) error {
	var decimal string
	if err := json.Unmarshal(b, &decimal); err == nil {
		*i = Input{Amount: decimal}
		return nil
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*i = Input(d)
	return nil
}
