package road_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw writes a request as it stands, where Go's client would tidy it up, and reads the answer. head is the request line and the
// headers, one a line; Host and Connection are added where they are missing, "Host" alone on a line stands for none, and so is
// the token of who. A connection that Envoy closes without an answer is status 0.
func (w *world) raw(t *testing.T, who, head, body string) answer {
	t.Helper()
	lines := strings.Split(head, "\n")
	has := func(name string) bool {
		for _, line := range lines[1:] {
			if strings.HasPrefix(strings.ToLower(line), strings.ToLower(name)) {
				return true
			}
		}
		return false
	}
	if !has("Host") {
		lines = append(lines, "Host: "+w.storage())
	}
	if !has("Connection:") {
		lines = append(lines, "Connection: close")
	}
	if who != "" && !has("Authorization:") {
		lines = append(lines, "Authorization: Bearer "+w.token(t, who))
	}
	if body != "" && !has("Content-Length:") && !has("Transfer-Encoding:") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	var b strings.Builder
	for _, line := range lines {
		if line != "Host" {
			b.WriteString(line + "\r\n")
		}
	}
	text := strings.ReplaceAll(b.String(), "TOKEN", w.token(t, "sam")) + "\r\n" + body

	c, err := net.Dial("tcp", w.storage())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(head, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return answer{header: http.Header{}}
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body) // Envoy may close in the middle of what it refuses
	return answer{resp.StatusCode, resp.Header, string(got)}
}
