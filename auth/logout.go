package auth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/kit/session"
)

// logoutJob is the kind of the jobs that tell clients that a session is over.
const logoutJob = "auth.logout"

const (
	notifyAtOnce = 2 * time.Second  // how long a user waits for the clients to be told
	notifyLater  = 15 * time.Second // when the job tells those that couldn't be
)

const (
	revokedAtOnce = 100 // grants, in one transaction
	toldAtOnce    = 50  // clients and sessions, while the user waits; the others have their jobs
)

// logoutPayload is whom a job tells of what.
type logoutPayload struct {
	Client    string            `json:"client"`
	SessionID string            `json:"sid"`
	User      authclient.UserID `json:"user"`
}

func (p logoutPayload) key() string { return p.SessionID + " " + p.Client }

// LogOut ends a session everywhere: its grants, so that no client gets another token,
// and the sessions that clients have of it, who are told at once if they answer and by
// a job if they don't. Ending it again is harmless.
func (s *Service) LogOut(ctx context.Context, login Login) error {
	if login.SessionID == "" {
		return nil
	}
	return s.end(ctx, "sid", login.SessionID, s.sessions.DeleteBySIDIn)
}

// LogOutEverywhere ends all sessions of a user, with every grant, also one whose session
// is gone.
func (s *Service) LogOutEverywhere(ctx context.Context, user authclient.UserID) error {
	return s.end(ctx, "user_id", string(user), func(ctx context.Context, tx bun.Tx, user string) error {
		return s.sessions.DeleteByUserIn(ctx, tx, user)
	})
}

// LogOutOne ends one session of a user's. Refusal: authclient.ErrNoSession.
func (s *Service) LogOutOne(ctx context.Context, user authclient.UserID, sid string) error {
	x, err := s.sessions.FindBySID(ctx, string(user), sid)
	if errors.Is(err, session.ErrNone) {
		return authclient.ErrNoSession
	}
	if err != nil {
		return err
	}
	return s.LogOut(ctx, loginOf(x))
}

// end deletes sessions, spends the codes and revokes the grants with a value in a column,
// in as many parts as it takes.
func (s *Service) end(ctx context.Context, column, value string, sessions func(context.Context, bun.Tx, string) error) error {
	var told []logoutPayload
	for part, more := 1, true; more; part++ {
		var revoked []grantRow
		err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
			if err := sessions(ctx, tx, value); err != nil {
				return err
			}
			// Then codes: one that is being redeemed is waited for, and its grant is seen below.
			_, err := tx.NewUpdate().Model((*flowRow)(nil)).
				Set("used_at = ?", database.At(s.now())).
				Where("? = ?", bun.Ident(column), value).
				Where("used_at IS NULL").
				Exec(ctx)
			if err != nil {
				return err
			}
			revoked, err = s.revokePart(ctx, tx, column, value)
			return err
		})
		if err != nil {
			if part > 1 {
				err = database.Afterwards(err)
			}
			return fmt.Errorf("end the sessions of %s: %w", value, err)
		}
		told = append(told, s.toTell(revoked)...)
		more = len(revoked) == revokedAtOnce
	}
	s.tellAtOnce(ctx, told[:min(len(told), toldAtOnce)])
	return nil
}

// revokePart revokes grants, no more than revokedAtOnce, with the jobs that tell clients.
func (s *Service) revokePart(ctx context.Context, tx bun.Tx, column, value string) ([]grantRow, error) {
	var live []grantRow
	err := database.ForUpdate(tx.NewSelect().Model(&live).
		Where("? = ?", bun.Ident(column), value).
		Where("revoked_at IS NULL").
		Order("id").
		Limit(revokedAtOnce)).
		Scan(ctx)
	if err != nil || len(live) == 0 {
		return nil, err
	}
	ids := make([]string, len(live))
	for i, g := range live {
		ids[i] = g.ID
	}
	_, err = tx.NewUpdate().Model((*grantRow)(nil)).
		Set("revoked_at = ?", database.At(s.now())).
		Where("id IN (?)", bun.In(ids)).
		Exec(ctx)
	if err != nil {
		return nil, err
	}
	return live, s.addLogoutJobs(ctx, tx, s.toTell(live))
}

// toTell is who has to be told that grants are revoked.
func (s *Service) toTell(revoked []grantRow) []logoutPayload {
	var told []logoutPayload
	for _, g := range revoked {
		p := logoutPayload{g.Client, g.SessionID, g.User}
		if s.clients[g.Client].Logout != "" && !slices.Contains(told, p) {
			told = append(told, p)
		}
	}
	return told
}

// tellAtOnce does what the jobs would do, and takes away those that it did. The others
// are still there, and say so if they fail too.
func (s *Service) tellAtOnce(ctx context.Context, told []logoutPayload) {
	ctx, cancel := context.WithTimeout(ctx, notifyAtOnce)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range told {
		wg.Go(func() {
			if err := s.tell(ctx, p); err != nil {
				return
			}
			_ = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.jobs.Remove(ctx, tx, logoutJob, p.key()) })
		})
	}
	wg.Wait()
}

func (s *Service) addLogoutJobs(ctx context.Context, tx bun.Tx, told []logoutPayload) error {
	jobs := make([]job.Job, len(told))
	for i, p := range told {
		payload, err := json.Marshal(p)
		if err != nil {
			return err
		}
		jobs[i] = job.Job{Kind: logoutJob, Key: p.key(), Payload: payload, At: s.now().Add(notifyLater)}
	}
	return s.jobs.Add(ctx, tx, jobs...)
}

// runLogout is the handler of logoutJob.
func (s *Service) runLogout(ctx context.Context, j job.Job) error {
	var p logoutPayload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return fmt.Errorf("decode a logout job: %w", err)
	}
	return s.tell(ctx, p)
}

// tell posts a logout token to a client. To be told twice is harmless.
func (s *Service) tell(ctx context.Context, p logoutPayload) error {
	c, known := s.clients[p.Client]
	if !known || c.Logout == "" {
		return nil // the client is gone since
	}
	now := s.now()
	token, err := s.sign(ctx, typeLogout, logoutClaims{
		Issuer: s.issuer, Subject: string(p.User), Audience: p.Client, SessionID: p.SessionID, ID: rand.Text(),
		IssuedAt: now.Unix(), ExpiresAt: now.Add(logoutLife).Unix(), Events: map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return err
	}
	return s.notify(ctx, c.Logout, token)
}

var errPostLogout = errors.New("address is not one of the client's")

// PostLogout is where a browser may go after it has logged out: an address that the
// client has registered, compared as text, with the state. "" asks for nothing.
func (s *Service) PostLogout(client, address, state string) (string, error) {
	if address == "" {
		return "", nil
	}
	c, err := s.Client(client)
	if err != nil {
		return "", err
	}
	if !slices.Contains(c.PostLogout, address) {
		return "", ErrClient.Because(errPostLogout)
	}
	if state == "" {
		return address, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("address of client %s: %w", client, err)
	}
	q := u.Query()
	q.Set("state", state)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
