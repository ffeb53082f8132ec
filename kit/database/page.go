package database

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
)

// ErrCursor refuses a cursor that wasn't made by [Cursor] for the same list.
var ErrCursor = fault.New(fault.Invalid, "page.cursor", "This page position isn't valid; start at the first page.").On("cursor")

// How long a page is when nobody says, and at most.
const (
	defaultLimit = 20
	maxLimit     = 100
)

// Page asks for a part of a list: what follows Cursor, at most Limit rows. The zero
// value is the first page. Lists are paged by key, so a page costs the same
// wherever it is, and rows that come or go elsewhere don't shift it.
type Page struct {
	Cursor string // "" for the first page, else what came with the page before
	Limit  int    // 20 if zero, at most 100
}

// Size is how many rows the page has at most.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// After reads the cursor into pointers to the values that [Cursor] was given. It is
// false, and they stay as they are, for the first page.
func (p Page) After(values ...any) (bool, error) {
	if p.Cursor == "" {
		return false, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	if err != nil {
		return false, ErrCursor.Because(err)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return false, ErrCursor.Because(err)
	}
	if len(parts) != len(values) {
		return false, ErrCursor.Because(fmt.Errorf("%d values, want %d", len(parts), len(values)))
	}
	for i, part := range parts {
		if bytes.Equal(part, []byte("null")) { // would leave the value as it is
			return false, ErrCursor
		}
		if err := json.Unmarshal(part, values[i]); err != nil {
			return false, ErrCursor.Because(err)
		}
	}
	return true, nil
}

// Cursor makes the cursor of a list whose last row has these values in the columns
// that it is ordered by: strings, integers or a [Time].
func Cursor(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(fmt.Sprintf("cursor of %v: %v", values, err)) // a type that can't be a key
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// Newest runs q for one page of rows, largest key first, and gives the cursor of the
// next page, "" when there is none. The column is unique among the rows that q finds,
// and key is its value in a row.
func Newest[T any, K ~string | ~int64](ctx context.Context, q *bun.SelectQuery, p Page, column string, key func(T) K) ([]T, string, error) {
	var last K
	further, err := p.After(&last)
	if err != nil {
		return nil, "", err
	}
	if further {
		q = q.Where("? < ?", bun.Ident(column), last)
	}
	rows := make([]T, 0, p.Size()+1)
	err = q.Model(&rows).OrderExpr("? DESC", bun.Ident(column)).Limit(int64(p.Size()) + 1).Scan(ctx)
	if err != nil {
		return nil, "", err
	}
	rows, more := Cut(rows, p)
	if !more {
		return rows, "", nil
	}
	return rows, Cursor(key(rows[len(rows)-1])), nil
}

// Cut takes off the one row more than the page's size that a query asked for to
// learn whether the list goes on.
func Cut[T any](rows []T, p Page) (page []T, more bool) {
	if len(rows) > p.Size() {
		return rows[:p.Size()], true
	}
	return rows, false
}
