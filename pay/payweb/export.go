package payweb

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

// byteOrderMark tells spreadsheets that a file is UTF-8; without it they take it for
// whatever their system once used. Programs get theirs, without, from the API.
const byteOrderMark = "\ufeff"

// export sends a statement of some days, the last one included, as a file.
func (p *pages) export(w http.ResponseWriter, r *http.Request) error {
	ctx, id, q := r.Context(), pay.WalletID(r.PathValue("id")), r.URL.Query()
	from, err := day(q, "from")
	if err != nil {
		return err
	}
	to, err := day(q, "to")
	if err != nil {
		return err
	}
	if !to.IsZero() {
		to = to.AddDate(0, 0, 1)
	}
	e, err := p.pay.Export(ctx, p.user(ctx), id, from, to)
	if err != nil {
		return err
	}
	web.File{Name: string(id) + ".csv", Type: "text/csv; charset=utf-8", Write: func(w io.Writer) error {
		if _, err := io.WriteString(w, byteOrderMark); err != nil {
			return err
		}
		return e.WriteCSV(w)
	}}.ServeHTTP(w, r)
	return nil
}

// day is the beginning of the day that a field names, in the market's time zone; the zero time
// where it is empty.
func day(q url.Values, field string) (time.Time, error) {
	text := q.Get(field)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		return time.Time{}, payclient.ErrDay.On(field).Because(err)
	}
	return t, nil
}
