package ledger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// ChainHolds is what is reported with the number of a seal.
const ChainHolds = "the chain of seals holds"

// ChainChecked is how much of a chain was read.
type ChainChecked struct {
	Seals, Transfers int64
	Unsealed         int64 // transfers that no seal has yet
	Head             Head
}

// Verify reads every sealed transfer and makes its seal again. What was changed, removed,
// put in or put elsewhere since is reported with the number of its seal, lowest first;
// with a head that was written down before, so is an end that was cut off. It is exact
// beside a running ledger, as sealed data doesn't change.
func (c *Chain) Verify(ctx context.Context, known Head, report Report) (ChainChecked, error) {
	v := &chainCheck{chain: c, known: known, report: report, keys: map[string][]byte{}}
	for _, k := range c.keys {
		v.keys[keyID(k)] = k
	}
	for {
		var seals []sealRow
		err := c.ledger.db.NewSelect().Model(&seals).Where("seq > ?", v.done.Head.Seq).Order("seq").Limit(checkBatch).Scan(ctx)
		if err != nil {
			return v.done, fmt.Errorf("read seals after %d: %w", v.done.Head.Seq, err)
		}
		for i := range seals {
			if err := v.seal(ctx, &seals[i]); err != nil {
				return v.done, err
			}
		}
		if len(seals) == 0 {
			break
		}
	}
	if v.done.Head.Seq < known.Seq {
		v.wrong(v.done.Head.Seq+1, "it is missing: the chain once had %d seals", known.Seq)
	}
	if err := v.strays(ctx); err != nil {
		return v.done, err
	}
	backlog, err := c.ledger.Backlog(ctx)
	v.done.Unsealed = backlog.Transfers
	return v.done, err
}

// chainCheck is a run through the chain.
type chainCheck struct {
	chain  *Chain
	keys   map[string][]byte // by id
	known  Head
	report Report
	done   ChainChecked
}

func (v *chainCheck) wrong(seq int64, format string, args ...any) {
	v.report(ChainHolds, fmt.Sprintf("seal %d", seq), fmt.Sprintf(format, args...))
}

// seal makes one again. What is wrong with it is reported once.
func (v *chainCheck) seal(ctx context.Context, s *sealRow) error {
	before := v.done.Head
	v.done.Head = s.head()
	v.done.Seals++
	got, err := v.content(ctx, s.Seq)
	if err != nil {
		return err
	}
	v.done.Transfers += got.transfers
	key, known := v.keys[s.KeyID]
	switch {
	case s.Seq != before.Seq+1:
		v.wrong(before.Seq+1, "it is missing: %d is followed by %d", before.Seq, s.Seq)
	case !known:
		v.wrong(s.Seq, "it was made with the key %q, which isn't among the secrets", s.KeyID)
	case got.transfers != s.Transfers:
		v.wrong(s.Seq, "it has %d transfers, there are %d", s.Transfers, got.transfers)
	case !bytes.Equal(got.digest, s.Digest):
		v.wrong(s.Seq, "its %d transfers are not what they were", s.Transfers)
	case !bytes.Equal(s.mac(key, before), s.MAC):
		v.wrong(s.Seq, "it was not made after seal %d with our key", before.Seq)
	case s.Seq == v.known.Seq && !bytes.Equal(s.MAC, v.known.MAC):
		v.wrong(s.Seq, "it is another one than that of the given head")
	}
	return nil
}

// content is what a seal covers now.
func (v *chainCheck) content(ctx context.Context, seq int64) (*content, error) {
	query := v.chain.ledger.db.NewSelect
	var ids []int64
	err := query().Model((*batchRow)(nil)).Column("id").Where("seal = ?", seq).Order("id").Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("read batches of seal %d: %w", seq, err)
	}
	if len(ids) == 0 {
		return &content{}, nil
	}
	return digest(ctx, query, ids)
}

// strays finds batches that say they are sealed and aren't. The statement sees one moment,
// so no seal that is being made is among them.
func (v *chainCheck) strays(ctx context.Context) error {
	var batches []batchRow
	err := v.chain.ledger.db.NewSelect().Model(&batches).Join("LEFT JOIN seals AS s ON s.seq = batch_row.seal").
		Where("batch_row.seal IS NOT NULL").
		WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("s.seq IS NULL").WhereOr("batch_row.seal < 1") // the chain begins at 1, whatever rows there are
		}).
		Order("batch_row.seal").Limit(checkBatch).Scan(ctx)
	if err != nil {
		return fmt.Errorf("look for batches without their seal: %w", err)
	}
	for _, b := range batches {
		v.wrong(b.Seal, "it is not in the chain, but batch %d belongs to it", b.ID)
	}
	return nil
}
