package ledger

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"jishi/kit/database"
)

// batchRow is what one transaction wrote. It appears when that transaction commits, with
// all of its transfers; so whoever takes batches that have no seal can't miss one that
// commits late, whatever the clocks and the order of the ids say.
type batchRow struct {
	bun.BaseModel `bun:"table:batches"`

	ID   int64 `bun:",pk,autoincrement"`
	Size int64
	At   database.Time
	Seal int64 `bun:",nullzero"` // null until it is part of the chain
}

// register gives the batch its number, inside its transaction.
func (b *batch) register(ctx context.Context, tx bun.Tx) error {
	r := &batchRow{Size: int64(len(b.wrote)), At: b.at}
	if _, err := tx.NewInsert().Model(r).Exec(ctx); err != nil {
		return fmt.Errorf("register a batch of %d transfers: %w", r.Size, err)
	}
	b.id = r.ID
	for _, t := range b.wrote {
		t.Batch = r.ID
	}
	return nil
}

// unregister takes the number back: nothing was written under it.
func (b *batch) unregister(ctx context.Context, tx bun.Tx) error {
	if _, err := tx.NewDelete().Model((*batchRow)(nil)).Where("id = ?", b.id).Exec(ctx); err != nil {
		return fmt.Errorf("take back batch %d: %w", b.id, err)
	}
	return nil
}

// sealRow is a link of the chain: some batches, in the order of their numbers.
type sealRow struct {
	bun.BaseModel `bun:"table:seals"`

	Seq       int64 `bun:",pk"` // 1, 2, 3 …; the primary key lets one sealer win
	Transfers int64
	Digest    []byte // of the batches' transfers
	KeyID     string
	MAC       []byte // of this and the MAC before
	At        database.Time
}

// A seal covers at most so many batches and, unless one batch alone has more, transfers:
// the pieces in which the chain is made and read.
const (
	sealBatches   = 1000
	sealTransfers = 20000
)

// Chain is the seals of a ledger. Each one has a MAC over its transfers and the MAC
// before, with a key that is not in the database: who can write there can't make a
// chain that holds.
type Chain struct {
	ledger *Ledger
	keys   [][]byte
}

// Chain takes the keys, newest first: that one makes seals, all of them verify.
func (l *Ledger) Chain(keys [][]byte) *Chain { return &Chain{l, keys} }

// Head is a place in the chain. Written down elsewhere, it shows later that nothing was
// cut off; the zero Head is the place before the first seal.
type Head struct {
	Seq int64
	MAC []byte
}

