package locale

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"jishi/kit/fault"
	"jishi/kit/money"
)

func texts(zh, en string) fstest.MapFS {
	return fstest.MapFS{
		"locales/zh.json": {Data: []byte(zh)},
		"locales/en.json": {Data: []byte(en)},
	}
}

func bundle(t *testing.T) *Bundle {
	t.Helper()
	b, err := New(texts(
		`{"hello":"你好","greet":"你好，{{.name}}","items":"{{.count}} 件","short":"还差 {{.missing}}","fault.pay.insufficient":"余额不足，还差 {{.missing}}。"}`,
		`{"hello":"Hello","greet":"Hello, {{.name}}","items":{"one":"{{.count}} item","other":"{{.count}} items"},"short":"{{.missing}} missing","fault.pay.insufficient":"{{.missing}} more is needed."}`))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLanguageIsChosen(t *testing.T) {
	for _, c := range []struct{ name, cookie, accept, want string }{
		{"the reader chose", "en", "zh-CN", "en"},
		{"a cookie with no language of ours is passed over", "fr", "en-GB,en;q=0.8", "en"},
		{"the browser asks for a variant", "", "zh-TW,en;q=0.5", "zh"},
		{"the browser's first language isn't ours", "", "fr-FR,en;q=0.4", "en"},
		{"the browser asks for none of ours", "", "fr", "zh"},
		{"the browser says nonsense", "", "!!;q=z", "zh"},
		{"the browser says nothing", "", "", "zh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Language", c.accept)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: Cookie, Value: c.cookie})
			}
			var got string
			bundle(t).Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = Language(r.Context())
			})).ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestTexts(t *testing.T) {
	b := bundle(t)
	zh, en := b.In(t.Context(), "zh"), b.In(t.Context(), "en")
	twelve := money.Amount{Minor: 1200, Currency: money.CNY}
	for _, c := range []struct{ got, want string }{
		{T(zh, "hello"), "你好"},
		{T(en, "greet", "name", "<b>"), "Hello, <b>"}, // templates escape, texts don't
		{T(en, "items", "count", 1), "1 item"},
		{T(en, "items", "count", 2), "2 items"},
		{T(zh, "items", "count", 2), "2 件"},
		{T(en, "short", "missing", twelve), "¥12.00 missing"},
		{T(en, "no.such"), "no.such"},
		{T(context.Background(), "hello"), "hello"},
		{T(b.In(t.Context(), "fr"), "hello"), "你好"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// A name that runs from right to left, or says so, doesn't turn its sentence around; others
// stay as they are.
func TestNamesDontTurnSentencesAround(t *testing.T) {
	for name, want := range map[string]string{
		"Ann 李雷 🍵":                "Hello, Ann 李雷 🍵",
		"إبريق":                   "Hello, \u2068إبريق\u2069",
		"a\u200fb":                "Hello, \u2068a\u200fb\u2069",
		"\u202egnp.exe":           "Hello, \u2068gnp.exe\u2069",
		"\u2069\u2069\u202eolleh": "Hello, \u2068olleh\u2069",
	} {
		if got := T(bundle(t).In(t.Context(), "en"), "greet", "name", name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestFault(t *testing.T) {
	b := bundle(t)
	en := b.In(t.Context(), "en")
	short := fault.New(fault.Unpaid, "pay.insufficient", "There is too little money.")
	near := short.With("missing", money.Amount{Minor: 300, Currency: money.CNY})
	far := fault.Decode(402, []byte(`{"code":"pay.insufficient","detail":"d","missing":{"amount":"3.00","currency":"CNY"}}`))
	for _, c := range []struct{ got, want string }{
		{Fault(en, near), "¥3.00 more is needed."},
		{Fault(en, far), "¥3.00 more is needed."},
		{Fault(en, short), "There is too little money."}, // its text would have a hole
		{Fault(en, fault.New(fault.Conflict, "x.y", "Plain English.")), "Plain English."},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if !errors.Is(far, short) {
		t.Error("the decoded refusal isn't the declared one")
	}
}

func TestMoney(t *testing.T) {
	b := bundle(t)
	for _, lang := range languages {
		ctx := b.In(t.Context(), lang)
		for minor, want := range map[int64]string{
			0: "¥0.00", 1200: "¥12.00", 123450: "¥1,234.50", -50: "-¥0.50", 9223372036854775807: "¥92,233,720,368,547,758.07",
		} {
			if got := Money(ctx, money.Amount{Minor: minor, Currency: money.CNY}); got != want {
				t.Errorf("%s: got %q, want %q", lang, got, want)
			}
		}
		if got := Sign(ctx, money.CNY); got != "¥" {
			t.Errorf("%s: the sign is %q", lang, got)
		}
		yen := Money(ctx, money.Amount{Minor: 12, Currency: "JPY"})
		if yuan := Money(ctx, money.Amount{Minor: 1200, Currency: money.CNY}); yen == yuan {
			t.Errorf("%s: yen and yuan are both %q", lang, yen)
		}
	}
}

func TestTime(t *testing.T) {
	at := time.Date(2026, 11, 23, 21, 40, 59, 0, time.Local)
	if got := Time(t.Context(), at.UTC()); got != "2026-11-23 21:40" {
		t.Errorf("got %q", got)
	}
	if got := Time(t.Context(), time.Time{}); got != "" {
		t.Errorf("got %q for no time", got)
	}
}

func TestNewRefusesIncompleteTexts(t *testing.T) {
	for name, fsys := range map[string][]fstest.MapFS{
		"a key lacks in one language":  {texts(`{"a":"1","b":"2"}`, `{"a":"1"}`)},
		"a key stands twice":           {texts(`{"a":"1"}`, `{"a":"1"}`), texts(`{"a":"2"}`, `{"a":"2"}`)},
		"a key stands twice in a file": {texts(`{"a":"1","b":"2","a":"1"}`, `{"a":"1","b":"2"}`)},
		"a file is no JSON":            {texts(`{"a":`, `{"a":"1"}`)},
		"a language's file lacks":      {{"locales/zh.json": {Data: []byte(`{}`)}}},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if len(fsys) == 2 {
				_, err = New(fsys[0], fsys[1])
			} else {
				_, err = New(fsys[0])
			}
			if err == nil {
				t.Error("was taken")
			}
		})
	}
}
