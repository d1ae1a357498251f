package attacks

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answer is what the caller gets; status 0 is a connection that ends without one.
type answer struct {
	status int
	header http.Header
	body   string
}

const answerTimeout = 20 * time.Second

// send writes a request as it stands. Of HTTP/1 the lines of the head may lack Host, Connection, Authorization and Content-Length,
// which are added; "Host" alone on a line stands for none.
func send(target, protocol, request, token string) (answer, error) {
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	c, err := net.DialTimeout("tcp", target, answerTimeout)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return answer{}, err
	}
	if protocol == "h2" {
		return sendH2(c, lines, body, token)
	}
	has := func(name string) bool {
		for _, line := range lines[1:] {
			if strings.HasPrefix(strings.ToLower(line), name) {
				return true
			}
		}
		return false
	}
	_, port, err := net.SplitHostPort(target)
	if err != nil {
		return answer{}, err
	}
	if !has("host") {
		lines = append(lines, "Host: 127.0.0.1:"+port)
	}
	if !has("connection:") {
		lines = append(lines, "Connection: close")
	}
	if token != "" && !has("authorization:") {
		lines = append(lines, "Authorization: Bearer "+token)
	}
	if body != "" && !has("content-length:") && !has("transfer-encoding:") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	var b strings.Builder
	for _, line := range lines {
		if line != "Host" {
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("\r\n" + body)
	if _, err := io.WriteString(c, b.String()); err != nil {
		return answer{header: http.Header{}}, nil // Envoy may have answered and closed before it has read all
	}
	method, _, _ := strings.Cut(lines[0], " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return answer{header: http.Header{}}, nil
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body) // Envoy may close in the middle of what it refuses
	return answer{resp.StatusCode, resp.Header, string(got)}, nil
}

// sendH2 writes one stream of HTTP/2 with prior knowledge (RFC 9113): a line "name: value" is one field, in this order, as it stands.
func sendH2(c net.Conn, lines []string, body, token string) (answer, error) {
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return answer{}, err
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var block bytes.Buffer
	fields := hpack.NewEncoder(&block)
	for _, line := range lines {
		at := strings.Index(line[1:], ": ") + 1
		if at == 0 {
			return answer{}, fmt.Errorf("%q is no field", line)
		}
		fields.WriteField(hpack.HeaderField{Name: line[:at], Value: line[at+2:]})
	}
	if token != "" {
		fields.WriteField(hpack.HeaderField{Name: "authorization", Value: "Bearer " + token})
	}
	err := errors.Join(
		framer.WriteSettings(),
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""}),
	)
	if body != "" {
		err = errors.Join(err, framer.WriteData(1, true, []byte(body)))
	}
	if err != nil {
		return answer{}, err
	}
	a := answer{header: http.Header{}}
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			return a, nil // reset or closed: no answer, or no more of it
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == ":status" {
					fmt.Sscan(h.Value, &a.status)
				} else {
					a.header.Add(h.Name, h.Value)
				}
			}
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.DataFrame:
			a.body += string(f.Data())
			if f.StreamEnded() {
				return a, nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return a, nil
		case *http2.SettingsFrame:
			if !f.IsAck() {
				framer.WriteSettingsAck()
			}
		}
	}
}
