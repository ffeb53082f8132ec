package main

import (
	"context"

	"jishi/app"
	"jishi/conf"
)

type serveCmd struct {
	Modules []string `arg:"" optional:"" enum:"auth,pay,shop" help:"auth, pay, shop; all when none is named."`
}

// Run serves until SIGINT or SIGTERM, then drains.
func (s *serveCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	modules := s.Modules
	if len(modules) == 0 {
		modules = conf.Modules
	}
	return app.Serve(ctx, c, modules, term.err)
}
