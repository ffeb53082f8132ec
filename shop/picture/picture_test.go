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
	"sync"
	"sync/atomic"
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

func named(t *testing.T, upload []byte) string {
	t.Helper()
	name, err := NewName(bytes.NewReader(upload))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *Store) add(t *testing.T, upload []byte) string {
	t.Helper()
	name := named(t, upload)
	if err := s.Add(t.Context(), name, bytes.NewReader(upload)); err != nil {
		t.Fatal(err)
	}
	return name
}

func (s *Store) read(t *testing.T, file string) []byte {
	t.Helper()
	f, err := s.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size != int64(len(data)) {
		t.Errorf("%s: %d bytes, said to be %d", file, len(data), f.Size)
	}
	return data
}

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, w, h)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An upload comes back as JPEG in three sizes, and nothing of its other bytes is kept.
func TestAdd(t *testing.T) {
	s := newStore(t)
	note := []byte("GPSLatitude 52.5 <script>alert(1)</script>")
	comment := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, byte(len(note) + 2)}, note...)
	for format, upload := range map[string][]byte{
		"PNG with something behind it": append(pngOf(t, 2560, 1280), note...),
		"JPEG with a comment":          append(comment, jpegOf(t, 2560, 1280)[2:]...),
	} {
		name := s.add(t, upload)
		for file, want := range map[string]image.Point{
			name: {1280, 640}, Sized(name, Large): {1280, 640}, Sized(name, Medium): {640, 320}, Sized(name, Small): {320, 160},
		} {
			data := s.read(t, file)
			c, err := jpeg.DecodeConfig(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if got := (image.Point{X: c.Width, Y: c.Height}); got != want {
				t.Errorf("%s: %s: got %v, want %v", format, file, got, want)
			}
			if bytes.Contains(data, []byte("script")) || bytes.Contains(data, []byte("GPS")) {
				t.Errorf("%s: %s keeps what is not a pixel", format, file)
			}
		}
		if ok, err := s.Has(t.Context(), name); !ok || err != nil {
			t.Errorf("Has: %v, %v", ok, err)
		}
	}
}

func TestAddKeepsSmallOnes(t *testing.T) {
	s := newStore(t)
	name := s.add(t, pngOf(t, 30, 20))
	for _, side := range Sides {
		c, err := jpeg.DecodeConfig(bytes.NewReader(s.read(t, Sized(name, side))))
		if err != nil || c.Width != 30 || c.Height != 20 {
			t.Errorf("%d: got %dx%d, %v; want 30x20", side, c.Width, c.Height, err)
		}
	}
}

// Of an animated GIF the first frame is kept, and no more is decoded.
func TestAddKeepsTheFirstFrame(t *testing.T) {
	var g gif.GIF
	for _, c := range []color.Color{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}} {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 40, 40), color.Palette{c}))
		g.Delay = append(g.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &g); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	got, err := jpeg.Decode(bytes.NewReader(s.read(t, s.add(t, b.Bytes()))))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, blue, _ := got.At(20, 20).RGBA(); r < 0xf000 || blue > 0x1000 {
		t.Errorf("the picture is %v, want red", got.At(20, 20))
	}
}

// apng puts an animation's control chunk before the pixels of a PNG.
func apng(whole []byte) []byte {
	const head = 33 // signature and IHDR
	control := binary.BigEndian.AppendUint32(nil, 8)
	control = append(control, "acTL\x00\x00\x00\x02\x00\x00\x00\x00"...)
	control = binary.BigEndian.AppendUint32(control, crc32.ChecksumIEEE(control[4:]))
	return append(append(bytes.Clone(whole[:head]), control...), whole[head:]...)
}

func TestAddTakesAnimatedPNG(t *testing.T) {
	s := newStore(t)
	s.read(t, s.add(t, apng(pngOf(t, 30, 20))))
}

// animation is the head of an animated WebP of 100 × 100.
const animation = "RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x63\x00\x00\x63\x00\x00ANIM\x00\x00\x00\x00"

