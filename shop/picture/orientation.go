package picture

import (
	"bytes"
	"encoding/binary"
	"image"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
)

// Markers of a JPEG file, and what is looked for in its EXIF part (CIPA DC-008).
const (
	jpegStart      = 0xffd8
	jpegApp1       = 0xffe1
	jpegScan       = 0xffda
	tagOrientation = 0x0112
	entrySize      = 12
)

// orientation is how a camera was held, 1 to 8 as EXIF counts; 1 is upright. Phones
// write it instead of turning the pixels, and it would be lost with the rest of EXIF.
func orientation(data []byte) int {
	if len(data) < 4 || binary.BigEndian.Uint16(data) != jpegStart {
		return 1
	}
	for rest := data[2:]; len(rest) >= 4; {
		marker, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if marker == jpegScan || marker>>8 != 0xff || size < 2 || len(rest) < 2+size {
			return 1
		}
		if part := rest[4 : 2+size]; marker == jpegApp1 && bytes.HasPrefix(part, []byte("Exif\x00\x00")) {
			return orientationTag(part[6:])
		}
		rest = rest[2+size:]
	}
	return 1
}

// orientationTag reads it from the first directory of a TIFF structure.
func orientationTag(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < entrySize {
			return 1
		}
		if order.Uint16(entries) == tagOrientation {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
		entries = entries[entrySize:]
	}
	return 1
}

// sideways are the orientations that exchange width and height.
func sideways(o int) bool { return o >= 5 }

// placed is how the pixels of a picture of w × h, held that way, come to lie upright in one
// of dw × dh: x' = m[0]x + m[1]y + m[2], y' = m[3]x + m[4]y + m[5].
func placed(o int, src, dst image.Rectangle) f64.Aff3 {
	w, h := float64(src.Dx()), float64(src.Dy())
	m := map[int]f64.Aff3{
		1: {1, 0, 0, 0, 1, 0},
		2: {-1, 0, w, 0, 1, 0},
		3: {-1, 0, w, 0, -1, h},
		4: {1, 0, 0, 0, -1, h},
		5: {0, 1, 0, 1, 0, 0},
		6: {0, -1, h, 1, 0, 0},
		7: {0, -1, h, -1, 0, w},
		8: {0, 1, 0, -1, 0, w},
	}[o]
	if sideways(o) {
		w, h = h, w
	}
	sx, sy := float64(dst.Dx())/w, float64(dst.Dy())/h
	x, y := float64(src.Min.X), float64(src.Min.Y)
	return f64.Aff3{
		sx * m[0], sx * m[1], sx * (m[2] - m[0]*x - m[1]*y),
		sy * m[3], sy * m[4], sy * (m[5] - m[3]*x - m[4]*y),
	}
}

// upright draws src, held that way, over the whole of dst.
func upright(dst *image.RGBA, src image.Image, o int) {
	draw.CatmullRom.Transform(dst, placed(o, src.Bounds(), dst.Bounds()), src, src.Bounds(), draw.Over, nil)
}
