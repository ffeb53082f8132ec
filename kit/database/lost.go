package database

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// refusingConnector makes connections to a server whose transactions are READ COMMITTED and
// whose queries give refusals when it is lost. [refusing] can't do that while rows are being
// read, since database/sql passes on what the driver says there.
type refusingConnector struct{ driver.Connector }

func (c refusingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		// The dial's own time was over, since packets are swallowed. Only its text is kept, or
		// it would pass for a caller's who has no time left.
		return nil, ErrUnavailable.Because(errors.New(err.Error()))
	}
	if err != nil {
		return nil, refusal(err)
	}
	full, ok := conn.(serverConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver's connections lack a method that is used here"), conn.Close())
	}
	// Once, rather than for each transaction. By a statement, since the variable has
	// different names in MariaDB and MySQL.
	if _, err := full.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		return nil, errors.Join(refusal(err), conn.Close())
	}
	return refusingConn{full}, nil
}

// serverConn is what database/sql asks a driver's connection for, and the driver's has.
type serverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type refusingConn struct{ serverConn }

func (c refusingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.serverConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, refusal(err) // still recognised by what it wraps, ErrBadConn among them
	}
	return refusingRows{rows}, nil
}

// refusingRows leaves out what rows can tell of their columns' types, for which nobody
// here asks.
type refusingRows struct{ driver.Rows }

func (r refusingRows) Next(values []driver.Value) error {
	err := r.Rows.Next(values)
	if err == io.EOF { // the last row; troubleOf would take it for the end of the connection
		return err
	}
	return refusal(err)
}
