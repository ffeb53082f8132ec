package pay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
)

// attempts bounds how often a transaction begins again because somebody else took a
// unique key first, such as a wallet's number or the default flag.
const attempts = 5

// wish is what a user asks for under a key: the one-time token of a form or the
// Idempotency-Key of a call. Without a key it is granted as often as it comes.
type wish struct {
	what string // the verb, so that one key may serve several
	user authclient.UserID
	key  string
	in   any // asking for something else under the same key is refused
}

// once does what is wished in a transaction and keeps the result, an id, under the key.
// The same wish again gives the first one's result and does nothing.
func (s *Service) once(ctx context.Context, w wish, result string, do func(context.Context, bun.Tx) error) (string, error) {
	scope := w.what + ":" + string(w.user)
	content, err := digest(w.in)
	if err != nil {
		return "", fmt.Errorf("read a wish to %s: %w", w.what, err)
	}
	for range attempts {
		err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			// First, so that of two at once the second waits here, before it does anything.
			if err := database.Once(ctx, tx, scope, w.key, content, result); err != nil {
				return err
			}
			return do(ctx, tx)
		})
		if !database.Taken(err) || errors.Is(err, database.ErrUsed) {
			break
		}
	}
	if errors.Is(err, database.ErrUsed) {
		result, _, err = s.db.Used(ctx, scope, w.key, content)
	}
	if err != nil {
		return "", fmt.Errorf("%s once: %w", w.what, err)
	}
	return result, nil
}

// digest tells wishes under one key apart.
func digest(in any) (string, error) {
	b, err := json.Marshal(in)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}
