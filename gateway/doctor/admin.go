package doctor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Live examines a running Envoy by its admin interface, http://host:port or unix:/path: what it has loaded by now, and how long its
// checks took.
func Live(ctx context.Context, admin string) ([]Finding, error) {
	client, base, err := adminClient(admin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var m Measured
	err = ask(ctx, client, base+"/stats?usedonly&histogram_buckets=summary&filter=upstream_rq_time", func(r io.Reader) error {
		m.P99, err = percentiles(r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", admin, err)
	}
	var found []Finding
	err = ask(ctx, client, base+"/config_dump", func(r io.Reader) error {
		found, err = Examine(admin, r, m)
		return err
	})
	return found, err
}

func adminClient(admin string) (*http.Client, string, error) {
	if path, ok := strings.CutPrefix(admin, "unix:"); ok {
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		return &http.Client{Transport: &http.Transport{DialContext: dial}}, "http://admin", nil
	}
	u, err := url.Parse(admin)
	if err != nil || u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" {
		return nil, "", fmt.Errorf("%q is no admin address: want http://host:port or unix:/path", admin)
	}
	return http.DefaultClient, "http://" + u.Host, nil
}

func ask(ctx context.Context, client *http.Client, url string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the admin interface does not answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return read(resp.Body)
}

// percentiles reads how long requests to each cluster took, from Envoy's statistics of all time:
// "cluster.<name>.upstream_rq_time: P0(nan,1) … P99(nan,3.1) …", in milliseconds.
func percentiles(r io.Reader) (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	lines := bufio.NewScanner(io.LimitReader(r, maxBytes))
	for lines.Scan() {
		name, values, _ := strings.Cut(lines.Text(), ".upstream_rq_time: ")
		cluster, ok := strings.CutPrefix(name, "cluster.")
		_, p99, found := strings.Cut(values, "P99(")
		p99, _, _ = strings.Cut(p99, ")")
		_, all, _ := strings.Cut(p99, ",")
		if ms, err := strconv.ParseFloat(all, 64); ok && found && err == nil && ms > 0 {
			out[cluster] = time.Duration(ms * float64(time.Millisecond))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, errors.Join(errors.New("its statistics can't be read"), err)
	}
	return out, nil
}
