package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

func TestTheJobServiceIsGivenPublicKeysOnly(t *testing.T) {
	l := newLayout(t)
	if err := makeGrantKeys(l); err != nil {
		t.Fatal(err)
	}
	members := func(path string) (kid any, names map[string]bool) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(b, &set); err != nil || len(set.Keys) != 1 {
			t.Fatalf("%v %s", err, b)
		}
		names = map[string]bool{}
		for name := range set.Keys[0] {
			names[name] = true
		}
		return set.Keys[0]["kid"], names
	}
	kid, private := members(l.GrantKeys())
	half, public := members(l.GrantPublicKeys())
	if kid == "" || kid != half {
		t.Errorf("kid %v and %v", kid, half)
	}
	delete(private, "d")
	if diff := cmp.Diff(private, public); diff != "" {
		t.Errorf("the public half is the private one without d (-want +have):\n%s", diff)
	}
	before, _ := os.ReadFile(l.GrantKeys())
	if err := makeGrantKeys(l); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(l.GrantKeys()); !bytes.Equal(before, after) {
		t.Error("the second start made another key")
	}
	for _, path := range []string{l.GrantKeys(), l.GrantPublicKeys()} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, fi.Mode(), err)
		}
	}
}

func TestTheJobServiceFollowsTheGatewaysKeysAndKeepsThemWhenTheyAreBroken(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	if err := makeGrantKeys(l); err != nil {
		t.Fatal(err)
	}
	keys, err := os.ReadFile(l.GrantPublicKeys())
	if err != nil {
		t.Fatal(err)
	}
	v, err := service.New(service.Config{Issuer: gatewayID, Audience: jobsAudience, Keys: keys, Started: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	log := &lockedWriter{w: &said}
	text := func() string { log.mu.Lock(); defer log.mu.Unlock(); return said.String() }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		watchKeys(ctx, l.GrantPublicKeys(), keys, v, slog.New(slog.NewTextHandler(log, nil)))
	}()
	if err := writeFile(l.GrantPublicKeys(), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	await(t, "the broken keys to be refused", func() bool { return strings.Contains(text(), "the gateway's keys stay as they were") })
	if err := os.Remove(l.GrantKeys()); err != nil {
		t.Fatal(err)
	}
	if err := makeGrantKeys(l); err != nil {
		t.Fatal(err)
	}
	await(t, "the new keys", func() bool { return strings.Contains(text(), "the gateway's keys changed") })
	cancel()
	<-done
}

func TestTheJobServiceAnswersOnlyInASecondAfterItsStart(t *testing.T) {
	t.Parallel()
	began := time.Now()
	started := nextSecond(t.Context(), began)
	if now := time.Now(); started.Nanosecond() != 0 || !started.After(began) || now.Before(started) {
		t.Errorf("began %v, started %v, now %v", began, started, now)
	}
}

func TestTheJobServiceRunsUntilItIsStoppedAndItsSocketIsClosedToOthers(t *testing.T) {
	l := newLayout(t)
	wantEnvironment(t, ServeJobs(t.Context(), l.Dir, nil), "start the demo once to make them")
	if err := makeGrantKeys(l); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeJobs(ctx, l.Dir, nil) }()
	await(t, "the socket", func() bool { return dial(t.Context(), l.JobsSocket()) == nil })
	if fi, err := os.Stat(l.JobsSocket()); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("socket: %v %v", fi.Mode(), err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", l.JobsSocket())
	}}}
	resp, err := client.Post("http://compute.sallyport.test/v1/jobs", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("without a grant: %s", resp.Status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(l.JobsAccessLog()); err != nil || !strings.HasSuffix(string(b), "POST /v1/jobs 403 -\n") {
		t.Errorf("access log %q, %v", b, err)
	}
}

func TestAKeyForAnAlgorithmThatTheDemoDoesNotKnowIsNotMade(t *testing.T) {
	if _, err := newKey("grants", jwa.RS256); err == nil || !strings.Contains(err.Error(), "want ES256 or ES384") {
		t.Errorf("have %v", err)
	}
}
