package database

import (
	"errors"
	"testing"
)

// A cursor is a text that anybody can write: it is one of ours, or refused.
func FuzzCursor(f *testing.F) {
	f.Add(Cursor("prd_0", int64(7)))
	f.Add(Cursor("prd_0"))
	for _, s := range []string{"", "W10", "bnVsbA", "WyJhIixudWxsXQ", "WyJhIiwxLjVd", "WyJhIiw5MjIzMzcyMDM2ODU0Nzc1ODA4XQ", "eyJhIjoxfQ", "====", "\x00", "WyJcdTAwMDAiLDFd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		id, n := "before", int64(1)
		further, err := Page{Cursor: cursor}.After(&id, &n)
		switch {
		case err != nil:
			if !errors.Is(err, ErrCursor) || further {
				t.Errorf("%q: got %v, %v", cursor, further, err)
			}
		case !further:
			if cursor != "" || id != "before" || n != 1 {
				t.Errorf("%q is taken for the first page, with %q, %d", cursor, id, n)
			}
		default:
			id2, n2 := "", int64(0)
			if _, err := (Page{Cursor: Cursor(id, n)}).After(&id2, &n2); err != nil || id2 != id || n2 != n {
				t.Errorf("%q: %q, %d are %q, %d the second time, %v", cursor, id, n, id2, n2, err)
			}
		}
	})
}
