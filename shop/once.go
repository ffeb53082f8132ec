package shop

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

// use is what a user asks for with a key: the one-time token of a form or the
// Idempotency-Key of a call. Without a key it is asked as often as it comes.
type use struct {
	what string // the verb, so that one key may serve several
	user authclient.UserID
	key  string
	in   any // asking for something else with the same key is refused
}

// once writes in one transaction, once per key, and gives the result of the first use.
func (s *Service) once(ctx context.Context, u use, result string, write func(context.Context, bun.Tx) error) (string, error) {
	body, err := json.Marshal(u.in)
	if err != nil {
		return "", fmt.Errorf("read what is asked for: %w", err)
	}
	sum := sha256.Sum256(body)
	scope, hash := u.what+":"+string(u.user), hex.EncodeToString(sum[:])
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// First, so that of two uses at once the second waits here, before it does anything.
		if err := database.Once(ctx, tx, scope, u.key, hash, result); err != nil {
			return err
		}
		return write(ctx, tx)
	})
	if err == nil {
		return result, nil
	}
	if !errors.Is(err, database.ErrUsed) && !errors.Is(err, database.ErrUnknown) {
		return "", err
	}
	// Somebody was first, or the reply to our own commit got lost: look.
	first, used, lookErr := s.db.Used(ctx, scope, u.key, hash)
	if lookErr != nil {
		return "", lookErr
	}
	if !used {
		return "", err
	}
	return first, nil
}
