package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/id"
)

// A signing key's life. It is published before it signs, so that everybody has read it
// by then (relying parties read keys every 5 minutes, replicas every keysFresh), and
// stays published until the longest token that it signed is over.
const (
	keyLife     = 90 * 24 * time.Hour // how long a key signs
	keyStaged   = 15 * time.Minute    // published, not signing yet
	keyRetained = 31 * 24 * time.Hour // published, not signing any more; no token may live longer
	keysFresh   = 30 * time.Second
	keysAgain   = time.Second     // until they are asked for again where none is known
	keysTimeout = 5 * time.Second // for the database to give them
)

// MaxTokenLife bounds what IssueToken may be asked for.
const MaxTokenLife = 30 * 24 * time.Hour

// keyRow is a signing key. Epoch numbers the keys, so that of replicas that make the
// next key at the same time only one can store it. A key signs from SignFrom until its
// successor does.
type keyRow struct {
	bun.BaseModel `bun:"table:signing_keys"`

	Epoch     int64         `bun:"epoch,pk"`
	ID        string        `bun:"kid"`
	Algorithm string        `bun:"algorithm"`
	Private   string        `bun:"private"` // PKCS #8, sealed under keyPurpose(ID)
	Public    string        `bun:"public"`  // JWK
	SignFrom  database.Time `bun:"sign_from"`
	CreatedAt database.Time `bun:"created_at"`
}

func keyPurpose(kid string) string { return "signing key " + kid }

// signingKey is a key that was read.
type signingKey struct {
	row     keyRow
	private *ecdsa.PrivateKey
	public  jose.JSONWebKey
}

// keyRing is the signing keys as this replica knows them.
type keyRing struct {
	db     *database.DB
	sealer Sealer
	now    func() time.Time

	reading sync.Mutex // held while keys are read; guards failed
	failed  time.Time  // when no key was known, and none could be read

	mu   sync.RWMutex
	keys []signingKey // guarded by mu, as is read; oldest first
	read time.Time    // or tried to be
}

func (k *keyRing) known() (keys []signingKey, fresh bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys, len(k.keys) > 0 && k.now().Sub(k.read) < keysFresh
}

// all gives the keys, oldest first, as they were keysFresh ago or, while the database is away,
// before. The first call in the life of a market makes the first key. Refusal:
// database.ErrUnavailable when no key was ever read: who waited for the same answer gets it too.
func (k *keyRing) all(ctx context.Context) ([]signingKey, error) {
	keys, fresh := k.known()
	if fresh {
		return keys, nil
	}
	if len(keys) == 0 {
		k.reading.Lock()
	} else if !k.reading.TryLock() { // whoever finds them old reads them again; the others don't wait for that
		return keys, nil
	}
	defer k.reading.Unlock()
	if keys, fresh = k.known(); fresh { // somebody else read them meanwhile
		return keys, nil
	}
	if k.now().Sub(k.failed) < keysAgain {
		return nil, database.ErrUnavailable
	}
	// They are for all callers; that the first one leaves must not count as the database's fault.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	loaded, err := k.load(ctx)
	if err == nil && len(loaded) == 0 {
		if err = k.add(ctx, 1, k.now()); err == nil {
			loaded, err = k.load(ctx)
		}
	}
	if err != nil {
		if len(keys) == 0 {
			k.failed = k.now()
			if errors.Is(err, context.DeadlineExceeded) {
				err = database.ErrUnavailable.Because(err)
			}
			return nil, fmt.Errorf("read signing keys: %w", err)
		}
		loaded = keys // the database is away: what is known goes on working
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.read = loaded, k.now()
	return loaded, nil
}

func (k *keyRing) load(ctx context.Context) ([]signingKey, error) {
	var rows []keyRow
	if err := k.db.NewSelect().Model(&rows).Order("epoch").Scan(ctx); err != nil {
		return nil, err
	}
	var keys []signingKey
	for i, row := range rows {
		if i+1 < len(rows) && k.now().Sub(rows[i+1].SignFrom.Time) > keyRetained {
			continue
		}
		key, err := k.open(row)
		if err != nil {
			return nil, fmt.Errorf("open signing key %s: %w", row.ID, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (k *keyRing) open(row keyRow) (signingKey, error) {
	der, err := k.sealer.Open(keyPurpose(row.ID), row.Private)
	if err != nil {
		return signingKey{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return signingKey{}, err
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return signingKey{}, fmt.Errorf("it is a %T", parsed)
	}
	return signingKey{row, private, publicJWK(row.ID, &private.PublicKey)}, nil
}

func publicJWK(kid string, key *ecdsa.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}
}

// add makes the key of an epoch. That somebody else has made it is fine.
func (k *keyRing) add(ctx context.Context, epoch int64, signFrom time.Time) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	kid := id.New("key")
	public, err := json.Marshal(publicJWK(kid, &private.PublicKey))
	if err != nil {
		return err
	}
	err = k.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&keyRow{
			Epoch:     epoch,
			ID:        kid,
			Algorithm: string(jose.ES256),
			Private:   k.sealer.Seal(keyPurpose(kid), der),
			Public:    string(public),
			SignFrom:  database.At(signFrom),
			CreatedAt: database.At(k.now()),
		}).Exec(ctx)
		return err
	})
	if database.Taken(err) {
		return nil
	}
	return err
}

// rotate stages the next key when the newest has signed for long enough, and deletes
// those that nothing is signed with any more.
func (k *keyRing) rotate(ctx context.Context) error {
	keys, err := k.all(ctx)
	if err != nil {
		return err
	}
	newest := keys[len(keys)-1].row
	if k.now().Sub(newest.SignFrom.Time) > keyLife {
		if err := k.add(ctx, newest.Epoch+1, k.now().Add(keyStaged)); err != nil {
			return err
		}
	}
	return k.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*keyRow)(nil)).Where("epoch < ?", keys[0].row.Epoch).Exec(ctx)
		return err
	})
}

