package conf

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// Percent is a share of up to 100 %, in hundredths of a percent: 250 is 2.5 %.
type Percent int64

const wholePercent Percent = 100 * 100

// Decode implements [kong.MapperValue].
func (p *Percent) Decode(ctx *kong.DecodeContext) error {
	var text string
	if err := ctx.Scan.PopValueInto("percent", &text); err != nil {
		return err
	}
	whole, frac, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole+(frac + "00")[:max(len(frac), 2)], 10, 32)
	if err != nil || whole == "" || len(frac) > 2 || Percent(n) > wholePercent {
		return fmt.Errorf("%q: want a percentage from 0 to 100 with at most two decimals, such as 2.5", text)
	}
	*p = Percent(n)
	return nil
}
