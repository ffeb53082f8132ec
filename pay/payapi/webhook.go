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
	w, err := a.pay.CreateWebhook(ctx, a.from(ctx), in.Body.URL, in.Key)
	if err != nil {
		return nil, err
	}
	return &webhookReply{webhookOf(w)}, nil
}

func (a *api) webhooks(ctx context.Context, _ *struct{}) (*struct{ Body payclient.Webhooks }, error) {
	all, err := a.pay.Webhooks(ctx, a.from(ctx))
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
	w, err := a.pay.RotateWebhook(ctx, a.from(ctx), pay.WebhookID(in.ID), in.Key)
	if err != nil {
		return nil, err
	}
	return &webhookReply{webhookOf(w)}, nil
}

func (a *api) deleteWebhook(ctx context.Context, in *webhookPath) (*struct{}, error) {
	return nil, a.pay.DeleteWebhook(ctx, a.from(ctx), pay.WebhookID(in.ID))
}

func webhookOf(w pay.Webhook) payclient.Webhook {
	return payclient.Webhook{ID: string(w.ID), URL: w.URL, Secret: w.Secret, Disabled: w.Disabled, CreatedAt: w.CreatedAt.UTC()}
}
