package money

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestBothFormsOfAnInput(t *testing.T) {
	for text, want := range map[string]struct {
		minor int64
		err   error
	}{
		`"12.5"`:                                 {1250, nil},
		`{"amount":"12.50","currency":"CNY"}`:    {1250, nil},
		`{"amount":"12.50"}`:                     {1250, nil},
		`{"amount":"12.50","currency":"USD"}`:    {0, ErrCurrency},
		`"1e3"`:                                  {0, ErrMalformed},
		`""`:                                     {0, ErrMalformed},
		`"99999999999999999999"`:                 {0, ErrRange},
		`{"amount":"-1.00","currency":"CNY"}`:    {0, ErrMalformed},
		`{"amount":"1.001","currency":"CNY"}`:    {0, ErrMalformed},
		`{"amount":"","currency":"CNY"}`:         {0, ErrMalformed},
		`{"amount":"1,000.00","currency":"CNY"}`: {0, ErrMalformed},
	} {
		var in Input
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := in.In(CNY)
		if got.Minor != want.minor || !errors.Is(err, want.err) {
			t.Errorf("%s: got %v, %v; want %d, %v", text, got, err, want.minor, want.err)
		}
	}
	for _, text := range []string{`12.5`, `null,`, `["12"]`, `{"amount":12}`, `true`} {
		if err := json.Unmarshal([]byte(text), &Input{}); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestAnInputIsReadAsItWasWritten(t *testing.T) {
	for _, in := range []Input{{Amount: "3"}, {"12.00", CNY}, *InputOf(Amount{-5, "JPY"})} {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var got Input
		if err := json.Unmarshal(b, &got); err != nil || got != in {
			t.Errorf("%s: got %+v, %v; want %+v", b, got, err, in)
		}
	}
}
