package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// exif puts an orientation into a JPEG file, as a camera would.
func exif(file []byte, o uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08")
	tiff = binary.BigEndian.AppendUint16(tiff, 1)
	tiff = append(tiff, 0x01, 0x12, 0, 3, 0, 0, 0, 1)
	tiff = binary.BigEndian.AppendUint16(tiff, o)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	part := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(part)+2))
	return append(append(out, part...), file[2:]...)
}

// The red corner comes to lie where the camera's holder saw it.
func TestUploadsComeOutUpright(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 64, 32))
	for x := range 64 {
		for y := range 32 {
			src.Set(x, y, color.White)
			if x < 16 && y < 16 {
				src.Set(x, y, color.RGBA{255, 0, 0, 255})
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, src, nil); err != nil {
		t.Fatal(err)
	}
	for o, want := range map[uint16]image.Point{ // where red is seen; the other corners are white
		1: {6, 6}, 2: {57, 6}, 3: {57, 25}, 4: {6, 25},
		5: {6, 6}, 6: {25, 6}, 7: {25, 57}, 8: {6, 57},
	} {
		s := newStore(t)
		got, err := jpeg.Decode(bytes.NewReader(s.read(t, s.add(t, exif(b.Bytes(), o)))))
		if err != nil {
			t.Fatal(err)
		}
		size := image.Pt(64, 32)
		if o >= 5 {
			size = image.Pt(32, 64)
		}
		if got.Bounds().Size() != size {
			t.Errorf("orientation %d: size %v, want %v", o, got.Bounds().Size(), size)
			continue
		}
		for _, corner := range []image.Point{{6, 6}, {size.X - 7, 6}, {6, size.Y - 7}, {size.X - 7, size.Y - 7}} {
			r, g, _, _ := got.At(corner.X, corner.Y).RGBA()
			red := r>>8 > 200 && g>>8 < 90
			if red != (corner == want) {
				t.Errorf("orientation %d: corner %v red is %v", o, corner, red)
			}
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x08"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if o := orientation(data); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
