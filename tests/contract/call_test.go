package contract_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"jishi/tests/harness"
)

// call is a request and what must come of it. Names in brackets, such as <product>, stand
// for ids of the world, in paths, bodies and headers alike; <shop>, <pay> and <auth> for
// where the modules are.
type call struct {
	name   string
	as     string // whose token, "" for none, or a name of the world that holds one
	method string
	path   string // <pay>/wallets is a route of that module's API
	body   string // JSON, unless Content-Type says otherwise
	key    string // Idempotency-Key
	header map[string]string

	status int
	code   string // of the problem; "" where it is done
	field  string // that the problem names
	want   string // JSON, all of which is in the document
	keep   string // remember the document's id under this name
}

// nobody is the code with which calls are refused that come without a token.
const nobody = "unauthenticated"

// world is a market with people and things in it.
type world struct {
	t      *testing.T
	market *harness.Market
	http   *http.Client
	token  map[string]string
	thing  map[string]string
	routes []*route
}

// newWorld has Ann, who sells; Bob and Dina, who buy; Carl, who has nothing; and Olga, who
// operates the market.
func newWorld(t *testing.T, m *harness.Market) *world {
	t.Helper()
	w := &world{
		t: t, market: m,
		http:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
		token: map[string]string{},
		thing: map[string]string{"auth": m.Auth + "/auth/api/v1", "pay": m.Pay + "/pay/api/v1", "shop": m.Shop + "/api/v1"},
	}
	for _, name := range []string{"ann", "bob", "carl", "dina", "olga"} {
		p := m.Register(t, name+"@example.com", name)
		w.token[name], w.thing[name] = p.Token, p.ID
	}
	m.Set(t, "shop", "--operators", w.thing["olga"])
	w.token["nonsense"] = "nonsense"
	for _, module := range []string{"auth", "pay", "shop"} {
		out, err := m.Command("token", "--user", "bob@example.com", "--resource", module).Output()
		if err != nil {
			t.Fatalf("a token for %s: %v", module, err)
		}
		w.token["bob, for "+module+" alone"] = strings.TrimSpace(string(out))
	}
	w.routes = w.documented()
	return w
}

// do makes calls, each of which must come out as it says.
func (w *world) do(t *testing.T, calls ...call) {
	t.Helper()
	for _, c := range calls {
		w.one(t, c)
	}
}

// one makes a call and gives the answer. What is done for somebody is first seen to be
// refused to nobody.
func (w *world) one(t *testing.T, c call) answer {
	t.Helper()
	if c.as != "" && c.status < 300 {
		w.strangers(t, c)
	}
	a, err := w.send(t, c)
	if err == nil {
		err = a.meets(c, w.fill(c.want))
	}
	if err != nil {
		t.Errorf("%s: %s %s: %v\n%.1000s", c.name, c.method, c.path, err, a.body)
	}
	if c.keep != "" {
		id, _ := a.document["id"].(string)
		if id == "" {
			t.Fatalf("%s: there is no id to go on with", c.name)
		}
		w.thing[c.keep] = id
	}
	return a
}

// strangers sends a call without a token, and with tokens that are none for it. The
// first call of a route that asks for one.
func (w *world) strangers(t *testing.T, c call) {
	t.Helper()
	r := w.routeAt(t, c.method, c.path)
	if r == nil || !r.bearer || r.seen[http.StatusUnauthorized] {
		return
	}
	c.status, c.want, c.keep = http.StatusUnauthorized, "", ""
	for as, code := range map[string]string{"": nobody, "nonsense": "auth.token", otherModule(c.path): "auth.token"} {
		c.as, c.code = as, code
		w.one(t, c)
	}
}

// otherModule is who has a token for another module than that of the path.
func otherModule(path string) string {
	if strings.HasPrefix(path, "<pay>") {
		return "bob, for shop alone"
	}
	return "bob, for pay alone"
}

// answer is what came back.
type answer struct {
	status   int
	header   http.Header
	body     string
	document map[string]any
}

func (w *world) send(t *testing.T, c call) (answer, error) {
	t.Helper()
	address := w.fill(c.path)
	req, err := http.NewRequestWithContext(t.Context(), c.method, address, strings.NewReader(w.fill(c.body)))
	if err != nil {
		return answer{}, err
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.as != "" {
		token, ok := w.token[c.as]
		if !ok {
			t.Fatalf("%s: nobody is called %s", c.name, c.as)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	for k, v := range c.header {
		req.Header.Set(k, w.fill(v))
	}
	res, err := w.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	if r := w.routeOf(req); r != nil {
		r.seen[res.StatusCode] = true
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(b)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(b, &a.document); err != nil {
			return a, fmt.Errorf("it is no JSON document: %w", err)
		}
	}
	return a, nil
}

// fill puts the world's things in their places.
func (w *world) fill(s string) string {
	for name, thing := range w.thing {
		s = strings.ReplaceAll(s, "<"+name+">", thing)
	}
	return s
}

// meets compares an answer with what its call must come to.
func (a answer) meets(c call, want string) error {
	if a.status != c.status {
		return fmt.Errorf("got %d, want %d", a.status, c.status)
	}
	if c.status >= 400 {
		if err := a.problem(c.code, c.field); err != nil {
			return err
		}
	}
	if want == "" {
		return nil
	}
	var members any
	if err := json.Unmarshal([]byte(want), &members); err != nil {
		return fmt.Errorf("the test's own document: %w", err)
	}
	if !within(members, a.document) {
		return fmt.Errorf("%s is not in the document", want)
	}
	return nil
}

// problem finds that a refusal has the form that all have (RFC 9457).
func (a answer) problem(code, field string) error {
	d := a.document
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		return fmt.Errorf("its type is %q, want application/problem+json", got)
	}
	if d["code"] != code || d["type"] != "urn:jishi:problem:"+code {
		return fmt.Errorf("code %v, type %v, want code %s and its type", d["code"], d["type"], code)
	}
	if got, _ := d["field"].(string); got != field {
		return fmt.Errorf("it names the field %q, want %q", got, field)
	}
	if d["status"] != float64(a.status) || d["title"] == "" || d["title"] == nil || d["detail"] == "" || d["detail"] == nil {
		return fmt.Errorf("status, title or detail are missing or wrong")
	}
	if a.status == http.StatusUnauthorized && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
		return fmt.Errorf("WWW-Authenticate is %q, want Bearer", a.header.Get("WWW-Authenticate"))
	}
	return nil
}

// within tells whether everything in want is in got: members of objects, and lists as
// long as they are.
func within(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for k, v := range want {
			ok = ok && within(v, object[k])
		}
		return ok
	case []any:
		list, ok := got.([]any)
		return ok && slices.EqualFunc(want, list, within)
	}
	return want == got
}
