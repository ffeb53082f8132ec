package authguard

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysFresh   = 5 * time.Minute  // how old the published keys may be before they are read again
	keysAgain   = 10 * time.Second // at most one request in this time, however many unknown kids come
	keysTimeout = 5 * time.Second
	maxKeys     = 1 << 20 // bytes of a key document
)

var errUnknownKey = errors.New("token is signed with a key that isn't published")

// keySet is auth's published keys. A forged kid costs at most one request in
// keysAgain, and while auth can't be reached the keys that are known go on working.
type keySet struct {
	http *http.Client
	url  func(context.Context) (string, error) // where the keys are published
	now  func() time.Time

	fetching sync.Mutex // held while keys are read; guards tried
	tried    time.Time

	mu      sync.RWMutex
	keys    map[string]*ecdsa.PublicKey // guarded by mu, as is fetched
	fetched time.Time
}

func (k *keySet) lookup(kid string) (key *ecdsa.PublicKey, fresh bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[kid], k.now().Sub(k.fetched) < keysFresh
}

// key finds a public key, or errUnknownKey. Refusal: ErrUnavailable when no keys could
// be read at all.
func (k *keySet) key(ctx context.Context, kid string) (*ecdsa.PublicKey, error) {
	key, fresh := k.lookup(kid)
	if key != nil {
		// Whoever finds the set old reads it again; the others don't wait for that.
		if !fresh && k.fetching.TryLock() {
			_ = k.refresh(ctx) // the old set goes on working
			k.fetching.Unlock()
		}
		return key, nil
	}
	k.fetching.Lock()
	defer k.fetching.Unlock()
	if key, _ := k.lookup(kid); key != nil { // somebody else read it meanwhile
		return key, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, err
	}
	key, _ = k.lookup(kid)
	if key == nil {
		return nil, errUnknownKey
	}
	return key, nil
}

// refresh reads the keys unless that was tried a moment ago. The caller holds fetching.
func (k *keySet) refresh(ctx context.Context) error {
	if k.now().Sub(k.tried) < keysAgain {
		k.mu.RLock()
		defer k.mu.RUnlock()
		if k.keys == nil {
			return ErrUnavailable
		}
		return nil
	}
	k.tried = k.now()
	// The keys are for all callers; the first one's hurry must not cut the others off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	keys, err := k.fetch(ctx)
	if err != nil {
		return ErrUnavailable.Because(fmt.Errorf("read the keys of auth: %w", err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.fetched = keys, k.now()
	return nil
}

func (k *keySet) fetch(ctx context.Context) (map[string]*ecdsa.PublicKey, error) {
	url, err := k.url(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeys)).Decode(&set); err != nil {
		return nil, fmt.Errorf("decode %s: %w", url, err)
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, j := range set.Keys {
		if pub, ok := j.Key.(*ecdsa.PublicKey); ok && j.Use == "sig" && j.Algorithm == string(jose.ES256) {
			keys[j.KeyID] = pub
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s has no key that we can use", url)
	}
	return keys, nil
}
