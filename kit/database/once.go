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

	Scope    string `bun:",pk"`
	Key      []byte `bun:",pk"` // a hash: callers send what they like
	BodyHash string
	Result   string
	At       Time
}

func keyHash(key string) []byte {
	h := sha256.Sum256([]byte(key))
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
	row := once{Scope: scope, Key: keyHash(key), BodyHash: bodyHash, Result: result, At: At(time.Now())}
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
	err = db.NewSelect().Model(&row).Where("scope = ?", scope).Where("? = ?", bun.Ident("key"), keyHash(key)).Scan(ctx)
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

// InTxOnce is InTx for a request that has a key: of requests with one key, at once or
// later, the first runs write and the others get its result.
func (db *DB) InTxOnce(ctx context.Context, u Use, result string, write func(context.Context, bun.Tx) error) (string, error) {
	body, err := json.Marshal(u.Asked)
	if err != nil {
		return "", fmt.Errorf("read what is asked for in %s: %w", u.Scope, err)
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
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
		return "", lookErr
	}
	if !used {
		return "", err
	}
	return first, nil
}

// forgetBatch bounds what one transaction of [DB.ForgetOnce] deletes.
const forgetBatch = 1000

// ForgetOnce deletes the keys that were used before then, and tells how many.
func (db *DB) ForgetOnce(ctx context.Context, then time.Time) (int, error) {
	total := 0
	for {
		var old []once
		err := db.NewSelect().Model(&old).Column("scope", "key").Where("at < ?", At(then)).Order("at").Limit(forgetBatch).Scan(ctx)
		if err != nil || len(old) == 0 {
			return total, err
		}
		err = db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model(&old).WherePK().Exec(ctx)
			return err
		})
		if err != nil {
			return total, err
		}
		total += len(old)
	}
}
