package shop

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

const (
	uploadsMost  = 100 // of one user, in uploadsSpan
	uploadsSpan  = time.Hour
	unusedLife   = 24 * time.Hour // how long an upload may wait for a product to show it
	unusedUpload = "shop.picture" // the job that looks then
)

// The states of an upload. One that a product showed is kept for good: orders remember it.
const (
	uploadNew  = "new"
	uploadUsed = "used"
	uploadGone = "gone" // no product may take it any more
)

// upload is a row.
type upload struct {
	bun.BaseModel `bun:"table:pictures"`

	Name      string `bun:",pk"`
	Owner     authclient.UserID
	State     string
	CreatedAt database.Time
}

// AddPicture stores an upload and gives the name by which a product refers to it. A try
// that fails counts as well, since it costs as much.
func (s *Service) AddPicture(ctx context.Context, owner authclient.UserID, file io.ReadSeeker) (string, error) {
	now := s.now()
	name, err := picture.NewName(file)
	if err != nil {
		return "", err
	}
	// Row and job come before the files: what is stored without an end is not deleted ever.
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := admitUpload(ctx, tx, owner, now); err != nil {
			return err
		}
		row := upload{Name: name, Owner: owner, State: uploadNew, CreatedAt: database.At(now)}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return fmt.Errorf("record picture %s: %w", name, err)
		}
		return s.jobs.Add(ctx, tx, job.Job{Kind: unusedUpload, Key: name, At: now.Add(unusedLife)})
	})
	if err != nil {
		return "", err
	}
	return name, s.pictures.Add(ctx, name, file)
}

// admitUpload refuses an upload where its owner has had the most. The owner's row is locked as
// for the limits of orders: of two uploads at once the second counts the first.
func admitUpload(ctx context.Context, tx bun.Tx, owner authclient.UserID, now time.Time) error {
	if err := lockBuyers(ctx, tx, []authclient.UserID{owner}); err != nil {
		return err
	}
	n, err := tx.NewSelect().Model((*upload)(nil)).
		Where("owner = ?", owner).Where("created_at > ?", database.At(now.Add(-uploadsSpan))).Count(ctx)
	if err != nil {
		return fmt.Errorf("count the uploads of %s: %w", owner, err)
	}
	if n >= uploadsMost {
		return shopclient.ErrUploads
	}
	return nil
}

// Picture reads a file of a stored picture.
func (s *Service) Picture(ctx context.Context, file string) (picture.File, error) {
	return s.pictures.Open(ctx, file)
}

// usePicture keeps an upload that a product shows from now on.
func (s *Service) usePicture(ctx context.Context, tx bun.Tx, image string) error {
	if !picture.Valid(image) {
		return nil
	}
	kept, err := database.Changed(tx.NewUpdate().Model((*upload)(nil)).
		Set("state = ?", uploadUsed).
		Where("name = ?", image).
		Where("state IN (?)", bun.In([]string{uploadNew, uploadUsed})).
		Exec(ctx))
	if err != nil {
		return fmt.Errorf("use picture %s: %w", image, err)
	}
	if !kept {
		return shopclient.ErrImage
	}
	return nil
}

// deleteUnused takes away an upload that no product has shown. The row is claimed first:
// a product that wants the picture at this moment gets it whole, or is refused.
func (s *Service) deleteUnused(ctx context.Context, j job.Job) error {
	var ours bool
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		ours, err = database.Changed(tx.NewUpdate().Model((*upload)(nil)).
			Set("state = ?", uploadGone).
			Where("name = ?", j.Key).
			Where("state IN (?)", bun.In([]string{uploadNew, uploadGone})).
			Exec(ctx))
		return err
	})
	if err != nil {
		return fmt.Errorf("give up picture %s: %w", j.Key, err)
	}
	if !ours {
		return nil
	}
	if err := s.pictures.Delete(ctx, j.Key); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*upload)(nil)).Where("name = ?", j.Key).Exec(ctx)
		if err != nil {
			return fmt.Errorf("forget picture %s: %w", j.Key, err)
		}
		return nil
	})
}