// String is SEQ:HEX, or "" for the zero Head.
func (h Head) String() string {
	if h.Seq == 0 {
		return ""
	}
	return strconv.FormatInt(h.Seq, 10) + ":" + hex.EncodeToString(h.MAC)
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (h *Head) UnmarshalText(text []byte) error {
	seq, mac, _ := strings.Cut(string(text), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	b, herr := hex.DecodeString(mac)
	if err != nil || herr != nil || n <= 0 || len(b) != sha256.Size {
		return fmt.Errorf("head %q: want SEQ:HEX, as the log has it", text)
	}
	*h = Head{n, b}
	return nil
}

// Sealed is what a run of Seal did.
type Sealed struct {
	Seals, Transfers int64
	Head             Head // after it, the zero Head where nothing was done
}

// errSealed: another process made this seal.
var errSealed = errors.New("sealed by another process")

// Seal makes seals until every batch has one. Any number of processes may try; of those
// that do at the same time one goes on, and the others end without having done anything.
func (c *Chain) Seal(ctx context.Context) (Sealed, error) {
	var all Sealed
	for {
		s, err := c.seal(ctx)
		if errors.Is(err, errSealed) {
			return all, nil
		}
		if err != nil || s == nil {
			return all, err
		}
		all.Seals++
		all.Transfers += s.Transfers
		all.Head = s.head()
	}
}

// seal makes the next seal; nil when no batch waits. What batches have is read before the
// transaction, as it never changes, so that writers wait for a few small statements only.
func (c *Chain) seal(ctx context.Context) (*sealRow, error) {
	before, err := c.ledger.head(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := c.ledger.unsealed(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	content, err := digest(ctx, c.ledger.db.NewSelect, ids)
	if err != nil {
		return nil, err
	}
	s := &sealRow{Seq: before.Seq + 1, Transfers: content.transfers, Digest: content.digest, KeyID: keyID(c.keys[0]), At: database.At(c.ledger.now())}
	s.MAC = s.mac(c.keys[0], before)
	err = c.ledger.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(s).Exec(ctx)
		if database.Taken(err) {
			return errSealed
		}
		if err != nil {
			return err
		}
		res, err := tx.NewUpdate().Model((*batchRow)(nil)).Set("seal = ?", s.Seq).
			Where("id IN (?)", bun.In(ids)).Where("seal IS NULL").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != int64(len(ids)) {
			return cmp.Or(err, fmt.Errorf("%d of %d batches were not sealed", n, len(ids)))
		}
		return checkpoint(ctx, tx, content.open)
	})
	if err != nil {
		return nil, fmt.Errorf("make seal %d: %w", s.Seq, err)
	}
	return s, nil
}

// unsealed is the batches of the next seal.
func (l *Ledger) unsealed(ctx context.Context) ([]int64, error) {
	var rows []batchRow
	err := l.db.NewSelect().Model(&rows).Where("seal IS NULL").Order("id").Limit(sealBatches).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read batches without a seal: %w", err)
	}
	var ids []int64
	var transfers int64
	for _, r := range rows {
		transfers += r.Size
		if len(ids) > 0 && transfers > sealTransfers {
			break
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// checkpoint adds to what open accounts had at the seal before. The new seal's row, which
// is written first, keeps other sealers away.
func checkpoint(ctx context.Context, tx bun.Tx, sums map[AccountID]int64) error {
	found, err := readAccounts(ctx, database.ForUpdate(tx.NewSelect()), slices.Sorted(maps.Keys(sums)))
	if err != nil || len(found) == 0 {
		return err
	}
	rows := make([]*accountRow, 0, len(found))
	for _, id := range slices.Sorted(maps.Keys(found)) {
		if a := found[id]; a.Kind == Open { // a guarded one without a number is for Check to report
			a.Posted += sums[id]
			rows = append(rows, a)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err = database.Upsert(tx.NewInsert().Model(&rows), []string{"id"}, "posted").Exec(ctx)
	return err
}

// head is the last seal's place.
func (l *Ledger) head(ctx context.Context) (Head, error) {
	var rows []sealRow
	if err := l.db.NewSelect().Model(&rows).Order("seq DESC").Limit(1).Scan(ctx); err != nil {
		return Head{}, fmt.Errorf("read the last seal: %w", err)
	}
	if len(rows) == 0 {
		return Head{}, nil
	}
	return rows[0].head(), nil
}

// Backlog is what has no seal yet.
type Backlog struct {
	Transfers int64
	Oldest    time.Time // when the first of them was written; zero where nothing waits
}

// Backlog tells how far the seals are behind.
func (l *Ledger) Backlog(ctx context.Context) (Backlog, error) {
	var row struct {
		Transfers int64
		Oldest    database.Time
	}
	err := l.db.NewSelect().Model((*batchRow)(nil)).ColumnExpr("COALESCE(SUM(size), 0) AS transfers, MIN(at) AS oldest").Where("seal IS NULL").Scan(ctx, &row)
	if err != nil {
		return Backlog{}, fmt.Errorf("count transfers without a seal: %w", err)
	}
	return Backlog{row.Transfers, row.Oldest.Time}, nil
}

func (s *sealRow) head() Head { return Head{s.Seq, s.MAC} }

// mac binds a seal to the one before.
func (s *sealRow) mac(key []byte, before Head) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("jishi ledger seal 1\n"))
	h.Write(before.MAC)
	for _, n := range []int64{int64(len(before.MAC)), s.Seq, s.Transfers, s.At.UnixMicro()} {
		_ = binary.Write(h, binary.BigEndian, n)
	}
	h.Write(s.Digest)
	return h.Sum(nil)
}

// keyID names a key without saying anything of it.
func keyID(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("jishi ledger key id"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// sealedColumns are all columns of a transfer, in the order of the digest.
var sealedColumns = []string{
	"batch", "id", "kind", "debit", "credit", "unit", "amount", "hold_id", "code", "ref", "at",
	"debit_seq", "debit_posted", "debit_held", "credit_seq", "credit_posted", "credit_held",
}

// content is what some batches have.
type content struct {
	transfers int64
	digest    []byte
	open      map[AccountID]int64 // what it moved into open accounts
}

// digest reads batches: their transfers in the order of batch and id, each column as a byte
// that says whether it is null, its length, and its text (of numbers in decimal), which is
// the same on every database.
func digest(ctx context.Context, query func() *bun.SelectQuery, batches []int64) (*content, error) {
	rows, err := query().Model((*transferRow)(nil)).Column(sealedColumns...).
		Where("batch IN (?)", bun.In(batches)).Order("batch", "id").Rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("read batches from %d on: %w", batches[0], err)
	}
	defer rows.Close()
	c := &content{open: map[AccountID]int64{}}
	h := sha256.New()
	row := make([]any, len(sealedColumns)) // strings of bytes, int64 or nil
	into := make([]any, len(row))
	for i := range row {
		into[i] = &row[i]
	}
	var line []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("read batches from %d on: %w", batches[0], err)
		}
		line = line[:0]
		for i, v := range row {
			text := ""
			switch v := v.(type) {
			case nil:
				line = append(line, 0)
				continue
			case int64:
				text = strconv.FormatInt(v, 10)
			case []byte:
				text = string(v)
			case string:
				text = v
			default:
				return nil, fmt.Errorf("column %s is a %T", sealedColumns[i], v)
			}
			row[i] = text
			line = binary.AppendUvarint(append(line, 1), uint64(len(text)))
			line = append(line, text...)
		}
		h.Write(line)
		c.transfers++
		if err := c.move(row); err != nil {
			return nil, err
		}
	}
	c.digest = h.Sum(nil)
	return c, rows.Err()
}

// Where the columns that move needs are in a row.
var (
	kindColumn      = slices.Index(sealedColumns, "kind")
	debitColumn     = slices.Index(sealedColumns, "debit")
	creditColumn    = slices.Index(sealedColumns, "credit")
	amountColumn    = slices.Index(sealedColumns, "amount")
	debitSeqColumn  = slices.Index(sealedColumns, "debit_seq")
	creditSeqColumn = slices.Index(sealedColumns, "credit_seq")
)

// move counts what a row moves into and out of open accounts: those in which it has no
// number.
func (c *content) move(row []any) error {
	text := func(column int) string { s, _ := row[column].(string); return s }
	if kind := Kind(text(kindColumn)); kind != Move && kind != Post {
		return nil
	}
	amount, err := strconv.ParseInt(text(amountColumn), 10, 64)
	if err != nil {
		return fmt.Errorf("amount of a transfer: %w", err)
	}
	if row[debitSeqColumn] == nil {
		c.open[AccountID(text(debitColumn))] -= amount
	}
	if row[creditSeqColumn] == nil {
		c.open[AccountID(text(creditColumn))] += amount
	}
	return nil
}
