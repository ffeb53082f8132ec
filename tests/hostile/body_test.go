package hostile_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func (h *house) documents(t *testing.T) {
	post := func(what, body string, statuses ...int) {
		t.Helper()
		a := h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", body)
		for _, s := range statuses {
			if a.status == s {
				a.refuses(t, what, s, a.field())
				return
			}
		}
		t.Errorf("%s: got %d %.300s, want one of %d", what, a.status, a.body, statuses)
	}
	deep := func(opening, closing string, n int) string {
		return strings.Repeat(opening, n) + strings.Repeat(closing, n)
	}
	const bad, invalid = http.StatusBadRequest, http.StatusUnprocessableEntity
	for name, body := range map[string]string{
		"nothing but a space": " ", "a brace": "{", "two documents": `{}{}`, "single quotes": `{'title':'x'}`, "a comma too many": `{"title":"x",}`, "a comment": "{}//",
		"a number that is none": `{"stock":01}`, "NaN": `{"stock":NaN}`, "half a string": `{"title":"x`, "half an escape": `{"title":"\u12"}`, "a newline in a string": "{\"title\":\"a\nb\"}",
		"YAML": "title: x", "XML": "<title>x</title>", "a byte order mark": "\ufeff{}",
		"deep": deep("[", "]", 10_001), "deep objects": deep(`{"a":`, "}", 10_001), "very deep": deep("[", "]", 400_000),
	} {
		post(name, body, bad)
	}
	for name, body := range map[string]string{
		"null": "null", "a list": "[]", "a text": `"x"`, "a number": "1", "nothing": "{}", "10,000 deep": deep("[", "]", 10_000),
		"deep in a field": `{"title":` + deep("[", "]", 9_000) + `,"price":"1.00","stock":1}`, "deep in an unknown field": `{"title":"x","price":"1.00","stock":1,"x":` + deep("[", "]", 9_000) + `}`,
		"an unknown field":  `{"title":"x","price":"1.00","stock":1,"seller":"usr_1"}`,
		"a number as title": `{"title":1,"price":"1.00","stock":1}`, "a list as title": `{"title":["x"],"price":"1.00","stock":1}`, "no title": `{"price":"1.00","stock":1}`,
		"a prototype": `{"__proto__":{},"title":"x","price":"1.00","stock":1}`,
	} {
		post(name, body, bad, invalid)
	}
	h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", `{"title":"x","price":"1.00","stock":1,"seller":"usr_1"}`).refuses(t, "an unknown field is named", invalid, "seller")
	post("two megabytes", `{"title":"`+strings.Repeat("x", 2<<20)+`"}`, http.StatusRequestEntityTooLarge)
	post("a million zeros", `{"stock":1`+strings.Repeat("0", 500_000)+`}`, bad, invalid)
	for _, path := range []string{"/pay/api/v1/topups", "/pay/api/v1/wallets", "/api/v1/orders", "/auth/api/v1/users"} {
		for _, body := range []string{"{", "[]", `{"x":1}`, deep("[", "]", 10_001), deep(`{"a":`, "}", 5_000)} {
			if a := h.call(t, h.buyer.Token, http.MethodPost, path, body); a.status != bad && a.status != invalid {
				t.Errorf("%s to %s: got %d %.200s", body[:min(20, len(body))], path, a.status, a.body)
			}
		}
	}
}

func (h *house) media(t *testing.T) {
	body := newProduct("Cup", `"3.00"`, "1")
	for _, media := range []string{"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense", "image/png"} {
		a := h.call(t, h.seller.Token, http.MethodPost, "/api/v1/products", body, "Content-Type", media)
		if a.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: got %d %s", media, a.status, a.body)
		}
	}
	b := h.loggedIn(t, sellerName)
	f := b.get(t, "/sell").form(t, "/sell").with("title", "Cup", "price", "3.00", "stock", "1")
	for _, media := range []string{"application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=", "x"} {
		req := f.request(t)
		req.Header.Set("Content-Type", media)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		if p := b.do(t, req); p.status != http.StatusBadRequest && p.status != http.StatusUnsupportedMediaType {
			t.Errorf("a form as %s: got %d %s", media, p.status, p.text("main"))
		}
	}
}

// raw is a connection on which a test writes what it likes.
func (h *house) raw(t testing.TB) net.Conn {
	t.Helper()
	u, err := url.Parse(h.Shop)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// answerOn reads the answer on a connection.
func answerOn(c net.Conn) (*http.Response, string, error) {
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// endless bodies are cut off at the limit, whether they say how long they are or not.
func (h *house) endless(t *testing.T) {
	for name, head := range map[string]string{
		"to REST":                     "POST /api/v1/products HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: Bearer " + h.seller.Token,
		"to REST, without a token":    "POST /api/v1/orders HTTP/1.1\r\nContent-Type: application/json",
		"to a page":                   "POST /auth/login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin",
		"to a form that takes a file": "POST /auth/register HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nSec-Fetch-Site: same-origin",
		"to no page":                  "POST /nowhere HTTP/1.1\r\nContent-Type: text/plain",
	} {
		c := h.raw(t)
		if _, err := fmt.Fprintf(c, "%s\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", head); err != nil {
			t.Fatal(err)
		}
		sent := make(chan int)
		go func() {
			piece, n := "8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 0
			for ; n < 2000; n++ { // 64 MB, if anybody took them
				if _, err := io.WriteString(c, piece); err != nil {
					break
				}
			}
			sent <- n
		}()
		res, _, err := answerOn(c)
		_ = c.Close()
		if n := <-sent; n == 2000 {
			t.Errorf("%s: all of it was taken", name)
		}
		if err != nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) && !isReset(err) {
				t.Errorf("%s: %v", name, err)
			}
			continue // the server hung up while we were writing
		}
		if res.StatusCode < 400 || res.StatusCode >= 500 {
			t.Errorf("%s: got %s", name, res.Status)
		}
	}
}

func isReset(err error) bool {
	_, isNet := errors.AsType[*net.OpError](err)
	return isNet || errors.Is(err, io.EOF)
}

// slow senders wait alone: while many of them hold their connections, others are served,
// and each is hung up on in the end.
func (h *house) slow(t *testing.T) {
	const senders = 100
	var conns []net.Conn
	for i := range senders {
		c := h.raw(t)
		head := "POST /api/v1/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAuthorization: Bearer " + h.buyer.Token + "\r\n\r\n{\"it"
		if i%2 == 1 {
			head = "GET / HTTP/1.1\r\nHost: localho" // not even a header
		}
		if _, err := io.WriteString(c, head); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if a := h.call(t, h.buyer.Token, http.MethodGet, "/api/v1/orders", ""); a.status != http.StatusOK {
		t.Errorf("somebody else meanwhile: got %d", a.status)
	}
	var wait sync.WaitGroup
	for i, c := range conns {
		wait.Go(func() {
			res, body, err := answerOn(c)
			if i%2 == 1 {
				if err == nil && res.StatusCode < 400 {
					t.Errorf("half a header: got %s", res.Status)
				}
				return
			}
			if err == nil && (res.StatusCode < 400 || res.StatusCode >= 500) {
				t.Errorf("half a body: got %s %s", res.Status, body)
			}
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Error("half a body: no answer in 30 s")
			}
		})
	}
	wait.Wait()
}
