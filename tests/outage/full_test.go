package outage_test

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"jishi/kit/database/dbtest"
	"jishi/kit/fault"
	"jishi/pay/payclient"
	"jishi/shop/shopclient"
	"jishi/tests/harness"
	"jishi/tests/site"
)

// errFull is what the market says on a full disk.
var errFull = fault.New(fault.Busy, "database.full", "")

// smallDisk is a directory on a file system of that many bytes, which ends with the test.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		harness.Lacks(t, "small file system, which only root can make", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// On a full disk nothing can be bought and nobody is half way: a purchase that is refused leaves
// stock and money as they were. When there is space again the same buyer buys with the same key.
func TestTheDiskIsFull(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := smallDisk(t, "24m")
		fullDisk(t, dir, harness.Config{Data: dir}, 500, nil)
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		dir := smallDisk(t, "128m")
		server := harness.NewServerIn(t, dir)
		fullDisk(t, dir, harness.Config{Databases: databases(t, server)}, 5000, server)
	})
}

// fullDisk lets people buy until no database can grow, which is after most purchases. A
// server that finds no space may end itself; then an operator starts it again.
func fullDisk(t *testing.T, dir string, c harness.Config, most int, server *dbtest.Server) {
	ended := func() bool { return server != nil && !server.Answers() }
	ops := harness.FreeAddress(t)
	c.Flags = []string{"--ops-listen", ops, "--order-deadline", "20s"}
	m := harness.Start(t, c)
	seller := m.Register(t, "13800138000", "seller")
	product := seller.Offer(t, "teapot", price, int64(10*most))
	buyer := m.Register(t, "buyer@example.com", "buyer")
	buyer.OpenWallet(t, "1000000")
	ballast := filepath.Join(dir, "ballast")
	sold, refused := int64(0), 0
	asBefore := func(what string) { // but for what was sold
		t.Helper()
		p, err := buyer.Shop.Product(t.Context(), product.ID)
		wallets, walletsErr := buyer.Pay.Wallets(t.Context(), payclient.Page{})
		if err := errors.Join(err, walletsErr); err != nil {
			if !ended() {
				t.Errorf("look at stock and money after %s: %v", what, err)
			}
			return
		}
		if want := product.Stock - sold; p.Stock != want {
			t.Errorf("%s was refused: %d pieces, want %d", what, p.Stock, want)
		}
		if got, want := wallets.Items[0].Balance.Minor, 100000000-sold*1250; got != want {
			t.Errorf("%s was refused: the wallet has %d, want %d", what, got, want)
		}
	}
	for round := 0; round < rounds(2) || (refused == 0 && round < 6); round++ { // a server that ends itself refuses nothing
		fill(t, ballast)
		if c.Data != "" { // the pictures are on that disk
			if _, err := seller.Shop.AddPicture(t.Context(), noise(t)); !errors.Is(err, errFull) {
				t.Errorf("a picture: got %v, want %v", err, errFull)
			}
			asBefore("a picture")
		}
		in := shopclient.NewOrder{Items: []shopclient.NewItem{{Product: product.ID, Quantity: 1}}}
		var key string
		paid := 0
		for i := 0; ; i++ { // logs that are written anew have some room, as have tables
			key = fmt.Sprintf("round %d purchase %d", round, i)
			o, err := buyer.Shop.PlaceOrder(t.Context(), in, key)
			if err == nil && o.State == shopclient.Paid {
				sold++
				if paid++; paid > most {
					t.Fatal("the disk doesn't get full")
				}
				fill(t, ballast)
				continue
			}
			if f := fault.Of(err); err != nil && (!errors.Is(err, errFull) || f.Kind != fault.Busy || f.Field != "") && !ended() {
				t.Errorf("purchase %d: got %v, want %v", i, err, errFull)
			}
			if errors.Is(err, errFull) {
				refused++
				asBefore("a purchase")
			}
			break
		}
		readiness(t, ops, http.StatusServiceUnavailable)
		if a := get(t, m.Shop+site.ProductsPath); a.status != http.StatusOK && !ended() {
			t.Errorf("looking around: got %d, want 200", a.status)
		}
		_, err := seller.Pay.CreateWallet(t.Context(), payclient.NewWallet{Amount: "1"}, "")
		// Unknown is that the wallet fitted and what moves its money didn't: a job does that.
		if err != nil && !errors.Is(err, errFull) && fault.Of(err).Kind != fault.Unknown && !ended() {
			t.Errorf("a wallet: got %v, want %v", err, errFull)
		}

		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if ended() {
			t.Logf("round %d: the server ended itself", round)
			server.Kill(t) // its guardian
			server.Start(t)
		}
		if o, err := buyer.Shop.PlaceOrder(t.Context(), in, key); err != nil || o.State != shopclient.Paid {
			t.Errorf("with space again: got %s, %v; want paid", o.State, err)
		}
		sold++
		harness.Eventually(t, 30*time.Second, func() error {
			if a := get(t, "http://"+ops+"/readyz"); a.status != http.StatusOK {
				return fmt.Errorf("with space again: readyz: got %d %s, want 200", a.status, a.body)
			}
			return nil
		})
		t.Logf("round %d: %d purchases until the disk was full", round, paid)
	}
	harness.Eventually(t, patience, func() error {
		wallets, err := seller.Pay.Wallets(t.Context(), payclient.Page{Limit: 100})
		for _, w := range wallets.Items {
			if w.Balance.Minor != 100 {
				err = fmt.Errorf("wallet %s has %s, want what was put into it", w.ID, w.Balance)
			}
		}
		return err
	})
	if refused == 0 {
		t.Error("no purchase was refused")
	}
}

// noise is a picture that takes some room however it is written.
func noise(t *testing.T) *bytes.Reader {
	t.Helper()
	pixels := image.NewRGBA(image.Rect(0, 0, 1280, 1280))
	for i := range pixels.Pix {
		pixels.Pix[i] = byte(rand.N(256))
	}
	var file bytes.Buffer
	if err := png.Encode(&file, pixels); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(file.Bytes())
}

// fill makes a file as large as the file system allows.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
