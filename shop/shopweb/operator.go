package shopweb

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"jishi/kit/database"
	"jishi/kit/locale"
	"jishi/kit/ui"
	"jishi/kit/web"
	"jishi/shop"
	"jishi/shop/shopclient"
)

// casesView is what waits for the operator.
type casesView struct {
	Cases []caseView
	Next  string
}

type caseView struct {
	refundView
	URL string // of the order
}

func (p *pages) operator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	all, next, err := p.shop.Cases(ctx, p.user(ctx).ID, database.Page{Cursor: r.URL.Query().Get("cursor")})
	if err != nil {
		return err
	}
	var v casesView
	for _, x := range all {
		x.Actions = nil // they are on the order's page
		c := caseView{refundViewOf(ctx, x, nil), orderPath(x.OrderID) + "#" + string(x.ID)}
		c.Facts = append(c.Facts,
			ui.Fact{Name: locale.T(ctx, "shop.refund.since"), Value: locale.Time(ctx, x.OpenSince.Time)},
			ui.Fact{Name: locale.T(ctx, "shop.order.id"), Value: string(x.OrderID)})
		v.Cases = append(v.Cases, c)
	}
	if next != "" {
		v.Next = "/operator?" + url.Values{"cursor": {next}}.Encode()
	}
	return web.Render(w, r, http.StatusOK, operatorPage(v))
}

// findingsView is what the shop and pay did not agree on.
type findingsView struct {
	Heading  string
	Findings []findingView
	Next     string
	Other    ui.Link   // those in the other state
	Passes   []ui.Fact // when they were last compared
}

type findingView struct {
	ID, Title, State string
	Tone             ui.Tone
	Facts            []ui.Fact
	URL              string // of the order, "" where there is none
}

func (p *pages) findings(w http.ResponseWriter, r *http.Request) error {
	ctx, q, me := r.Context(), r.URL.Query(), p.user(r.Context()).ID
	open, mended := locale.T(ctx, "shop.finding.open"), locale.T(ctx, "shop.finding.mended")
	state, v := shop.OpenFinding, findingsView{Heading: open, Other: ui.Link{URL: "/operator/findings?state=mended", Text: locale.T(ctx, "shop.findings.mended")}}
	if q.Get("state") == shopclient.FindingMended {
		state, v.Heading, v.Other = shop.Mended, mended, ui.Link{URL: "/operator/findings", Text: open}
	}
	all, next, err := p.shop.Findings(ctx, me, state, database.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return err
	}
	passes, err := p.shop.Reconciled(ctx, me)
	if err != nil {
		return err
	}
	for _, f := range all {
		v.Findings = append(v.Findings, findingViewOf(ctx, f))
	}
	for _, x := range passes {
		v.Passes = append(v.Passes, ui.Fact{
			Name:  locale.T(ctx, "shop.findings.pass."+x.Name),
			Value: locale.T(ctx, "shop.findings.pass", "at", locale.Time(ctx, x.EndedAt.Time), "orders", strconv.FormatInt(x.Compared, 10)),
		})
	}
	if next != "" {
		q.Set("cursor", next)
		v.Next = "/operator/findings?" + q.Encode()
	}
	return web.Render(w, r, http.StatusOK, findingsPage(v))
}

func findingViewOf(ctx context.Context, f shop.Finding) findingView {
	v := findingView{
		ID: string(f.ID), Title: locale.T(ctx, "shop.finding."+f.What), State: locale.T(ctx, "shop.finding."+string(f.State)), Tone: ui.Bad,
		Facts: []ui.Fact{
			{Name: locale.T(ctx, "shop.order.id"), Value: string(f.OrderID)},
			{Name: locale.T(ctx, "shop.finding.found"), Value: f.Found},
			{Name: locale.T(ctx, "shop.finding.since"), Value: locale.Time(ctx, f.Since.Time)},
			{Name: locale.T(ctx, "shop.finding.seen.at"), Value: locale.Time(ctx, f.SeenAt.Time)},
		},
	}
	if f.State == shop.Mended {
		v.Tone = ui.Good
	}
	if f.What != shopclient.FoundNoOrder {
		v.URL = orderPath(f.OrderID)
	}
	return v
}
