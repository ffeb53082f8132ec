package main

import (
	"context"
	"time"

	"jishi/app"
	"jishi/app/load"
	"jishi/conf"
)

type loadCmd struct {
	Target   []string       `help:"Base URLs of the shop's replicas, taken in turns. Default: the shop's URL." placeholder:"URL"`
	Mix      map[string]int `default:"buy=1" mapsep:"," help:"What buyers do, and how often: browse, product (pages), list, cart, orders, buy (REST)."`
	Clients  int            `default:"64" help:"Connections, each of which waits for its answer."`
	Buyers   int            `help:"Users in whose names they act. Default: as many as clients."`
	Products int            `default:"1" help:"Products that are bought, each equally often."`
	Stock    int64          `default:"1000000" help:"Pieces of each when the run begins."`
	Rate     float64        `help:"Requests a second by a schedule, from which times are counted. Default: as fast as the answers come."`
	Warmup   time.Duration  `default:"2s" help:"How long before anything is counted."`
	Duration time.Duration  `default:"10s" help:"How long requests are begun."`
	Count    int64          `help:"Requests after which it ends, if that is earlier."`
	Once     bool           `help:"Each buyer asks once, and that is all."`
	Verify   bool           `help:"Check every invariant afterwards, as jishi verify does."`
}

// Run prints a line of JSON. A market that does not add up is an error.
func (l *loadCmd) Run(ctx context.Context, c *conf.Config, term terminal) error {
	return app.Load(ctx, c, load.Options{
		Targets: l.Target, Mix: l.Mix, Clients: l.Clients, Buyers: l.Buyers, Products: l.Products, Stock: l.Stock,
		Rate: l.Rate, Warmup: l.Warmup, Duration: l.Duration, Count: l.Count, Once: l.Once,
	}, l.Verify, term.out, term.err)
}
