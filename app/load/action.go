package load

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// action is something that buyers do: one request.
type action struct {
	name string
	// line is the request's method and path; "{product}" in it is one.
	line string
	body string // with "{product}"; no body when empty
	user bool   // as a buyer, rather than as a visitor
	once bool   // with an Idempotency-Key
	want int    // status of success
}

var actions = []action{
	{name: "browse", line: "GET /", want: 200},
	{name: "product", line: "GET /products/{product}", want: 200},
	{name: "list", line: "GET /api/v1/products", want: 200},
	{name: "cart", line: "PUT /api/v1/cart/items/{product}", body: `{"quantity":1}`, user: true, want: 200},
	{name: "orders", line: "GET /api/v1/orders", user: true, want: 200},
	{name: "buy", line: "POST /api/v1/orders", body: `{"items":[{"product":"{product}","quantity":1}]}`, user: true, once: true, want: 201},
}

// done tells whether an answer is what was asked for: of a purchase, a paid order.
func (a *action) done(r reply) bool {
	return r.status == a.want && (!a.once || outcomeOf(r, nil) == paid)
}

// Actions are the names of what buyers can do.
func Actions() []string {
	var names []string
	for _, a := range actions {
		names = append(names, a.name)
	}
	return names
}

// mix chooses actions, each as often as its weight says.
type mix struct {
	bounds []int // of actions: the sum of the weights up to and with each
}

func newMix(weights map[string]int) (mix, error) {
	var m mix
	sum := 0
	for _, a := range actions {
		if weights[a.name] < 0 {
			return m, fmt.Errorf("mix: %s has weight %d, want 0 or more", a.name, weights[a.name])
		}
		sum += weights[a.name]
		m.bounds = append(m.bounds, sum)
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(Actions(), name) {
			return m, fmt.Errorf("mix: no action %q; there are %s", name, strings.Join(Actions(), ", "))
		}
	}
	if sum == 0 {
		return m, fmt.Errorf("mix: nothing to do; there are %s", strings.Join(Actions(), ", "))
	}
	return m, nil
}

// next is the place of an action in actions.
func (m mix) next() int {
	n := rand.IntN(m.bounds[len(m.bounds)-1])
	for i, bound := range m.bounds {
		if n < bound {
			return i
		}
	}
	panic("an action beyond the last bound")
}

// write appends an action's request. The key is used where an action wants one.
func (a *action) write(out []byte, host, token, product, key string) []byte {
	line := strings.ReplaceAll(a.line, "{product}", product)
	body := strings.ReplaceAll(a.body, "{product}", product)
	out = append(append(out, line...), " HTTP/1.1\r\nHost: "...)
	out = append(append(out, host...), "\r\nUser-Agent: jishi-load\r\n"...)
	if a.user {
		out = append(append(append(out, "Authorization: Bearer "...), token...), "\r\n"...)
	}
	if a.once {
		out = append(append(append(out, "Idempotency-Key: "...), key...), "\r\n"...)
	}
	if body != "" {
		out = append(out, "Content-Type: application/json\r\nContent-Length: "...)
		out = append(strconv.AppendInt(out, int64(len(body)), 10), "\r\n"...)
	}
	return append(append(out, "\r\n"...), body...)
}
