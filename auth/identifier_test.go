package auth

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"jishi/auth/authclient"
)

func TestIdentifiersAsPeopleTypeThem(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"13800138000", "+8613800138000"},
		{" 138 0013 8000 ", "+8613800138000"},
		{"138-0013-8000", "+8613800138000"},
		{"+86 138 0013 8000", "+8613800138000"},
		{"0086 13800138000", "+8613800138000"},
		{"１３８００１３８０００", "+8613800138000"},
		{"+49 (0)1512 3456789", "+4915123456789"},
		{"Alice@Example.COM", "alice@example.com"},
		{"alice@ＥＸＡＭＰＬＥ.com", "alice@example.com"},
		{"用户@例子.中国", "用户@xn--fsqu00a.xn--fiqs8s"},
	} {
		got, err := parseIdentifier(c.typed, "CN")
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.typed, got, err, c.want)
		}
	}
}

func TestWhatIsNoIdentifier(t *testing.T) {
	for _, typed := range []string{
		"", "110", "12345", "02012345678", "1 800 FLOWERS", "alice", "@example.com", "a@b", "a@", "a b@example.com",
		"a\x00b@example.com", `"a"@example.com`, "a@exa mple.com", "a@-.com", strings.Repeat("a", 65) + "@example.com",
	} {
		if got, err := parseIdentifier(typed, "CN"); !errors.Is(err, authclient.ErrIdentifier) {
			t.Errorf("%q: got %q, %v, want a refusal", typed, got, err)
		}
	}
}

// What is too long is refused for its length, before anything is done with it whose time
// grows faster than that: each of these is an identifier with less of the same.
func TestLongIdentifiers(t *testing.T) {
	for what, spelt := range map[string]func(n int) string{
		"spaces":                    func(n int) string { return strings.Repeat(" ", n) + "alice@example.com" },
		"a number with spaces":      func(n int) string { return "138 0013 8000" + strings.Repeat(" ", n) },
		"a domain with soft breaks": func(n int) string { return "alice@exam" + strings.Repeat("\u00ad", n/3) + "ple.com" },
	} {
		if _, err := parseIdentifier(spelt(maxTyped/2), "CN"); err != nil {
			t.Errorf("%s: got %v", what, err)
		}
		if got, err := parseIdentifier(spelt(maxTyped), "CN"); !errors.Is(err, authclient.ErrIdentifier) {
			t.Errorf("%s: got %q, %v, want a refusal", what, got, err)
		}
	}
}

func TestWhatOthersSee(t *testing.T) {
	for id, want := range map[identifier]string{
		"+8613800138000":    "138****8000",
		"alice@example.com": "a***@example.com",
		"用户@example.com":    "用***@example.com",
	} {
		if got := id.masked(); got != want {
			t.Errorf("%s: got %s, want %s", id, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "小明", "Alice B.", "👨‍👩‍👧"} {
		if _, err := cleanName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"a\u202eb", "a\nb", "a\x00", strings.Repeat("x", 65), "a\xff"} {
		if _, err := cleanName(name); !errors.Is(err, authclient.ErrName) {
			t.Errorf("%q: got %v, want a refusal", name, err)
		}
	}
}

// distinct is a text of n characters of which none comes twice, which is what Punycode
// takes the longest for.
func distinct(n int) string {
	runes := make([]rune, n)
	for i := range runes {
		runes[i] = '\u4e00' + rune(i)
	}
	return string(runes)
}

// Whatever people type, what is stored of it is one form, and the same again.
func FuzzIdentifier(f *testing.F) {
	for _, typed := range []string{
		"138 0013 8000", "+86-138-0013-8000", "１３８００１３８０００", "+1 415 555 2671", "a@b.example", "A.B+c@Bücher.example", "a@b..example",
		"\u202e@b.example", "a@\u200b.example", "@", "+", "\x00", strings.Repeat("1", 300), "tel:+8613800138000;ext=1", "1380013800\u0660",
		"a@" + distinct(5000) + ".example", "a@xn--" + strings.Repeat("z", 5000) + ".example", "a@" + strings.Repeat("\ufdfa", 300) + ".example",
	} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		who, err := parseIdentifier(typed, "CN")
		if err != nil {
			if !errors.Is(err, authclient.ErrIdentifier) {
				t.Errorf("%q: got %v", typed, err)
			}
			return
		}
		if again, err := parseIdentifier(string(who), "CN"); err != nil || again != who {
			t.Errorf("%q is stored as %q, which is read as %q, %v", typed, who, again, err)
		}
		if n := len(who); n == 0 || n > maxEmail || !utf8.ValidString(string(who)) || strings.ContainsFunc(string(who), unicode.IsControl) {
			t.Errorf("%q is stored as %q", typed, who)
		}
		if m := who.masked(); m == string(who) || !utf8.ValidString(m) {
			t.Errorf("%q is shown to others as %q", who, m)
		}
	})
}