// Reseal brings the signing keys that only an older secret opens under the newest one, so
// that the older one can go. It tells how many it changed, and goes on after one that can't be
// opened, which may be one that nothing needs any more.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	var rows []keyRow
	if err := s.db.NewSelect().Model(&rows).Order("epoch").Scan(ctx); err != nil {
		return 0, fmt.Errorf("read signing keys: %w", err)
	}
	n := 0
	var errs []error
	for _, row := range rows {
		won, err := s.keys.reseal(ctx, row)
		if err != nil {
			errs = append(errs, fmt.Errorf("reseal signing key %s: %w", row.ID, err))
		}
		if won {
			n++
		}
	}
	return n, errors.Join(errs...)
}

// reseal replaces what was read, and only that: another replica may be at it too.
func (k *keyRing) reseal(ctx context.Context, row keyRow) (won bool, err error) {
	fresh, err := k.sealer.Reseal(keyPurpose(row.ID), row.Private)
	if err != nil || fresh == "" {
		return false, err
	}
	err = k.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		won, err = database.Changed(tx.NewUpdate().Model((*keyRow)(nil)).
			Set("private = ?", fresh).
			Where("epoch = ?", row.Epoch).Where("private = ?", row.Private).Exec(ctx))
		return err
	})
	return won, err
}

// signer is the key that signs now.
func (k *keyRing) signer(ctx context.Context) (signingKey, error) {
	keys, err := k.all(ctx)
	if err != nil {
		return signingKey{}, err
	}
	for i := len(keys) - 1; i >= 0; i-- {
		if !keys[i].row.SignFrom.After(k.now()) {
			return keys[i], nil
		}
	}
	return signingKey{}, errors.New("no key may sign yet: the clocks of the replicas differ")
}

// public finds a published key, or says that there is none.
func (k *keyRing) public(ctx context.Context, kid string) (*ecdsa.PublicKey, bool, error) {
	keys, err := k.all(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, key := range keys {
		if key.row.ID == kid {
			return &key.private.PublicKey, true, nil
		}
	}
	return nil, false, nil
}

// Keys are the public keys that tokens are checked with.
func (s *Service) Keys(ctx context.Context) (jose.JSONWebKeySet, error) {
	keys, err := s.keys.all(ctx)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, key.public)
	}
	return set, nil
}
