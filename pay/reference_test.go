package pay

import (
	"testing"

	"jishi/kit/database"
	"jishi/kit/fault"
)

// What may have been done once is never said to have changed nothing, whatever comes after.
func TestWhatMayBeDoneStaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		does  []error // what each do says
		finds []error // what each find says; none finds anything
		want  error
	}{
		"unknown, then away": {
			[]error{database.ErrUnknown}, []error{nil, database.ErrUnavailable}, database.ErrUnknown},
		"done, not seen, then moved, then away": {
			[]error{nil, errMoved}, []error{nil, nil, database.ErrUnavailable}, database.ErrUnknown},
		"done, not seen, then busy": {
			[]error{nil, database.ErrBusy}, nil, database.ErrUnknown},
		"done, and never seen": {
			[]error{nil, errMoved, errMoved, errMoved, errMoved}, nil, database.ErrUnknown},
		"never done": {
			[]error{errMoved, errMoved, errMoved, errMoved, errMoved}, nil, database.ErrBusy},
		"moved, then away": {
			[]error{errMoved}, []error{nil, database.ErrUnavailable}, database.ErrUnavailable},
	} {
		next := func(errs *[]error) (err error) {
			if len(*errs) > 0 {
				err, *errs = (*errs)[0], (*errs)[1:]
			}
			return err
		}
		_, err := byReference(
			func() (*refundRow, error) { return nil, next(&c.finds) },
			func() error { return next(&c.does) },
		)
		if fault.Of(err).Kind != fault.Of(c.want).Kind {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
