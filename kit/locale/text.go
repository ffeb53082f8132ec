package locale

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bojanz/currency"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/unicode/bidi"

	"jishi/kit/fault"
	"jishi/kit/money"
)

// T is the text of a key in the reader's language. Pairs are the names and values of
// its data: T(ctx, "cart.items", "count", 3). Amounts and times among them are shown
// as by [Money] and [Time]. A key that doesn't exist is shown itself: visible to
// whoever looks, and found by localetest before.
func T(ctx context.Context, key string, pairs ...any) string {
	if len(pairs)%2 != 0 {
		panic(fmt.Sprintf("locale: text %q is given a name without a value", key))
	}
	if len(pairs) == 0 {
		return text(ctx, key, nil, key)
	}
	data := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return text(ctx, key, data, key)
}

// Fault is a refusal in the reader's language: the text "fault.<code>" with the
// refusal's further members as data, or its English sentence where there is no such text.
func Fault(ctx context.Context, e *fault.Error) string {
	s := text(ctx, "fault."+e.Code, e.Extra, e.Detail)
	if strings.Contains(s, "<no value>") {
		return e.Detail
	}
	return s
}

func text(ctx context.Context, key string, data map[string]any, missing string) string {
	s := from(ctx)
	if s == nil {
		return missing
	}
	if t, ok := s.plain[key]; ok {
		return t
	}
	shown := make(map[string]any, len(data))
	for k, v := range data {
		shown[k] = isolate(show(ctx, v))
	}
	c := &i18n.LocalizeConfig{MessageID: key, TemplateData: shown}
	if n, ok := shown["count"]; ok {
		c.PluralCount = n
	}
	t, err := s.localizer.Localize(c)
	if err != nil {
		return missing
	}
	return t
}

// show is a datum as it stands in a text. What came over the wire is an object
// with amount and currency where this side had a money.Amount.
func show(ctx context.Context, v any) any {
	switch v := v.(type) {
	case money.Amount:
		return Money(ctx, v)
	case time.Time:
		return Time(ctx, v)
	case float64: // a number that came as JSON
		if n := int64(v); float64(n) == v {
			return n
		}
	case map[string]any:
		decimal, _ := v["amount"].(string)
		code, _ := v["currency"].(string)
		if a, err := currency.NewAmount(decimal, code); err == nil {
			return formatterOf(ctx).Format(a)
		}
	}
	return v
}

// What begins and ends a part of a text whose direction is its own (UAX #9).
const firstStrong, endIsolate = "\u2068", "\u2069"

// isolate keeps a name or title that runs from right to left from turning around the
// sentence that it stands in. Controls of direction are left out of it there: with those
// it could end the isolation.
func isolate(v any) any {
	s, ok := v.(string)
	if !ok || !strings.ContainsFunc(s, turns) {
		return v
	}
	return firstStrong + strings.Map(func(r rune) rune {
		if controls(classOf(r)) {
			return -1
		}
		return r
	}, s) + endIsolate
}

// turns tells whether a character can change the direction of those around it.
func turns(r rune) bool {
	c := classOf(r)
	return c == bidi.R || c == bidi.AL || c == bidi.AN || controls(c)
}

// controls tells whether a class is that of embeddings, overrides and isolates.
func controls(c bidi.Class) bool { return c >= bidi.LRO && c <= bidi.PDI }

func classOf(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

// Money is an amount as readers write it: "¥1,234.50".
func Money(ctx context.Context, a money.Amount) string {
	c, err := currency.NewAmount(a.String(), string(a.Currency))
	if err != nil {
		return a.String() + " " + string(a.Currency)
	}
	return formatterOf(ctx).Format(c)
}

// Sign is what stands beside an amount that readers write: "¥".
func Sign(ctx context.Context, c money.Currency) string {
	return strings.Trim(Money(ctx, money.Amount{Currency: c}), "0.,\u00a0 ")
}

// Time is a moment in the market's time zone, to the minute; "" when there is none.
func Time(_ context.Context, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

func formatterOf(ctx context.Context) *currency.Formatter {
	if s := from(ctx); s != nil {
		return s.money
	}
	return formatter(languages[0])
}

// formatter writes ¥ for the yuan in both languages, and keeps the yen apart from it.
func formatter(lang string) *currency.Formatter {
	f := currency.NewFormatter(currency.NewLocale(lang))
	f.SymbolMap = map[string]string{"CNY": "¥", "JPY": "JP¥"}
	return f
}