func TestAddRefuses(t *testing.T) {
	whole, photo := pngOf(t, 50, 50), jpegOf(t, 50, 50)
	for name, c := range map[string]struct {
		upload []byte
		want   *fault.Error
	}{
		"nothing":                       {nil, ErrFormat},
		"a PDF, whatever it is called":  {[]byte("%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n"), ErrFormat},
		"an SVG with a script":          {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), ErrFormat},
		"a page that begins like a GIF": {[]byte("GIF89a\x10\x00\x10\x00<script>alert(1)</script>"), ErrFormat},
		"a PNG that is cut off":         {whole[:len(whole)/2], ErrFormat},
		"a JPEG that is cut off":        {photo[:len(photo)/2], ErrFormat},
		"an animated WebP":              {[]byte(animation), ErrAnimated},
		"50 MB":                         {append(bytes.Clone(whole), make([]byte, 50_000_000)...), ErrTooLarge},
		"one byte too many":             {append(bytes.Clone(whole), make([]byte, MaxBytes-len(whole)+1)...), ErrTooLarge},
		"30,000 x 30,000 pixels":        {bomb(whole, 30_000, 30_000), ErrTooLarge},
		"no width":                      {bomb(whole, 0, 50), ErrFormat},
		"pixels that overflow":          {bomb(whole, 1<<31-1, 1<<31-1), ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			s, file := newStore(t), named(t, c.upload)
			if err := s.Add(t.Context(), file, bytes.NewReader(c.upload)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if ok, err := s.Has(t.Context(), file); ok || err != nil {
				t.Errorf("it is stored: %v, %v", ok, err)
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

// counted is an upload that tells when it is being read, and by how many others are.
type counted struct {
	io.Reader
	now, most *atomic.Int64
	begun     bool
}

func (c *counted) Read(b []byte) (int, error) {
	if !c.begun {
		c.begun = true
		if n := c.now.Add(1); n > c.most.Load() {
			c.most.Store(n)
		}
	}
	n, err := c.Reader.Read(b)
	if err == io.EOF {
		c.now.Add(-1)
	}
	return n, err
}

// Twenty uploads at once are in memory a few at a time, and all come through.
func TestUploadsTakeTurns(t *testing.T) {
	s, upload := newStore(t), pngOf(t, 900, 900)
	var now, most atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r := &counted{Reader: bytes.NewReader(upload), now: &now, most: &most}
			if err := s.Add(t.Context(), named(t, upload), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > maxTurns {
		t.Errorf("%d uploads were read at a time, want at most %d", most.Load(), maxTurns)
	}
	if !s.decoding.TryAcquire(maxPixels) {
		t.Error("some turn was not given back")
	}
}

func TestDelete(t *testing.T) {
	s := newStore(t)
	name := s.add(t, pngOf(t, 9, 9))
	for range 2 { // once more is no error
		if err := s.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for _, side := range Sides {
		if _, err := s.Open(t.Context(), Sized(name, side)); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%d: %v", side, err)
		}
	}
}

// What was stored in other sizes before is shown whole.
func TestOpenAnswersForMissingSizes(t *testing.T) {
	s := newStore(t)
	name := s.add(t, pngOf(t, 9, 9))
	if err := s.bucket.Delete(t.Context(), Sized(name, Small)); err != nil {
		t.Fatal(err)
	}
	if got := s.read(t, Sized(name, Small)); !bytes.Equal(got, s.read(t, name)) {
		t.Error("it is another picture")
	}
}

func TestOpenKnowsOnlyItsNames(t *testing.T) {
	s := newStore(t)
	name := s.add(t, pngOf(t, 9, 9))
	base := strings.TrimSuffix(name, ext)
	for _, file := range []string{
		"", "x", "x.jpg", ".jpg", "-320.jpg", "../conf.jpg", "pic_/../x.jpg", "pic_" + strings.Repeat("0", 26) + ".jpg",
		base, base + ".png", base + "-321.jpg", base + "-.jpg", base + "-320-320.jpg", base + ".jpg.attrs",
	} {
		if _, err := s.Open(t.Context(), file); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%q: got %v, want %v", file, err, fault.ErrNotFound)
		}
	}
}

// Copies of a file have names of their own and one content; what comes after the name is read is the
// whole file.
func TestNamesTellFilesApart(t *testing.T) {
	file := bytes.NewReader(pngOf(t, 3, 3))
	whole := file.Len()
	first, err := NewName(file)
	if err != nil || file.Len() != whole || !Valid(first) {
		t.Fatalf("got %q, %v, and %d of %d bytes are left", first, err, file.Len(), whole)
	}
	again, other := named(t, pngOf(t, 3, 3)), named(t, pngOf(t, 3, 4))
	if first == again || Content(first) != Content(again) || Content(first) == Content(other) {
		t.Errorf("names are %s and %s of one file, %s of another", first, again, other)
	}
	if address := "https://x.example/y.jpg"; Content(address) != address {
		t.Errorf("an address stands for %s", Content(address))
	}
}
