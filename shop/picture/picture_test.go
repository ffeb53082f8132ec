package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"jishi/kit/fault"
)

func newStore(t *testing.T) *Store {
	s, err := Open(t.TempDir() + "/pictures")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An upload comes back as JPEG in two sizes, and nothing of its other bytes is kept.
func TestAdd(t *testing.T) {
	s := newStore(t)
	upload := append(pngOf(t, 2400, 1200), "<script>alert(1)</script>"...)
	name, err := s.Add(t.Context(), bytes.NewReader(upload))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]image.Point{name: {1200, 600}, Small(name): {480, 240}} {
		r, err := s.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		c, err := jpeg.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if got := (image.Point{X: c.Width, Y: c.Height}); got != want {
			t.Errorf("%s: got %v, want %v", file, got, want)
		}
		if bytes.Contains(data, []byte("script")) {
			t.Errorf("%s keeps what stood behind the picture", file)
		}
	}
	if ok, err := s.Has(t.Context(), name); !ok || err != nil {
		t.Errorf("Has: %v, %v", ok, err)
	}
}

func TestAddKeepsSmallOnes(t *testing.T) {
	s := newStore(t)
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.Black, color.White}), nil); err != nil {
		t.Fatal(err)
	}
	name, err := s.Add(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	c, err := jpeg.DecodeConfig(r)
	if err != nil || c.Width != 30 || c.Height != 20 {
		t.Errorf("got %dx%d, %v; want 30x20", c.Width, c.Height, err)
	}
}

func TestAddRefuses(t *testing.T) {
	whole := pngOf(t, 50, 50)
	for name, c := range map[string]struct {
		upload []byte
		want   *fault.Error
	}{
		"nothing":                   {nil, ErrFormat},
		"a page that says image":    {[]byte("<svg onload=alert(1)>"), ErrFormat},
		"a picture that is cut off": {whole[:len(whole)/2], ErrFormat},
		"more bytes than allowed":   {append(whole, make([]byte, MaxBytes)...), ErrTooLarge},
		"more pixels than allowed":  {bomb(whole, 60_000, 60_000), ErrTooLarge},
		"no width":                  {bomb(whole, 0, 50), ErrFormat},
		"pixels that overflow":      {bomb(whole, 1<<31-1, 1<<31-1), ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newStore(t).Add(t.Context(), bytes.NewReader(c.upload)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// bomb is a PNG whose header promises that size.
func bomb(whole []byte, w, h uint32) []byte {
	b := bytes.Clone(whole)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestOpenKnowsOnlyItsNames(t *testing.T) {
	s := newStore(t)
	for _, name := range []string{"", "x.jpg", "../conf.jpg", "pic_/../x.jpg", "pic_" + strings.Repeat("0", 26) + ".jpg"} {
		if _, err := s.Open(t.Context(), name); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%q: got %v, want %v", name, err, fault.ErrNotFound)
		}
	}
}
