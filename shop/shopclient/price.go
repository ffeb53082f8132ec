package shopclient

import "jishi/kit/money"

// Price is an amount as programs may send it.
type Price = money.Input

// PriceOf sends an amount that came in an answer.
func PriceOf(a money.Amount) *Price { return money.InputOf(a) }
