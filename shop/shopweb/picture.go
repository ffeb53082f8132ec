package shopweb

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"jishi/kit/ui"
	"jishi/shop/picture"
)

// How wide pictures are shown, for browsers to choose a file by (the attribute sizes).
const (
	cardSizes = "(min-width: 1152px) 240px, (min-width: 1024px) calc(25vw - 44px), (min-width: 640px) calc(33vw - 48px), calc(50vw - 40px)"
	pageSizes = "(min-width: 1152px) 500px, (min-width: 768px) calc(50vw - 60px), calc(100vw - 50px)"
	lineSizes = "112px"
)

// imageOf is a product's picture for a place of that width; the side is the file for browsers
// that choose none. Pictures elsewhere come in one size.
func imageOf(image string, side int, sizes string) ui.Image {
	if !picture.Valid(image) {
		return ui.Image{URL: image}
	}
	files := make([]string, len(picture.Sides))
	for i, s := range picture.Sides {
		files[i] = pictureURL(picture.Sized(image, s)) + " " + strconv.Itoa(s) + "w"
	}
	return ui.Image{URL: pictureURL(picture.Sized(image, side)), Files: strings.Join(files, ", "), Sizes: sizes}
}

func pictureURL(file string) string { return "/pictures/" + file }

// picture sends a file of a stored picture. A name never gets another content, so browsers
// keep it.
func (p *pages) picture(w http.ResponseWriter, r *http.Request) error {
	f, err := p.shop.Picture(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	h := w.Header()
	h.Set("Content-Type", picture.ContentType)
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = io.Copy(w, f) // a reader that left
	return nil
}
