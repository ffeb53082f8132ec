package payapi

import (
	"context"

	"jishi/kit/web"
	"jishi/pay"
	"jishi/pay/payclient"
)

type webhookReply struct{ Body payclient.Webhook }

type webhookPath struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *api) createWebhook(ctx context.Context, in *struct {
	web.IdempotencyKey
	Body payclient.NewWebhook
}) (*webhookReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.pay.CreateWebhook(ctx, caller, in.Body.URL, in.Key)
	if err != nil {
		return nil, err
	}
	return &webhookReply{webhookOf(w)}, nil
}

func (a *api) webhooks(ctx context.Context, _ *struct{}) (*struct{ Body payclient.Webhooks }, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	all, err := a.pay.Webhooks(ctx, caller)
	if err != nil {
		return nil, err
	}
	out := payclient.Webhooks{Items: make([]payclient.Webhook, len(all))}
	for i, w := range all {
		out.Items[i] = webhookOf(w)
	}
	return &struct{ Body payclient.Webhooks }{out}, nil
}

func (a *api) rotateWebhook(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
	web.IdempotencyKey
}) (*webhookReply, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	w, err := a.pay.RotateWebhook(ctx, caller, pay.WebhookID(in.ID), in.Key)
	if err != nil {
		return nil, err
	}
	return &webhookReply{webhookOf(w)}, nil
}

func (a *api) deleteWebhook(ctx context.Context, in *webhookPath) (*struct{}, error) {
	caller, err := a.caller(ctx)
	if err != nil {
		return nil, err
	}
	return nil, a.pay.DeleteWebhook(ctx, caller, pay.WebhookID(in.ID))
}

func webhookOf(w pay.Webhook) payclient.Webhook {
	return payclient.Webhook{ID: string(w.ID), URL: w.URL, Secret: w.Secret, Disabled: w.Disabled, CreatedAt: w.CreatedAt.UTC()}
}
