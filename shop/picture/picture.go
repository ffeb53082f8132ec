// Package picture keeps the pictures of products. What people upload is checked by its
// content, decoded under limits and written anew as JPEG in three sizes, so that nothing
// but pixels is kept: no place where it was taken, no second file hidden behind it. Where
// the files lie is the bucket's matter. The package knows pictures, not products.
//
// Of an animation that begins with a whole picture (GIF, APNG) the first frame is kept; an
// animated WebP is refused, since the decoder reads still ones only.
package picture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	_ "image/gif"
	_ "image/png"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/id"
)

const (
	// MaxBytes bounds an upload.
	MaxBytes = 8 << 20

	// maxPixels bounds a picture before anything of it is decoded, and all that are being
	// decoded together: a pixel takes 4 bytes as a rule, and at worst (a progressive JPEG
	// without subsampling) 15.
	maxPixels = 25_000_000
	maxTurns  = 4 // uploads that are in memory at a time
	quality   = 85

	ext       = ".jpg"
	sumLength = 8 // characters of a name that come of its file
)

// The sizes in which a picture is stored: its longer side in pixels. A smaller picture
// keeps its own.
const (
	Small  = 320
	Medium = 640
	Large  = 1280
)

// Sides are all of them. Each is drawn from the next larger one.
var Sides = []int{Small, Medium, Large}

// ContentType is that of every stored picture.
const ContentType = "image/jpeg"

// What is refused of an upload.
var (
	ErrFormat   = fault.New(fault.Invalid, "shop.picture_format", "A picture is a PNG, JPEG, GIF or WebP file.").On("image")
	ErrAnimated = fault.New(fault.Invalid, "shop.picture_animated", "An animated WebP can't be shown. Please choose a still picture.").On("image")
	ErrTooLarge = fault.New(fault.TooLarge, "shop.picture_too_large", "A picture has at most 8 MiB and 25 million pixels.").On("image")
)

// Store is the pictures of a market.
type Store struct {
	bucket   *blob.Bucket
	dir      string              // of files that have to be on disk when they are stored; "" for none
	turns    *semaphore.Weighted // uploads in memory
	decoding *semaphore.Weighted // pixels
}

// Open keeps pictures as files in a directory, which is made if it isn't there.
func Open(dir string) (*Store, error) {
	// A file beside each that only says that it is a JPEG would be one more that can be cut off.
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("open pictures in %s: %w", dir, err)
	}
	s := New(bucket)
	s.dir = dir
	return s, nil
}

// New keeps pictures in a bucket.
func New(bucket *blob.Bucket) *Store {
	return &Store{bucket: bucket, turns: semaphore.NewWeighted(maxTurns), decoding: semaphore.NewWeighted(maxPixels)}
}

// Close closes the bucket.
func (s *Store) Close() error { return s.bucket.Close() }

// NewName is a name for a file that is to be stored. Each copy of a file has a name of its own,
// and all have the same [Content].
func NewName(file io.ReadSeeker) (string, error) {
	sum := sha256.New()
	_, err := io.Copy(sum, file)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", fmt.Errorf("read a picture: %w", err)
	}
	name := id.New("pic")
	return name[:len(name)-sumLength] + hex.EncodeToString(sum.Sum(nil))[:sumLength] + ext, nil
}

// Content tells names of one file's copies from those of others. What is no name of a stored
// picture stands for itself.
func Content(name string) string {
	if !Valid(name) {
		return name
	}
	base := strings.TrimSuffix(name, ext)
	return base[len(base)-sumLength:]
}

// Add stores an upload, which has arrived already, under a new name. However many come at
// once, they take turns: a few are read, and as many are decoded as their pixels allow,
// since that takes memory of which a file's size says nothing.
func (s *Store) Add(ctx context.Context, name string, upload io.Reader) error {
	if !Valid(name) {
		return fmt.Errorf("store a picture as %q: no name of a picture", name)
	}
	if err := s.turns.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.turns.Release(1)
	data, err := io.ReadAll(io.LimitReader(upload, MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read a picture: %w", err)
	}
	pixels, err := check(data)
	if err != nil {
		return err
	}
	if err := s.decoding.Acquire(ctx, pixels); err != nil {
		return err
	}
	defer s.decoding.Release(pixels)
	src, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return ErrFormat.Because(err)
	}
	turn := orientation(data)
	for _, side := range slices.Backward(Sides) {
		drawn := within(src, side)
		if err := s.write(ctx, Sized(name, side), upright(drawn, turn)); err != nil {
			return errors.Join(err, s.Delete(ctx, name)) // a disk that got full keeps what fitted
		}
		src = drawn
	}
	return nil
}

