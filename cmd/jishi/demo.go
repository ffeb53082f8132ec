package main

import (
	"context"

	"jishi/app"
	"jishi/conf"
)

type demoCmd struct{}

// Run loads the demo market and says how to log in.
func (demoCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	if err := app.Demo(ctx, c); err != nil {
		return err
	}
	return app.PrintDemo(c, term.out)
}
