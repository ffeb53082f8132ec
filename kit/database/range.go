package database

import "github.com/uptrace/bun"

// Range is the ids after one and up to another one, "" for no bound.
type Range[ID ~string] struct{ After, UpTo ID }

// Of restricts a query to it.
func (r Range[ID]) Of(q *bun.SelectQuery, column string) *bun.SelectQuery {
	q = q.Where("? > ?", bun.Ident(column), r.After)
	if r.UpTo != "" {
		q = q.Where("? <= ?", bun.Ident(column), r.UpTo)
	}
	return q
}
