package picture

import (
	"bytes"
	"encoding/binary"
	"image"
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

// placed is where a pixel of a picture of w × h, held that way, comes to lie upright.
func placed(o, x, y, w, h int) (int, int) {
	switch o {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	}
	return x, y
}

// upright turns a picture that was held that way.
func upright(src *image.RGBA, o int) *image.RGBA {
	if o == 1 {
		return src
	}
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if sideways(o) {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			to, down := placed(o, x, y, w, h)
			dst.SetRGBA(to, down, src.RGBAAt(x, y))
		}
	}
	return dst
}
