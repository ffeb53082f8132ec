package payweb

import (
	"context"
	"net/http"
	"net/url"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/money"
	"jishi/kit/ops"
	"jishi/kit/web"
)

// form is a form as it came back.
type form struct {
	url.Values
	token string
}

// formOf reads a form of ours, which has a one-time token.
func formOf(r *http.Request) (form, error) {
	values, token, err := web.WithToken(web.Form(r))
	return form{values, token}, err
}

// amount is the field of that name in minor units; "" is 0 where it may be absent.
func (f form) amount(c money.Currency, optional bool) (int64, error) {
	text := f.Get("amount")
	if optional && text == "" {
		return 0, nil
	}
	m, err := money.Parse(text, c)
	if err != nil {
		return 0, fault.Of(err).On("amount")
	}
	return m.Minor, nil
}

// complaints are what is wrong with a form: texts by field, and those of no field.
type complaints struct {
	status int
	fields map[string]string
	other  []string
}

// complaintsOf reads err for a form that is shown again, under the token that it gives.
// False means that err isn't about the form.
func complaintsOf(ctx context.Context, err error, token string) (complaints, string, bool) {
	c, token := complaints{fields: map[string]string{}}, web.TokenAgain(token, err)
	for _, f := range fault.All(err) {
		switch f.Kind {
		case fault.Invalid, fault.Conflict, fault.Forbidden:
		case fault.Busy, fault.Unknown: // it is to be sent again
			ops.Failed(ctx, err)
		default:
			return complaints{}, "", false
		}
		if c.status == 0 {
			c.status = f.Kind.Status()
		}
		switch {
		case f.Is(database.ErrMismatch):
			// A new token makes it a new wish, if the reader confirms that it is one.
			c.other = append(c.other, locale.T(ctx, "pay.form.again"))
		case f.Field != "":
			c.fields[f.Field] = locale.Fault(ctx, f)
		default:
			c.other = append(c.other, locale.Fault(ctx, f))
		}
	}
	return c, token, true
}
