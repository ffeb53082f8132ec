package id

import (
	"slices"
	"testing"
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
