package shopapi

import (
	"context"

	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

func (a *api) findings(ctx context.Context, in *struct {
	State string `query:"state" enum:"open,mended" doc:"only those in this state"`
	web.PageQuery
}) (*struct{ Body shopclient.Findings }, error) {
	all, next, err := a.shop.Findings(ctx, a.user(ctx).ID, shop.FindingState(in.State), pageOf(in.PageQuery))
	if err != nil {
		return nil, err
	}
	out := shopclient.Findings{Items: make([]shopclient.Finding, len(all)), Next: next}
	for i, f := range all {
		out.Items[i] = shopclient.Finding{
			ID: string(f.ID), Order: string(f.OrderID), What: f.What, Found: f.Found, State: string(f.State),
			Since: f.Since.UTC(), SeenAt: f.SeenAt.UTC(), MendedAt: moment(f.MendedAt.Time),
		}
	}
	return &struct{ Body shopclient.Findings }{out}, nil
}
