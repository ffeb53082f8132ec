package demo

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// The pictures are made from the emoji set of pictures/LICENSES.md:
//
//	npm pack @lobehub/fluent-emoji-3d@1.1.0 && tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz
//	go test ./app/demo -run TestPictures -update package/assets
var update = flag.String("update", "", "directory of the emoji set's files: make the pictures again")

const (
	side    = 640 // pixels of a picture
	motif   = 390 // pixels of the longer side of what it shows
	lift    = 10  // pixels that the motif is above the middle, to leave room for its shadow
	quality = 84

	maxEmbedded = 3 << 20 // bytes of all pictures in the program
)

// Every product has a picture of its own, of the right size, and nothing else is embedded.
func TestPictures(t *testing.T) {
	var total int64
	seen := map[string]bool{}
	for _, o := range listed() {
		if *update != "" {
			if err := os.WriteFile(filepath.Join("pictures", o.name+".jpg"), compose(t, o), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		data, err := os.ReadFile(filepath.Join("pictures", o.name+".jpg"))
		if err != nil {
			t.Error(err)
			continue
		}
		config, format, err := image.DecodeConfig(bytes.NewReader(data))
		if err != nil || format != "jpeg" || config.Width != side || config.Height != side {
			t.Errorf("%s: %s of %d x %d, %v", o.name, format, config.Width, config.Height, err)
		}
		if seen[o.name] || seen[o.emoji] {
			t.Errorf("%s shows what another product shows", o.name)
		}
		seen[o.name], seen[o.emoji] = true, true
		total += int64(len(data))
	}
	files, err := filepath.Glob("pictures/*.jpg")
	if err != nil || len(files) != len(listed()) {
		t.Errorf("%d pictures, %v; want %d", len(files), err, len(listed()))
	}
	if total > maxEmbedded {
		t.Errorf("the pictures have %d bytes, more than %d", total, maxEmbedded)
	}
}

// compose puts a motif with a soft shadow before its group's background.
func compose(t *testing.T, o offer) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(*update, o.emoji+".webp"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	emoji, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	shape := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.CatmullRom.Scale(shape, centered(opaque(emoji)), emoji, opaque(emoji), draw.Over, nil)

	dst := background(o.group)
	shadow := color.NRGBA{R: 40, G: 30, B: 60, A: 70}
	draw.DrawMask(dst, dst.Bounds(), image.NewUniform(shadow), image.Point{}, blurred(shape), image.Pt(0, -26), draw.Over)
	draw.Draw(dst, dst.Bounds(), shape, image.Point{}, draw.Over)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, dst, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// opaque is the part of a picture that shows something.
func opaque(src image.Image) image.Rectangle {
	var r image.Rectangle
	for y := src.Bounds().Min.Y; y < src.Bounds().Max.Y; y++ {
		for x := src.Bounds().Min.X; x < src.Bounds().Max.X; x++ {
			if _, _, _, a := src.At(x, y).RGBA(); a > 0x1000 {
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

// centered is where a motif of that shape goes.
func centered(r image.Rectangle) image.Rectangle {
	longer := max(r.Dx(), r.Dy())
	w, h := r.Dx()*motif/longer, r.Dy()*motif/longer
	corner := image.Pt((side-w)/2, (side-h)/2-lift)
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(w, h))}
}

// background runs from the light corner to the deep one, with a glow behind the motif.
func background(g group) *image.RGBA {
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			along := float64(x+y) / (2 * side)
			glow := 0.55 * math.Exp(-3.2*(square(float64(x)/side-0.5)+square(float64(y)/side-0.45))/0.25)
			dst.SetRGBA(x, y, color.RGBA{
				R: shade(g.light>>16, g.deep>>16, along, glow),
				G: shade(g.light>>8, g.deep>>8, along, glow),
				B: shade(g.light, g.deep, along, glow),
				A: 255,
			})
		}
	}
	return dst
}

func shade(light, deep uint32, along, glow float64) uint8 {
	c := float64(light&0xff)*(1-along) + float64(deep&0xff)*along
	return uint8(c + (255-c)*glow)
}

func square(f float64) float64 { return f * f }

// blurred is the opacity of a picture, three times through a box: nearly a Gauss filter.
func blurred(src *image.RGBA) *image.Alpha {
	const radius = 14
	a := image.NewAlpha(src.Bounds())
	for i := range a.Pix {
		a.Pix[i] = src.Pix[4*i+3]
	}
	for range 3 {
		for line := range side {
			box(a.Pix[line*side:], 1, radius)
			box(a.Pix[line:], side, radius)
		}
	}
	return a
}

// box averages a line of pixels that lie step apart.
func box(pix []uint8, step, radius int) {
	line := make([]int, side)
	for i := range line {
		line[i] = int(pix[i*step])
	}
	sum := 0
	for i := -radius; i < side; i++ {
		if i+radius < side {
			sum += line[i+radius]
		}
		if i-radius-1 >= 0 {
			sum -= line[i-radius-1]
		}
		if i >= 0 {
			pix[i*step] = uint8(sum / (2*radius + 1))
		}
	}
}
