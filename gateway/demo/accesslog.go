package demo

import (
	"bufio"
	"bytes"
	"io"
	"net/url"
	"os"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// maskedLog returns the end of a pipe that the S3 server writes its access log to, and appends the lines that come out of it to the
// file at path: one for each request, without signatures, which the server would print with a presigned URL's query.
func maskedLog(path string) (*os.File, error) {
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		log.Close()
		return nil, err
	}
	go func() {
		defer log.Close()
		defer r.Close()
		maskLines(r, log)
	}()
	return w, nil
}

// maskLines copies lines to w until r ends. It goes on reading when w fails, since the server would wait for us.
func maskLines(r io.Reader, w io.Writer) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && !bytes.HasPrefix(line, []byte("log starts ")) {
			w.Write(mask(line))
		}
		if err != nil {
			return
		}
	}
}

// query is the query of a request line, up to the space that ends it.
var query = regexp.MustCompile(`\?\S+`)

// mask takes a query that carries a credential, however it is escaped, out of a line.
func mask(line []byte) []byte {
	return query.ReplaceAllFunc(line, func(q []byte) []byte {
		plain, err := url.QueryUnescape(string(q))
		plain = strings.ToLower(plain)
		for _, secret := range []string{"signature=", "security-token="} {
			if err != nil || strings.Contains(plain, secret) {
				return []byte("?***")
			}
		}
		return q
	})
}

// extendedAttributes reports whether the file system under dir keeps them; the S3 server would put an object's metadata there.
func extendedAttributes(dir string) bool {
	const name = "user.sallyport"
	if unix.Setxattr(dir, name, []byte("1"), 0) != nil {
		return false
	}
	unix.Removexattr(dir, name)
	return true
}
