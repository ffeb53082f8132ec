// Package static is the stylesheet, the script and the pictures of the product:
// built by make gen, committed, embedded, and served under names that change with their
// content, so that browsers keep them for ever. It doesn't know who refers to them.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed app.css app.js htmx.min.js logo.svg
var files embed.FS

// Prefix is the path that Handler serves.
const Prefix = "/static/"

// file is one asset, ready to be sent.
type file struct {
	contentType string
	plain       []byte
	gzipped     []byte
	hash        string
}

var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets is filled once from what is embedded, and never changed.
var assets = load()

func load() map[string]*file {
	all := map[string]*file{}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		plain, err := fs.ReadFile(files, e.Name())
		if err != nil {
			panic(err)
		}
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression) // refuses unknown levels only
		z.Write(plain)                                             // a buffer takes everything
		z.Close()
		sum := sha256.Sum256(plain)
		all[e.Name()] = &file{types[path.Ext(e.Name())], plain, packed.Bytes(), hex.EncodeToString(sum[:6])}
	}
	return all
}

// Path is the address of an asset by its name: "/static/app.3f9c1d….css" for
// "app.css". An unknown name is a defect of the program.
func Path(name string) string {
	f, ok := assets[name]
	if !ok {
		panic(fmt.Sprintf("static: no asset %q", name))
	}
	ext := path.Ext(name)
	return Prefix + strings.TrimSuffix(name, ext) + "." + f.hash + ext
}

// Handler serves the assets. The name without a hash works too, for documents
// that can't know it, but isn't kept by browsers.
func Handler() http.Handler {
	served := map[string]*file{}
	for name, f := range assets {
		served[Path(name)] = f
		served[Prefix+name] = f
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := served[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("Vary", "Accept-Encoding")
		h.Set("ETag", `"`+f.hash+`"`)
		h.Set("Cache-Control", "no-cache")
		if strings.Contains(r.URL.Path, f.hash) {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		if strings.Contains(r.Header.Get("If-None-Match"), f.hash) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		body := f.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.gzipped
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})
}
