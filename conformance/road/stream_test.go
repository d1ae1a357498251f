package road_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/gateway/demo"
)

// endsIn makes a token that ends then.
func endsIn(life time.Duration) func(demo.Claims) {
	return func(c demo.Claims) { c["exp"] = time.Now().Add(life).Unix() }
}

// slowClient keeps little in its own buffers, so that what it has not read is not on its side yet.
func slowClient() *http.Client {
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 64<<10)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true}}
}

// TestADownloadEndsWithTheToken reads 64 MiB so slowly that the token ends first: the stream must end with it, whatever the client
// asked Envoy for, and not before.
func TestADownloadEndsWithTheToken(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	const size = 64 << 20
	path := "/us-defense-plans/" + unique()
	w.put(t, "sam", path, strings.Repeat("0123456789abcdef", size/16))
	const life = 8 * time.Second
	for what, header := range map[string]map[string]string{
		"as it is": nil,
		"with timeouts of its own": {
			"X-Envoy-Upstream-Rq-Timeout-Ms": "3600000", "X-Envoy-Upstream-Stream-Duration-Ms": "3600000", "Grpc-Timeout": "1H",
		},
		"with a timeout that is too short": {"X-Envoy-Upstream-Rq-Timeout-Ms": "1"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			req, err := http.NewRequest(http.MethodGet, w.url(w.ports.Storage)+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+w.token(t, "sam", endsIn(life)))
			for name, value := range header {
				req.Header.Set(name, value)
			}
			resp, err := slowClient().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.ContentLength != size {
				t.Fatalf("status %d, %d bytes", resp.StatusCode, resp.ContentLength)
			}
			var read int64
			for err == nil && time.Since(began) < 4*life {
				var n int64
				n, err = io.CopyN(io.Discard, resp.Body, 128<<10)
				read += n
				time.Sleep(50 * time.Millisecond) // 64 MiB would take 25 s
			}
			took := time.Since(began)
			if err == nil || read == size {
				t.Fatalf("%d bytes came within %v, and the token lives %v: %v", read, took, life, err)
			}
			if took < life-2*time.Second || took > life+3*time.Second {
				t.Errorf("the download was cut after %v, the token lives %v", took, life)
			}
			t.Logf("cut after %v and %d bytes: %v", took, read, err)
		})
	}
}

// TestAnUploadEndsWithTheToken sends 64 MiB so slowly that the token ends first: the stream must end with it. What had come by then
// the store may keep, as of any client that goes away: versitygw takes an upload without a checksum for whole.
func TestAnUploadEndsWithTheToken(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	const life, size = 6 * time.Second, 64 << 20
	path := "/us-defense-plans/" + unique()
	body, slow := io.Pipe()
	began := time.Now()
	go func() {
		chunk := make([]byte, 64<<10)
		for range size / len(chunk) {
			if _, err := slow.Write(chunk); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) // 64 MiB would take 51 s
		}
		slow.Close()
	}()
	req, err := http.NewRequest(http.MethodPut, w.url(w.ports.Storage)+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	req.Header.Set("Authorization", "Bearer "+w.token(t, "sam", endsIn(life)))
	resp, err := (&http.Client{Timeout: 4 * life}).Do(req)
	took := time.Since(began)
	body.CloseWithError(io.ErrClosedPipe)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Fatal("the upload was taken whole")
		}
	}
	if took < life-2*time.Second || took > life+3*time.Second {
		t.Errorf("the upload was cut after %v, the token lives %v: %v", took, life, err)
	}
}
