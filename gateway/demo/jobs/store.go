package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// store fetches and puts objects by presigned URLs. Whatever host a URL names, the connection is to the store's socket.
type store struct{ client *http.Client }

func newStore(socket string) *store {
	return &store{client: &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", socket)
			},
			DisableCompression:     true, // bytes as they are stored
			MaxIdleConnsPerHost:    Slots,
			IdleConnTimeout:        10 * time.Second,
			ResponseHeaderTimeout:  10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *store) close() { s.client.CloseIdleConnections() }

// storeError is what the store, or the way to it, said no with; it has no URL in it, which net/http's own errors have.
type storeError struct{ what string }

func (e *storeError) Error() string { return e.what }

func storeErrorf(format string, args ...any) error { return &storeError{fmt.Sprintf(format, args...)} }

// get returns the object behind a URL if it has at most limit bytes.
func (s *store) get(ctx context.Context, url, decision string, limit int64) ([]byte, error) {
	resp, err := s.do(ctx, http.MethodGet, url, decision, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, storeErrorf("the store has no such object")
	case resp.StatusCode != http.StatusOK:
		return nil, refusedBy(resp)
	case resp.ContentLength > limit:
		return nil, tooLarge(limit)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, storeErrorf("the store did not send all of it: %v", err)
	case int64(len(b)) > limit:
		return nil, tooLarge(limit)
	}
	return b, nil
}

// put makes the object behind a URL, unless there is one.
func (s *store) put(ctx context.Context, url, decision string, data []byte) error {
	resp, err := s.do(ctx, http.MethodPut, url, decision, data)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPreconditionFailed, http.StatusConflict:
		return storeErrorf("there is such an object already: outputs are written once")
	}
	return refusedBy(resp)
}

// do makes the one request that a URL is for. The decision id rides in Referer, which puts it into the store's own log.
func (s *store) do(ctx context.Context, method, presigned, decision string, data []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, presigned, bytes.NewReader(data))
	if err != nil || r.URL.Scheme != "http" {
		return nil, storeErrorf("its URL in the grant is not one of the store's")
	}
	r.Header.Set("Referer", decision)
	r.Header.Set("User-Agent", "sallyport-jobs")
	if method == http.MethodPut {
		r.Header.Set("If-None-Match", "*")
	}
	resp, err := s.client.Do(r)
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	if err != nil {
		return nil, storeErrorf("the store does not answer: %v", err)
	}
	return resp, nil
}

func refusedBy(resp *http.Response) error {
	return storeErrorf("the store refuses it with %d", resp.StatusCode)
}

func tooLarge(limit int64) error {
	return storeErrorf("it has more than %d bytes, which are left for it", limit)
}
