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
)

// logoutJob is the kind of the jobs that tell clients that a session is over.
const logoutJob = "auth.logout"

const (
	notifyAtOnce = 2 * time.Second  // how long a user waits for the clients to be told
	notifyLater  = 15 * time.Second // when the job tells those that couldn't be
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
	if err := s.sessions.DeleteBySID(ctx, login.SessionID); err != nil {
		return err
	}
	return s.revokeSession(ctx, login)
}

// LogOutEverywhere ends all sessions of a user.
func (s *Service) LogOutEverywhere(ctx context.Context, user authclient.UserID) error {
	logins, err := s.Logins(ctx, user)
	if err != nil {
		return err
	}
	for _, l := range logins {
		if err := s.LogOut(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// LogOutOne ends one session of a user's. Refusal: authclient.ErrNoSession.
func (s *Service) LogOutOne(ctx context.Context, user authclient.UserID, session string) error {
	logins, err := s.Logins(ctx, user)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(logins, func(l Login) bool { return l.SessionID == session })
	if i < 0 {
		return authclient.ErrNoSession
	}
	return s.LogOut(ctx, logins[i])
}

func (s *Service) revokeSession(ctx context.Context, login Login) error {
	var told []logoutPayload
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		told = nil
		// Codes first: one that is being redeemed is waited for, and its grant is seen below.
		_, err := tx.NewUpdate().Model((*flowRow)(nil)).
			Set("used_at = ?", database.At(s.now())).
			Where("sid = ?", login.SessionID).
			Where("used_at IS NULL").
			Exec(ctx)
		if err != nil {
			return err
		}
		var live []grantRow
		err = database.ForUpdate(tx.NewSelect().Model(&live).
			Where("sid = ?", login.SessionID).
			Where("user_id = ?", login.User).
			Where("revoked_at IS NULL").
			Order("id")).
			Scan(ctx)
		if err != nil || len(live) == 0 {
			return err
		}
		ids := make([]string, len(live))
		for i, g := range live {
			ids[i] = g.ID
			p := logoutPayload{g.Client, g.SessionID, g.User}
			if s.clients[g.Client].Logout != "" && !slices.Contains(told, p) {
				told = append(told, p)
			}
		}
		_, err = tx.NewUpdate().Model((*grantRow)(nil)).
			Set("revoked_at = ?", database.At(s.now())).
			Where("id IN (?)", bun.In(ids)).
			Exec(ctx)
		if err != nil {
			return err
		}
		for _, p := range told {
			if err := s.addlogoutJob(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke the grants of session %s: %w", login.SessionID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, notifyAtOnce)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range told {
		wg.Go(func() { s.tellAtOnce(ctx, p) })
	}
	wg.Wait()
	return nil
}

// tellAtOnce does what the job would do, and takes the job away. If it can't, the job
// is still there, and says so if that fails too.
func (s *Service) tellAtOnce(ctx context.Context, p logoutPayload) {
	if err := s.tell(ctx, p); err != nil {
		return
	}
	_ = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error { return s.jobs.Remove(ctx, tx, logoutJob, p.key()) })
}

func (s *Service) addlogoutJob(ctx context.Context, tx bun.Tx, p logoutPayload) error {
	payload, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.jobs.Add(ctx, tx, job.Job{Kind: logoutJob, Key: p.key(), Payload: payload, At: s.now().Add(notifyLater)})
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
