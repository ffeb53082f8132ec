// Package picture keeps the pictures of products. What people upload is decoded and
// written anew as JPEG in two sizes, so that nothing but pixels is kept: no place
// where it was taken, no second file hidden behind it. Where the files lie is the
// bucket's matter. The package knows pictures, not products.
package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"strings"

	_ "image/gif"
	_ "image/png"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"jishi/kit/fault"
	"jishi/kit/id"
)

const (
	// MaxBytes bounds an upload.
	MaxBytes = 8 << 20

	maxPixels = 40_000_000 // 160 MB when decoded; checked before anything is decoded
	largeSide = 1200       // pixels
	smallSide = 480
	quality   = 85

	ext      = ".jpg"
	smallExt = "-small.jpg"
)

// ContentType is that of every stored picture.
const ContentType = "image/jpeg"

// What is refused of an upload.
var (
	ErrFormat   = fault.New(fault.Invalid, "shop.picture_format", "A picture is a PNG, JPEG, GIF or WebP file.").On("image")
	ErrTooLarge = fault.New(fault.TooLarge, "shop.picture_too_large", "A picture has at most 8 MiB and 40 million pixels.").On("image")
)

// Store is the pictures of a market.
type Store struct {
	bucket *blob.Bucket
	slots  chan struct{} // one per picture that is being decoded
}

// Open keeps pictures as files in a directory, which is made if it isn't there.
func Open(dir string) (*Store, error) {
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true})
	if err != nil {
		return nil, fmt.Errorf("open pictures in %s: %w", dir, err)
	}
	return New(bucket), nil
}

// New keeps pictures in a bucket.
func New(bucket *blob.Bucket) *Store {
	return &Store{bucket: bucket, slots: make(chan struct{}, 2)}
}

// Close closes the bucket.
func (s *Store) Close() error { return s.bucket.Close() }

// Add stores an upload and gives its name.
func (s *Store) Add(ctx context.Context, upload io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(upload, MaxBytes+1))
	if err != nil {
		return "", fmt.Errorf("read a picture: %w", err)
	}
	if len(data) > MaxBytes {
		return "", ErrTooLarge
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return "", ErrFormat.Because(err)
	}
	if int64(config.Width)*int64(config.Height) > maxPixels {
		return "", ErrTooLarge
	}

	// Decoding takes memory that the upload's size says nothing of.
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	pixels, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", ErrFormat.Because(err)
	}
	name := id.New("pic") + ext
	for file, side := range map[string]int{name: largeSide, Small(name): smallSide} {
		if err := s.write(ctx, file, fit(pixels, orientation(data), side)); err != nil {
			return "", err
		}
	}
	return name, nil
}

func (s *Store) write(ctx context.Context, name string, pixels image.Image) error {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pixels, &jpeg.Options{Quality: quality}); err != nil {
		return fmt.Errorf("encode picture %s: %w", name, err)
	}
	if err := s.bucket.WriteAll(ctx, name, b.Bytes(), &blob.WriterOptions{ContentType: ContentType}); err != nil {
		return fmt.Errorf("store picture %s: %w", name, err)
	}
	return nil
}

// fit is the picture upright on white, within a square of that side; small ones keep
// their size.
func fit(src image.Image, o, side int) image.Image {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	if sideways(o) {
		w, h = h, w
	}
	if longer := max(w, h); longer > side {
		w, h = max(1, w*side/longer), max(1, h*side/longer)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	upright(dst, src, o)
	return dst
}

// Open reads a stored picture; fault.ErrNotFound when there is none of that name.
func (s *Store) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !Valid(name) && !Valid(strings.TrimSuffix(name, smallExt)+ext) {
		return nil, fault.ErrNotFound
	}
	r, err := s.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fault.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open picture %s: %w", name, err)
	}
	return r, nil
}

// Has tells whether a picture of that name is stored.
func (s *Store) Has(ctx context.Context, name string) (bool, error) {
	if !Valid(name) {
		return false, nil
	}
	ok, err := s.bucket.Exists(ctx, name)
	if err != nil {
		return false, fmt.Errorf("look for picture %s: %w", name, err)
	}
	return ok, nil
}

// Valid tells whether name has the form of a stored picture's name in full size.
func Valid(name string) bool {
	base, ok := strings.CutSuffix(name, ext)
	return ok && id.Valid("pic", base)
}

// Small is the name of the thumbnail that belongs to a name.
func Small(name string) string { return strings.TrimSuffix(name, ext) + smallExt }
