// Package rest is the client side of HTTP between services: JSON in and out, and
// refusals that arrive as the same *fault.Error that was sent.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"jishi/kit/fault"
)

// What a caller can learn when there is no answer to read.
var (
	// ErrUnreachable: the request never left, so nothing happened.
	ErrUnreachable = fault.New(fault.Busy, "rest.unreachable", "Another part of the market can't be reached. Nothing was changed; please try again.")
	// ErrNoReply: the request may have been carried out; ask again with the same id.
	ErrNoReply = fault.New(fault.Unknown, "rest.no_reply", "Another part of the market did not answer in time. Please look again before you repeat this.")
)

// maxReply bounds what is read of an answer, in bytes.
const maxReply = 8 << 20

// Call sends in as JSON (nothing when nil) and reads the answer into a T. A creating
// call carries its idempotency key. A status of 400 or more is returned as the
// *fault.Error of its problem document; without an answer it is ErrUnreachable
// or ErrNoReply.
func Call[T any](ctx context.Context, hc *http.Client, method, url, key string, in any) (T, error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	if in == nil {
		return send[T](ctx, hc, method, url, header, nil)
	}
	b, err := json.Marshal(in)
	if err != nil {
		var none T
		return none, fmt.Errorf("encode the request to %s: %w", url, err)
	}
	header.Set("Content-Type", "application/json")
	return send[T](ctx, hc, method, url, header, bytes.NewReader(b))
}

// Upload posts a file, and is otherwise like Call.
func Upload[T any](ctx context.Context, hc *http.Client, url string, file io.Reader) (T, error) {
	return send[T](ctx, hc, http.MethodPost, url, http.Header{"Content-Type": {"application/octet-stream"}}, file)
}

func send[T any](ctx context.Context, hc *http.Client, method, url string, header http.Header, body io.Reader) (T, error) {
	var out T
	ctx, left := watch(ctx)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return out, fmt.Errorf("make a request to %s: %w", url, err)
	}
	req.Header = header
	req.Header.Set("Accept", "application/json")
	res, err := hc.Do(req)
	if err != nil {
		return out, noReply(err, left.Load())
	}
	defer func() { _ = res.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	if err != nil {
		return out, ErrNoReply.Because(err)
	}
	if res.StatusCode == http.StatusRequestTimeout { // of the last sending; one before it may have arrived whole
		return out, ErrNoReply.Because(fault.Decode(res.StatusCode, reply))
	}
	if res.StatusCode >= 400 {
		return out, fault.Decode(res.StatusCode, reply)
	}
	if len(reply) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(reply, &out); err != nil {
		return out, ErrNoReply.Because(fmt.Errorf("decode the answer of %s: %w", url, err))
	}
	return out, nil
}

type leftKey struct{}

// watch has a call note that it has left. The transport sends one with an idempotency key again
// by itself when its connection ends, so how its last attempt failed says nothing of those before.
// Nobody acts on less than a whole head, and HTTP/1 tells that it is written before its end is on
// the way; HTTP/2 sends again only what the callee says it didn't take.
func watch(ctx context.Context) (context.Context, *atomic.Bool) {
	left := new(atomic.Bool) // connections set it, in goroutines of theirs
	ctx = context.WithValue(ctx, leftKey{}, left)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { left.Store(true) }}), left
}

// noReply tells a request that never left from one whose fate is open. A refusal on
// the way, such as that of a token source, stays what it is.
func noReply(err error, left bool) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" && !left {
		return ErrUnreachable.Because(err)
	}
	return ErrNoReply.Because(err)
}

// TokenSource finds the access token of a request.
type TokenSource func(ctx context.Context) (string, error)

// Bearer is hc with the source's token in the Authorization header.
func Bearer(hc *http.Client, source TokenSource) *http.Client {
	c := *hc
	c.Transport = bearer{hc.Transport, source}
	return &c
}

type bearer struct {
	next   http.RoundTripper
	source TokenSource
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	left, watched := r.Context().Value(leftKey{}).(*atomic.Bool)
	before := watched && left.Load()
	token, err := b.source(r.Context())
	if watched {
		left.Store(before) // what the token was asked for with is another request
	}
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}
