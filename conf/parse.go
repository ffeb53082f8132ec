package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"gopkg.in/yaml.v3"
)

// EnvPrefix begins the environment variables that are settings.
const EnvPrefix = "JISHI_"

// Options make kong read the three spellings. environ is os.Environ(): a JISHI_…
// variable that names no setting is refused, as an unknown key of the file is.
func Options(environ []string) []kong.Option {
	return []kong.Option{
		kong.DefaultEnvars(strings.TrimSuffix(EnvPrefix, "_")),
		kong.Configuration(file),
		kong.WithBeforeApply(func(k *kong.Kong) error { return knownVariables(k, environ) }),
	}
}

// file reads a YAML file whose keys are the names of settings.
func file(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	inner, err := kongyaml.Loader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var keys map[string]any
	if err := yaml.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	return strict{inner, keys}, nil
}

// strict is a resolver that refuses keys which no setting has, and gives way to variables.
type strict struct {
	kong.Resolver
	keys map[string]any
}

// Resolve has nothing for a flag that a variable has set: kong lets what a resolver has
// win over that. Numbers are text, as in the other spellings, since kong takes one for a
// duration in nanoseconds, and rounds.
func (s strict) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	value, err := s.Resolver.Resolve(ctx, parent, flag)
	switch value.(type) {
	case int, float64, bool:
		return fmt.Sprint(value), err
	case []any, map[string]any:
		if !flag.IsSlice() { // kong would print it, with whatever password is in it
			return nil, errors.New("want one value in the configuration file")
		}
	}
	return value, err
}

func (s strict) Validate(app *kong.Application) error {
	for key := range s.keys {
		if !slices.ContainsFunc(app.Flags, func(f *kong.Flag) bool { return f.Name == key && setting(f) }) {
			return fmt.Errorf("configuration file: %s is no setting", key)
		}
	}
	return s.Resolver.Validate(app)
}

// setting tells whether a flag of the application is one: a file neither asks for help nor
// names another file.
func setting(f *kong.Flag) bool { return f.Name != "help" && f.Name != "config" }

func knownVariables(k *kong.Kong, environ []string) error {
	known := flagNames(k.Model)
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		setting, ours := strings.CutPrefix(name, EnvPrefix)
		if ours && !slices.Contains(known, strings.ToLower(strings.ReplaceAll(setting, "_", "-"))) {
			return fmt.Errorf("environment variable %s is no setting", name)
		}
	}
	return nil
}

// flagNames are those of the application and of its commands.
func flagNames(app *kong.Application) []string {
	var names []string
	_ = kong.Visit(app, func(n kong.Visitable, next kong.Next) error {
		if f, ok := n.(*kong.Flag); ok {
			names = append(names, f.Name)
		}
		return next(nil)
	})
	return names
}
