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
	"slices"
	"strings"
	"time"

	"jishi/conf"
	"jishi/kit/web"
)

// secretBytes is the least that a secret must have.
const secretBytes = 32

// loadSecrets reads the market's secrets. A file that doesn't exist is made, with one new
// secret that only this user can read. Of processes that start together on one directory,
// one makes it and all read it. Where one of the market's other files exists already, another
// secret would open nothing, and seal what the market's own should.
func loadSecrets(path string, others ...string) (web.Secrets, error) {
	there := slices.IndexFunc(others, func(file string) bool { // before: who makes a secret makes them afterwards
		_, err := os.Stat(file)
		return err == nil
	})
	secrets, err := readSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secrets, err
	}
	if there >= 0 {
		return nil, fmt.Errorf("secret-file %s: want the secret file of the market, which has %s", path, others[there])
	}
	if err := makeSecret(path); err != nil {
		return nil, fmt.Errorf("make the secret file %s: %w", path, err)
	}
	return readSecrets(path)
}

// databaseFiles are those of modules, as far as they have an SQLite database.
func databaseFiles(c *conf.Config, modules ...string) []string {
	var files []string
	for _, name := range modules {
		if file, ok := strings.CutPrefix(c.Module(name).Database, "sqlite:"); ok {
			files = append(files, strings.TrimPrefix(file, "//"))
		}
	}
	return files
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
