package payweb

import (
	"errors"
	"net/url"
	"testing"

	"jishi/kit/fault"
	"jishi/pay/payclient"
)

// Of two days it is said which one is none.
func TestADayThatIsNone(t *testing.T) {
	for _, field := range []string{"from", "to"} {
		_, err := day(url.Values{field: {"yesterday"}}, field)
		if !errors.Is(err, payclient.ErrDay) || fault.Of(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
