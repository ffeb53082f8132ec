package id

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIdsSortByTime(t *testing.T) {
	var ids []string
	for range 1000 {
		ids = append(ids, New("ord"))
	}
	if !slices.IsSorted(ids) {
		t.Error("ids made one after the other are not in order")
	}
	if n := len(slices.Compact(ids)); n != 1000 {
		t.Errorf("%d different ids, want 1000", n)
	}
}

func TestValid(t *testing.T) {
	good := New("ord")
	for s, want := range map[string]bool{
		good:                     true,
		"prd" + good[3:]:         false,
		good + "0":               false,
		good[:len(good)-1]:       false,
		good[:len(good)-1] + "Z": false,
		good[:len(good)-1] + "'": false,
		"":                       false,
		"ord_":                   false,
		good[:len(good)-2] + "é": false,
	} {
		if got := Valid("ord", s); got != want {
			t.Errorf("Valid(%q) = %v, want %v", s, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("ord", New("ord"))
	f.Add("", "_")
	f.Add("wal", "wal_0000000000000000000000000\x00")
	f.Fuzz(func(t *testing.T, prefix, s string) {
		if !Valid(prefix, s) {
			return
		}
		if len(s) != len(prefix)+1+size || s[:len(prefix)] != prefix {
			t.Errorf("%q is taken for an id with prefix %q", s, prefix)
		}
		if strings.ContainsFunc(s[len(prefix):], func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'v') }) {
			t.Errorf("%q has characters that no id has", s)
		}
	})
}

func TestSince(t *testing.T) {
	before := Since("ord", time.Now())
	got := New("ord")
	after := Since("ord", time.Now().Add(time.Millisecond))
	if !Valid("ord", before) || before > got || got >= after {
		t.Errorf("got %s, want it from %s to before %s", got, before, after)
	}
	if long := Since("ord", time.Time{}); long >= before {
		t.Errorf("an id of long ago is %s, not before %s", long, before)
	}
}
