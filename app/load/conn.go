package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"time"
)

// patience is how long a client waits for an answer.
const patience = 30 * time.Second

var (
	// errUnsent: the request never left, so nothing happened.
	errUnsent  = errors.New("no connection")
	errNoReply = errors.New("no reply")
)

// conn is a client's keep-alive connection. It speaks just enough of HTTP/1.1, so that it
// takes little of the machine that it shares with the market (BenchmarkRequest).
type conn struct {
	address string // host:port
	net     net.Conn
	in      *bufio.Reader
	body    []byte // of the last reply

	sent, received int64 // bytes
}

// reply is an answer. Its body is the connection's until the next request.
type reply struct {
	status int
	body   []byte
}

// do sends a request and reads the answer. After an error the next request gets a new
// connection.
func (c *conn) do(request []byte) (reply, error) {
	if c.net == nil {
		n, err := net.DialTimeout("tcp", c.address, patience)
		if err != nil {
			return reply{}, errUnsent
		}
		c.net, c.in = n, bufio.NewReader(n)
	}
	r, last, err := c.exchange(request)
	if err != nil || last {
		c.close()
	}
	if err != nil {
		return reply{}, errNoReply
	}
	return r, nil
}

func (c *conn) close() {
	if c.net != nil {
		_ = c.net.Close()
		c.net = nil
	}
}

// exchange also tells whether the server ends the connection.
func (c *conn) exchange(request []byte) (r reply, last bool, err error) {
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return r, false, err
	}
	n, err := c.net.Write(request)
	c.sent += int64(n)
	if err != nil {
		return r, false, err
	}
	h, err := c.head()
	if err != nil {
		return r, false, err
	}
	c.body = c.body[:0]
	switch {
	case h.chunked:
		err = c.chunks()
	case h.length >= 0:
		err = c.read(h.length)
	case h.status == 204 || h.status == 304:
	default:
		err = errors.New("a reply without a length")
	}
	return reply{h.status, c.body}, h.last, err
}

// head is what a client has to know of a reply's first lines.
type head struct {
	status, length int // length is -1 where none is given
	chunked, last  bool
}

func (c *conn) head() (head, error) {
	h := head{length: -1}
	line, err := c.line()
	if err != nil {
		return h, err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < 12 {
		return h, errors.New("no HTTP/1.1 reply")
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return h, err
	}
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return h, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			if h.length, err = strconv.Atoi(string(value)); err != nil {
				return h, err
			}
		case is(name, "Transfer-Encoding"):
			h.chunked = is(value, "chunked")
		case is(name, "Connection"):
			h.last = is(value, "close")
		}
	}
}

// is compares as bytes.EqualFold does, but looks at the length first.
func is(b []byte, name string) bool {
	return len(b) == len(name) && bytes.EqualFold(b, []byte(name))
}

// line is the next line without its end, good until the next read.
func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	c.received += int64(len(line))
	return bytes.TrimRight(line, "\r\n"), err
}

// read appends n bytes to the body.
func (c *conn) read(n int) error {
	begin := len(c.body)
	if cap(c.body)-begin < n {
		c.body = append(make([]byte, 0, 2*begin+n), c.body...)
	}
	c.body = c.body[:begin+n]
	got, err := io.ReadFull(c.in, c.body[begin:])
	c.received += int64(got)
	return err
}

// chunks reads a body in pieces of which each says its length.
func (c *conn) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(size), 16, 32)
		if err != nil {
			return err
		}
		if n == 0 {
			_, err = c.line() // we ask for no trailers
			return err
		}
		if err := c.read(int(n)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil {
			return err
		}
	}
}
