package pay

import (
	"context"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
)

// attempts bounds how often a transaction begins again because somebody else took a
// unique key first, such as a wallet's number or the default flag.
const attempts = 5

// wish is what a user asks for under a key: the one-time token of a form or the
// Idempotency-Key of a call.
type wish struct {
	what string // the verb, so that one key may serve several
	user authclient.UserID
	key  string
	in   any
}

// once does what is wished in a transaction and keeps the result, an id, under the key.
// The same wish again gives the first one's result and does nothing.
func (s *Service) once(ctx context.Context, w wish, result string, do func(context.Context, bun.Tx) error) (string, error) {
	var got string
	var err error
	use := database.Use{Scope: w.what + ":" + string(w.user), Key: w.key, Asked: w.in}
	for range attempts {
		if got, err = s.db.InTxOnce(ctx, use, result, do); !database.Taken(err) {
			break
		}
	}
	return got, err // as it is: of several refusals each is shown
}
