package shop

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

func (m *market) upload(who Person) string {
	m.t.Helper()
	return m.uploadOf(who, 9)
}

// uploadOf is the name of a picture with a side of so many pixels.
func (m *market) uploadOf(who Person, side int) string {
	m.t.Helper()
	var file bytes.Buffer
	err := png.Encode(&file, image.NewRGBA(image.Rect(0, 0, side, side)))
	name := ""
	if err == nil {
		name, err = m.AddPicture(m.t.Context(), who.ID, bytes.NewReader(file.Bytes()))
	}
	if err != nil {
		m.t.Error(err)
	}
	return name
}

func (m *market) stored(name string) bool {
	m.t.Helper()
	f, err := m.Picture(m.t.Context(), name)
	if errors.Is(err, fault.ErrNotFound) {
		return false
	}
	if err != nil {
		m.t.Fatal(err)
	}
	_ = f.Close()
	return true
}

// After a day an upload that no product showed is gone, one that did stays, whatever the
// product shows now.
func TestUnusedUploadsAreDeleted(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		ctx, unused, first, second := t.Context(), m.upload(ann), m.upload(ann), m.upload(ann)
		failed := 0
		if _, err := m.AddPicture(ctx, ann.ID, strings.NewReader("%PDF")); err != nil {
			failed++
		}
		p, err := m.AddProduct(ctx, ann, NewProduct{Title: "Cup", Price: "1", Image: first}, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ChangeProduct(ctx, ann.ID, p.ID, ProductChange{Image: &second}, ""); err != nil {
			t.Fatal(err)
		}
		m.forward(unusedLife - time.Minute)
		m.work()
		if !m.stored(unused) || failed != 1 {
			t.Errorf("it is deleted too early")
		}
		m.forward(2 * time.Minute)
		for range 2 {
			m.work()
			if m.stored(unused) || !m.stored(first) || !m.stored(second) {
				t.Errorf("stored are %v %v %v, want the used ones", m.stored(unused), m.stored(first), m.stored(second))
			}
		}
		if _, err := m.AddProduct(ctx, ann, NewProduct{Title: "Cup", Price: "1", Image: unused}, ""); !errors.Is(err, shopclient.ErrImage) {
			t.Errorf("a product shows what is gone: %v", err)
		}
		var rows int
		if count(t, m.db, (*upload)(nil), &rows); rows != 2 {
			t.Errorf("%d rows are left, want 2", rows)
		}
	})
}

// A product takes a picture at the moment at which it is given up: it has it, or is refused.
func TestUseRacesDeletion(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		for range 10 {
			name := m.upload(ann)
			m.forward(unusedLife + time.Second)
			errs := at(2, func(i int) error {
				if i == 0 {
					m.work()
					return nil
				}
				_, err := m.AddProduct(t.Context(), ann, NewProduct{Title: "Cup", Price: "1", Image: name}, "")
				return err
			})
			if errs[1] != nil && !errors.Is(errs[1], shopclient.ErrImage) {
				t.Fatal(errs[1])
			}
			if shown := errs[1] == nil; shown != m.stored(name) {
				t.Fatalf("a product shows it: %v; it is stored: %v", shown, m.stored(name))
			}
		}
	})
}

// The process died between giving a picture up and deleting its files: no product may take
// it, and the job goes on where it stopped.
func TestGivenUpIsNotUsed(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		name := m.upload(ann)
		err := m.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*upload)(nil)).Set("state = ?", uploadGone).Where("name = ?", name).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.AddProduct(t.Context(), ann, NewProduct{Title: "Cup", Price: "1", Image: name}, ""); !errors.Is(err, shopclient.ErrImage) {
			t.Errorf("a product takes it: %v", err)
		}
		m.forward(unusedLife + time.Second)
		if m.work(); m.stored(name) {
			t.Error("it is still stored")
		}
	})
}

func TestUploadsAreLimited(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		for i := range uploadsMost {
			if _, err := m.AddPicture(t.Context(), ann.ID, strings.NewReader("x")); errors.Is(err, shopclient.ErrUploads) {
				t.Fatalf("upload %d is refused", i)
			}
		}
		if _, err := m.AddPicture(t.Context(), ann.ID, strings.NewReader("x")); !errors.Is(err, shopclient.ErrUploads) {
			t.Errorf("one too many: %v", err)
		}
		m.upload(cara) // somebody else may
		m.forward(uploadsSpan + time.Second)
		m.upload(ann)
	})
}

// The last ones that a user may have are sent in many tabs at the same moment.
func TestUploadsAtOnceAreLimited(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		const left = 4
		add := func(int) error { return second(m.AddPicture(t.Context(), ann.ID, strings.NewReader("x"))) }
		for i := range uploadsMost - left {
			if err := add(i); !errors.Is(err, picture.ErrFormat) {
				t.Fatalf("upload %d: %v", i, err)
			}
		}
		counted := 0
		for _, err := range at(20, add) {
			switch {
			case errors.Is(err, picture.ErrFormat):
				counted++
			case !errors.Is(err, shopclient.ErrUploads):
				t.Errorf("got %v, want too many", err)
			}
		}
		if counted != left {
			t.Errorf("%d get through, want %d", counted, left)
		}
	})
}
