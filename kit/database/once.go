package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
)

// ErrMismatch refuses a key that stands for another request already.
var ErrMismatch = fault.New(fault.Invalid, "idempotency.mismatch", "This idempotency key was used for a different request.")

// ErrUsed says that a key was used before; [DB.Used] tells with what result. It
// isn't for users.
var ErrUsed = errors.New("the key was used before")

// once is a request that had its effect.
type once struct {
	bun.BaseModel `bun:"table:once"`

	Key      []byte `bun:",pk"` // a hash of scope and key: callers send what they like
	BodyHash string
	Result   string
	At       Time
}

func keyHash(scope, key string) []byte {
	h := sha256.Sum256([]byte(scope + "\x00" + key))
	return h[:]
}

// Once records, in the transaction that has the effect, that a request had it: the
// scope says whose and what kind of request, the key is the caller's, the hash that
// of what was asked, and the result (an id, at most 255 bytes) what to answer the
// next time. Of requests with one key, at once or later, one gets through; the others
// get [ErrUsed], return it from the transaction and ask [DB.Used]. An empty key is
// a request that may be repeated: nothing is recorded.
func Once(ctx context.Context, tx bun.Tx, scope, key, bodyHash, result string) error {
	if key == "" {
		return nil
	}
	row := once{Key: keyHash(scope, key), BodyHash: bodyHash, Result: result, At: At(time.Now())}
	_, err := tx.NewInsert().Model(&row).Exec(ctx)
	if Taken(err) {
		return ErrUsed
	}
	if err != nil {
		return fmt.Errorf("record key in %s: %w", scope, err)
	}
	return nil
}

// Used gives the result of the request that had its effect under this key. The same
// key with another body is refused with [ErrMismatch].
func (db *DB) Used(ctx context.Context, scope, key, bodyHash string) (result string, used bool, err error) {
	if key == "" {
		return "", false, nil
	}
	var row once
	err = db.NewSelect().Model(&row).Where("? = ?", bun.Ident("key"), keyHash(scope, key)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up key in %s: %w", scope, err)
	}
	if row.BodyHash != bodyHash {
		return "", true, ErrMismatch
	}
	return row.Result, true, nil
}

// Use is a request that shall have its effect once: Scope says whose and what kind of
// request it is, Key is the caller's (a form's one-time token, an Idempotency-Key), and
// Asked what is asked for; asking for something else with the same key is ErrMismatch.
// Without a key a request has its effect as often as it comes.
type Use struct {
	Scope, Key string
	Asked      any // as JSON it tells requests with one key apart
}

// Claim is a use with the result that it will have if it is the first, to be written in a
// transaction together with others.
type Claim struct {
	key          []byte // nil: may be repeated
	body, result string
}

// Claim is u with its result, an id.
func (u Use) Claim(result string) (Claim, error) {
	if u.Key == "" {
		return Claim{result: result}, nil
	}
	hash, err := u.hash()
	return Claim{keyHash(u.Scope, u.Key), hash, result}, err
}

// Name tells claims of one batch apart that have the same key; "" may be repeated.
func (c Claim) Name() string { return string(c.key) }

func (u Use) hash() (string, error) {
	body, err := json.Marshal(u.Asked)
	if err != nil {
		return "", fmt.Errorf("read what is asked for in %s: %w", u.Scope, err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), nil
}

// Past is what became of a claim's key before: the first one's result ("" where this is
// the first), or ErrMismatch.
type Past struct {
	Result string
	Err    error
}

// LookUpClaims gives the past of each claim.
func LookUpClaims(ctx context.Context, tx bun.Tx, claims []Claim) ([]Past, error) {
	past := make([]Past, len(claims))
	var keys [][]byte
	for _, c := range claims {
		if c.key != nil {
			keys = append(keys, c.key)
		}
	}
	if len(keys) == 0 {
		return past, nil
	}
	var rows []once
	if err := tx.NewSelect().Model(&rows).Where("? IN (?)", bun.Ident("key"), bun.In(keys)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("look up %d keys: %w", len(keys), err)
	}
	used := make(map[string]once, len(rows))
	for _, r := range rows {
		used[string(r.Key)] = r
	}
	for i, c := range claims {
		if r, found := used[string(c.key)]; found && c.key != nil {
			past[i].Result = r.Result
			if r.BodyHash != c.body {
				past[i].Err = ErrMismatch
			}
		}
	}
	return past, nil
}

// RecordClaims writes claims down whose effects are in this transaction. Where another
// transaction was faster with one of the keys, the error is [Taken].
func RecordClaims(ctx context.Context, tx bun.Tx, claims []Claim) error {
	var rows []once
	now := At(time.Now())
	for _, c := range claims {
		if c.key != nil {
			rows = append(rows, once{Key: c.key, BodyHash: c.body, Result: c.result, At: now})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := Insert(tx, &rows).Exec(ctx); err != nil {
		return fmt.Errorf("record %d keys: %w", len(rows), err)
	}
	return nil
}

// InTxOnce is InTx for a request that has a key: of requests with one key, at once or
// later, the first runs write and the others get its result.
func (db *DB) InTxOnce(ctx context.Context, u Use, result string, write func(context.Context, bun.Tx) error) (string, error) {
	hash, err := u.hash()
	if err != nil {
		return "", err
	}
	err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// First, so that of two at once the second waits here, before it does anything.
		if err := Once(ctx, tx, u.Scope, u.Key, hash, result); err != nil {
			return err
		}
		return write(ctx, tx)
	})
	if err == nil {
		return result, nil
	}
	if !errors.Is(err, ErrUsed) && !errors.Is(err, ErrUnknown) {
		return "", err
	}
	// Somebody was first, or the reply to our own commit got lost: look.
	first, used, lookErr := db.Used(ctx, u.Scope, u.Key, hash)
	if lookErr != nil {
		return "", Afterwards(lookErr)
	}
	if !used {
		return "", err
	}
	return first, nil
}

// ForgetOnce deletes the keys that were used before then, and tells how many.
func (db *DB) ForgetOnce(ctx context.Context, then time.Time) (int, error) {
	return DeleteOld[[]byte](ctx, db, "once", "key", "at < ?", At(then))
}
