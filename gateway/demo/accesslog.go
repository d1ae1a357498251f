package demo

import (
	"bufio"
	"bytes"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// probeReferer is by what the gateway's own probes of the store are known.
const probeReferer = "readiness-probe"

// labelRead is a line about an object whose own label the gateway read before it decided. The bucket, the key and the user agent can
// hold spaces and hence any words, so the line must begin as these do too.
var labelRead = regexp.MustCompile(`^\S+ \S+ \[[^\]]*\] \S+ \S+ \S+ s3_(HeadObject|GetObjectTagging) .* label-for-[0-9a-f]{32} `)

// accessLog returns the end of a pipe that the S3 server writes its access log to. The lines that come out of it, one for each
// request, are appended to requests, or to probes if the gateway only asked whether the store is well, without signatures, which
// the server would print with a presigned URL's query.
func accessLog(requests, probes string) (*os.File, error) {
	var logs [2]*os.File
	for i, path := range []string{requests, probes} {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			logs[0].Close() // nil has nothing to close
			return nil, err
		}
		logs[i] = f
	}
	r, w, err := os.Pipe()
	if err != nil {
		logs[0].Close()
		logs[1].Close()
		return nil, err
	}
	go func() {
		defer logs[0].Close()
		defer logs[1].Close()
		defer r.Close()
		sortLines(r, logs[0], logs[1])
	}()
	return w, nil
}

// sortLines copies lines to requests or probes until r ends. It goes on reading when they fail, since the server would wait for us.
func sortLines(r io.Reader, requests, probes io.Writer) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case len(line) == 0 || bytes.HasPrefix(line, []byte("log starts ")):
		case isProbe(line):
			probes.Write(mask(line))
		default:
			requests.Write(mask(line))
		}
		if err != nil {
			return
		}
	}
}

// isProbe reports whether a line is about a probe of the gateway. It asks for the buckets, which no client may, so the line's second
// field is no bucket; the referer alone could be a word of somebody's key.
func isProbe(line []byte) bool {
	if labelRead.Match(line) {
		return true
	}
	fields := bytes.Fields(line)
	return len(fields) > 1 && string(fields[1]) == "-" &&
		slices.ContainsFunc(fields, func(f []byte) bool { return string(f) == probeReferer })
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