// check reads no more than the head of a file, and tells how many pixels it promises. A
// decoder makes no more of it: formats that tell the size twice are compared by it.
func check(data []byte) (pixels int64, err error) {
	if len(data) > MaxBytes {
		return 0, ErrTooLarge
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return 0, ErrFormat.Because(err)
	}
	pixels = int64(config.Width) * int64(config.Height)
	if pixels > maxPixels {
		return 0, ErrTooLarge
	}
	if format == "webp" && animatedWebP(data) {
		return 0, ErrAnimated
	}
	return pixels, nil
}

// animatedWebP reads the flags of the extended header, which comes first if there is one:
// https://developers.google.com/speed/webp/docs/riff_container#extended_file_format
func animatedWebP(data []byte) bool {
	const flags, animation = 20, 1 << 1
	return len(data) > flags && string(data[12:16]) == "VP8X" && data[flags]&animation != 0
}

func (s *Store) write(ctx context.Context, file string, pixels image.Image) error {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, pixels, &jpeg.Options{Quality: quality}); err != nil {
		return fmt.Errorf("encode picture %s: %w", file, err)
	}
	err := s.bucket.WriteAll(ctx, file, b.Bytes(), &blob.WriterOptions{ContentType: ContentType})
	if err == nil && s.dir != "" {
		err = onDisk(s.dir, file)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = database.ErrFull.Because(err) // the files and the database are one storage to a user
	}
	if err != nil {
		return fmt.Errorf("store picture %s: %w", file, err)
	}
	return nil
}

// onDisk waits until a file and its name in a directory would survive a power failure.
func onDisk(dir, file string) error {
	paths := []string{filepath.Join(dir, file), dir}
	if runtime.GOOS == "windows" { // which knows no such thing of a directory
		paths = paths[:1]
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// within is the picture on white, in a square of that side; small ones keep their size.
func within(src image.Image, side int) *image.RGBA {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	if longer := max(w, h); longer > side {
		w, h = max(1, w*side/longer), max(1, h*side/longer)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	if dst.Bounds().Size() == src.Bounds().Size() {
		draw.Draw(dst, dst.Bounds(), src, src.Bounds().Min, draw.Over)
		return dst
	}
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Over, nil)
	return dst
}

// File is a stored picture that is read.
type File struct {
	io.ReadCloser
	Size int64 // bytes
}

// Open reads a file of a stored picture; fault.ErrNotFound when there is none of that
// name. A size that is missing is answered with the whole picture.
func (s *Store) Open(ctx context.Context, file string) (File, error) {
	name := whole(file)
	if !Valid(name) {
		return File{}, fault.ErrNotFound
	}
	for _, f := range []string{file, name} {
		r, err := s.bucket.NewReader(ctx, f, nil)
		if gcerrors.Code(err) == gcerrors.NotFound {
			continue
		}
		if err != nil {
			return File{}, fmt.Errorf("open picture %s: %w", f, err)
		}
		return File{r, r.Size()}, nil
	}
	return File{}, fault.ErrNotFound
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

// Delete takes a picture away in all its sizes; one that isn't there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	var errs []error
	for _, side := range Sides {
		err := s.bucket.Delete(ctx, Sized(name, side))
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			errs = append(errs, fmt.Errorf("delete picture %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Valid tells whether name has the form of a stored picture's name.
func Valid(name string) bool {
	base, ok := strings.CutSuffix(name, ext)
	return ok && id.Valid("pic", base)
}

// Sized is the file in which a picture is stored in one of its sizes; the largest has the
// picture's own name.
func Sized(name string, side int) string {
	if side == Large {
		return name
	}
	return strings.TrimSuffix(name, ext) + "-" + strconv.Itoa(side) + ext
}

// whole is the name of the picture to which a file belongs, "" for what is no such file.
func whole(file string) string {
	base, ok := strings.CutSuffix(file, ext)
	base, size, sized := strings.Cut(base, "-")
	if side, err := strconv.Atoi(size); !ok || sized && (err != nil || !slices.Contains(Sides, side)) {
		return ""
	}
	return base + ext
}
