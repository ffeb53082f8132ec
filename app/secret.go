package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"jishi/kit/web"
)

// secretBytes is the least that a secret must have.
const secretBytes = 32

// loadSecrets reads the market's secrets. A file that doesn't exist is made, with one new
// secret that only this user can read. Of processes that start together on one directory,
// one makes it and all read it.
func loadSecrets(path string) (web.Secrets, error) {
	secrets, err := readSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets, err
	}
	if err := makeSecret(path); err != nil {
		return nil, fmt.Errorf("make the secret file %s: %w", path, err)
	}
	return readSecrets(path)
}

// readSecrets reads them: a base64 line each, newest first.
func readSecrets(path string) (web.Secrets, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret file: %w", err)
	}
	var secrets web.Secrets
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(secret) < secretBytes {
			return nil, fmt.Errorf("secret file %s: want base64 of %d bytes or more in each line", path, secretBytes)
		}
		secrets = append(secrets, secret)
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("secret file %s is empty", path)
	}
	return secrets, nil
}

// resealEvery is how soon what an older secret sealed is under the newest one, also where
// a replica that had the older one first stored it last.
const resealEvery = 10 * time.Minute

// keepResealed brings what a module has stored under the newest secret, as background work, so
// that an older one can be taken away; reseal tells how many values it changed. Any number of
// replicas may do it.
func (m *Market) keepResealed(module string, reseal func(context.Context) (int, error)) {
	if len(m.secrets) == 1 {
		return
	}
	m.work = append(m.work, func(ctx context.Context) error {
		return every(ctx, resealEvery, func() {
			n, err := reseal(ctx)
			if n > 0 {
				m.log.Info("resealed under the newest secret", slog.String("module", module), slog.Int("values", n))
			}
			if err != nil && ctx.Err() == nil {
				m.log.Error("what an older secret sealed can't be resealed", slog.String("module", module), slog.Any("err", err))
			}
		})
	})
}

// makeSecret writes a whole file or none: a link to a temporary one appears at once,
// and fails where another process was faster.
func makeSecret(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = fmt.Fprintln(tmp, base64.StdEncoding.EncodeToString(web.NewSecret()))
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
