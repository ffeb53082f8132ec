package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"time"

	"jishi/app/load"
	"jishi/auth"
	"jishi/auth/authclient"
	"jishi/conf"
)

// loadTokenLife is longer than a run.
const loadTokenLife = 24 * time.Hour

// loadHash is as cheap as can be: the passwords of load's users are random and forgotten,
// so there is nothing to guess.
var loadHash = auth.HashCost{Memory: 8, Time: 1, Threads: 1}

// Load drives the running market that c describes and prints what came of it to out, as one
// line of JSON. With verify it then checks every invariant, as Verify does, and reports to
// report. What doesn't add up is load.ErrBroken or ErrBroken. It needs auth's database, to
// verify all of them.
func Load(ctx context.Context, c *conf.Config, o load.Options, verify bool, out, report io.Writer) error {
	if len(o.Targets) == 0 {
		o.Targets = []string{c.Module("shop").URL}
	}
	m, err := existing(c, "auth")
	if err == nil {
		err = m.readSecrets()
	}
	if err != nil {
		return err
	}
	err = errors.Join(m.load(ctx, o, out), m.Close())
	if verify && (err == nil || errors.Is(err, load.ErrBroken)) {
		err = errors.Join(err, Verify(ctx, c, Scope{Modules: conf.Modules}, report))
	}
	return err
}

func (m *Market) load(ctx context.Context, o load.Options, out io.Writer) error {
	config, err := m.authConfig(ctx)
	if err != nil {
		return err
	}
	// Its many users come from this command and not from the network, whose limits would make
	// 20,000 of them a matter of hours.
	config.Limits = auth.Limits{Window: config.Limits.Window}
	config.Cost = loadHash
	s := auth.New(config)
	result, err := load.Run(ctx, load.Target{
		PayURL:  m.conf.Module("pay").URL,
		ShopURL: m.conf.Module("shop").URL,
		Enroll: func(ctx context.Context, identifier string) (string, error) {
			token, err := s.IssueToken(ctx, identifier, conf.Modules, loadTokenLife)
			if !errors.Is(err, authclient.ErrNoUser) {
				return token, err
			}
			in := authclient.NewUser{Identifier: identifier, Password: rand.Text()}
			if _, err := s.Register(ctx, auth.Registration{NewUser: in}); err != nil {
				return "", err
			}
			return s.IssueToken(ctx, identifier, conf.Modules, loadTokenLife)
		},
	}, o)
	if err != nil && !errors.Is(err, load.ErrBroken) {
		return err
	}
	return errors.Join(err, json.NewEncoder(out).Encode(result))
}
