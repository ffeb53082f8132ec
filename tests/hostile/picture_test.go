package hostile_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// header is the beginning of a PNG of that size; nothing follows.
func header(width, height uint32) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := append([]byte("IHDR"), make([]byte, 13)...)
	binary.BigEndian.PutUint32(chunk[4:], width)
	binary.BigEndian.PutUint32(chunk[8:], height)
	chunk[12], chunk[13] = 8, 2
	_ = binary.Write(&b, binary.BigEndian, uint32(13))
	b.Write(chunk)
	_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(chunk))
	return b.Bytes()
}

func (h *house) upload(t testing.TB, media string, body io.Reader, size int64) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.Shop+"/api/v1/pictures", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	req.Header.Set("Content-Type", media)
	req.Header.Set("Authorization", "Bearer "+h.seller.Token)
	return h.do(t, req)
}

func (h *house) files(t *testing.T) {
	seller := h.loggedIn(t, sellerName)
	sell := seller.get(t, "/sell").form(t, "/sell").with("title", "Cup", "price", "3.00", "stock", "1", "description", "a\nb")
	whole := &bytes.Buffer{}
	if err := png.Encode(whole, image.NewRGBA(image.Rect(0, 0, 50, 50))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		status  int
	}{
		"a PDF named .png":             {[]byte("%PDF-1.7\n1 0 obj\n<<>>\nendobj\n"), http.StatusUnprocessableEntity},
		"an SVG with a script":         {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), http.StatusUnprocessableEntity},
		"HTML":                         {[]byte(`<!doctype html><script>alert(1)</script>`), http.StatusUnprocessableEntity},
		"30,000 x 30,000 pixels":       {header(30_000, 30_000), http.StatusRequestEntityTooLarge},
		"more pixels than a number":    {header(1<<31-1, 1<<31-1), http.StatusUnprocessableEntity},
		"no pixels":                    {header(0, 0), http.StatusUnprocessableEntity},
		"a picture that ends too soon": {whole.Bytes()[:whole.Len()/2], http.StatusUnprocessableEntity},
		"a picture's header only":      {header(100, 100), http.StatusUnprocessableEntity},
		"nine megabytes":               {append(bytes.Clone(whole.Bytes()), make([]byte, 9<<20)...), http.StatusRequestEntityTooLarge},
	} {
		field := "image"
		if len(c.content) > 8<<20 {
			field = "" // it isn't read, so nobody knows what it was to be
		}
		h.upload(t, "image/png", bytes.NewReader(c.content), int64(len(c.content))).refuses(t, name, c.status, field)
		f := sell
		f.file = &file{"image", "picture.png", c.content}
		seller.asksAgain(t, f, c.status, "image")
	}
	// An API doesn't read fifty megabytes to their end; a page does, for the form's sake.
	const huge = 50 << 20
	h.upload(t, "image/png", io.LimitReader(zeros{}, huge), huge).refuses(t, "50 MB", http.StatusRequestEntityTooLarge, "")
	f := sell
	f.file = &file{"image", "picture.png", make([]byte, huge)}
	seller.asksAgain(t, f, http.StatusRequestEntityTooLarge, "image")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// animation is kept as a picture that stands still, or refused.
func (h *house) animation(t *testing.T) {
	var b bytes.Buffer
	moving := gif.GIF{}
	for i := range 30 {
		frame := image.NewPaletted(image.Rect(0, 0, 60, 60), color.Palette{color.White, color.RGBA{uint8(i * 8), 0, 0, 255}})
		moving.Image, moving.Delay = append(moving.Image, frame), append(moving.Delay, 5)
	}
	if err := gif.EncodeAll(&b, &moving); err != nil {
		t.Fatal(err)
	}
	seller := h.loggedIn(t, sellerName)
	sell := seller.get(t, "/sell").form(t, "/sell").with("title", "Moving", "price", "3.00", "stock", "1")
	sell.file = &file{"image", "moving.gif", b.Bytes()}
	a := h.upload(t, "image/gif", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if a.status == http.StatusUnprocessableEntity {
		a.refuses(t, "an animation", http.StatusUnprocessableEntity, "image")
		seller.asksAgain(t, sell, http.StatusUnprocessableEntity, "image")
		return
	}
	p := seller.follow(t, seller.send(t, sell))
	if p.status != http.StatusOK || !strings.HasPrefix(p.url.Path, "/products/") {
		t.Fatalf("an animation: got %d %s: %.300s", p.status, p.url, p.text("main"))
	}
	pictures := 0
	for n := range p.root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "img" || !strings.HasPrefix(attribute(n, "src"), "/pictures/") {
			continue
		}
		pictures++
		shown := seller.get(t, attribute(n, "src"))
		if media := http.DetectContentType([]byte(shown.body)); shown.status != http.StatusOK || media == "image/gif" || strings.Contains(shown.body[:min(64, len(shown.body))], "ANIM") {
			t.Errorf("%s is shown as %d %s", attribute(n, "src"), shown.status, media)
		}
	}
	if pictures == 0 {
		t.Error("the picture is not shown")
	}
	if err := h.seller.Shop.TakeDown(t.Context(), strings.TrimPrefix(p.url.Path, "/products/")); err != nil {
		t.Fatal(err)
	}
}
