package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

const plans = "/us-defense-plans/welcome.txt"

var (
	passes    = received{Status: codes.OK, Mark: true}
	forbidden = received{Status: codes.PermissionDenied, HTTP: 403, Says: "access.denied"}
)

func denied(code int, says string) received {
	r := received{Status: codes.PermissionDenied, HTTP: code, Says: says}
	if code == 401 {
		r.Status = codes.Unauthenticated
	}
	return r
}

func TestAnAllowCarriesTheMarkTheGrantAndOneRecordThatCanBeJudgedAgain(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	tok := token(t, "SECRET")
	got, out := check(t, client(t, g.Server, nil), ask("GET", plans, tok))
	if diff := cmp.Diff(passes, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	id := decisionID(out)

	credential := authz.Credential{Remove: out.GetOkResponse().GetHeadersToRemove()}
	set := map[string]string{}
	for _, h := range out.GetOkResponse().GetHeaders() {
		f := authz.HeaderField{Name: h.GetHeader().GetKey(), Value: h.GetHeader().GetValue()}
		credential.Set = append(credential.Set, f)
		set[f.Name] = f.Value
	}
	names := []string{"authorization", "referer", "x-amz-content-sha256", "x-amz-date", "x-envoy-upstream-rq-timeout-ms",
		"x-envoy-upstream-stream-duration-ms", "x-sallyport-decision-id"}
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(set))); diff != "" {
		t.Errorf("headers for the store (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(set["authorization"], "AWS4-HMAC-SHA256 Credential=us-defense/") || set["referer"] != id || set["x-sallyport-decision-id"] != id {
		t.Errorf("the grant is not for us-defense's account and this decision: %q", set)
	}
	if ms, err := strconv.Atoi(set["x-envoy-upstream-rq-timeout-ms"]); err != nil || ms <= 0 || ms > int(time.Hour.Milliseconds()) {
		t.Errorf("the stream is not bounded by the token's life: %v, %v", ms, err)
	}

	records := g.decisions(t)
	if len(records) != 1 || len(records["us-defense"]) != 1 {
		t.Fatalf("want one record, in the log of us-defense, have %v", records)
	}
	r := records["us-defense"][0]
	if !r.Allow || r.DecisionID != id || r.GrantDigest != authz.Seal(credential).Digest() || r.Bundle != world.Ref() ||
		r.RequestID != "request-1" || r.RequestedBy != "192.0.2.7" || r.Subject.ID != "usa|sam" || r.Marking != "USA SECRET" {
		t.Errorf("the record does not say what happened: %+v", r)
	}
	line, err := json.Marshal(r)
	if err != nil || strings.Contains(string(line), tok) || strings.Contains(string(line), set["authorization"]) {
		t.Errorf("the record holds a credential (%v): %s", err, line)
	}
	judgedAgain(t, r)
}

// judgedAgain holds the recorded decision against what the world's policy says of the recorded input.
func judgedAgain(t *testing.T, r authz.Record) {
	t.Helper()
	engine, err := policy.New(t.Context(), world, policy.Config{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	for _, a := range r.Accesses {
		var in authz.Input
		if err := json.Unmarshal(a.Input, &in); err != nil {
			t.Fatal(err)
		}
		got, err := engine.Decide(t.Context(), in.Subject, in.Context, []authz.Access{{Action: in.Action, Resource: in.Resource}})
		if err != nil {
			t.Fatal(err)
		}
		want := []policy.Outcome{{
			Decision: authz.Decision{Allow: a.Allow, Reasons: a.Reasons, Unproven: a.Unproven, Obligations: []authz.Obligation{}},
			Input:    a.Input,
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("judged again, the record of %s is another (-record +again):\n%s", a.Resource, diff)
		}
	}
}

// TestWhatEnvoyReceives is the table of everything that can end a check: what comes back, and what the log shows.
func TestWhatEnvoyReceives(t *testing.T) {
	t.Parallel()
	sam := token(t, "SECRET")
	read := ask("GET", plans, sam)
	healthy := start(t, world)
	healthyClient := client(t, healthy.Server, nil)
	for _, row := range []struct {
		name    string
		in      *authv3.CheckRequest
		want    received
		log     string // that has the one record; "" if no log could take it
		reasons []authz.Reason
		made    func(*testing.T) (gateway, authv3.AuthorizationClient) // nil: the healthy gateway
	}{
		{"all is proven", read, passes, "us-defense", reasons(), nil},
		{"a request that reads in two ways", ask("GET", plans+"#x", sam), denied(403, "request.ambiguous"), "gateway", reasons("request.ambiguous"), nil},
		{"no token", ask("GET", plans, ""), denied(401, "identity.missing"), "gateway", reasons("identity.missing"), nil},
		{"a token of nobody", ask("GET", plans, "a.b.c"), denied(401, "identity.invalid"), "gateway", reasons("identity.invalid"), nil},
		{"a token of an issuer that no part names",
			ask("GET", plans, token(t, "SECRET", func(c map[string]any) { c["iss"] = issuers.URL + "/xyz" })),
			denied(401, "identity.issuer"), "gateway", reasons("identity.issuer"), nil},
		{"a token that has ended",
			ask("GET", plans, token(t, "SECRET", func(c map[string]any) { c["iat"], c["exp"] = time.Now().Unix()-60, time.Now().Unix()-1 })),
			denied(401, "identity.expired"), "gateway", reasons("identity.expired"), nil},
		{"a token for somebody else", ask("GET", plans, token(t, "SECRET", func(c map[string]any) { c["aud"] = "other" })),
			denied(401, "identity.invalid"), "gateway", reasons("identity.invalid"), nil},
		{"an operation that is not on the list", ask("GET", "/us-defense-plans/?policy", sam),
			denied(403, "request.unsupported"), "gateway", reasons("request.unsupported"), nil},
		{"chunks signed one by one",
			ask("PUT", plans, sam, header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), header("content-length", "1")),
			denied(501, "request.unsupported"), "gateway", reasons("request.unsupported"), nil},
		{"a route without an upstream", ask("GET", plans, sam, extension("audience", "")),
			denied(403, "request.unsupported"), "gateway", reasons("request.unsupported"), nil},
		{"a row that is in no catalogue", ask("GET", "/nobodys/welcome.txt", sam),
			forbidden, "gateway", reasons("label.missing", "tenant.mismatch"), nil},
		{"a clearance below the label", ask("GET", plans, token(t, "CONFIDENTIAL")),
			forbidden, "us-defense", reasons("clearance.level"), nil},
		{"another tenant's row", ask("GET", "/fr-space-missions/welcome.txt", sam),
			forbidden, "fr-space", reasons("tenant.mismatch"), nil},
		{"an upstream that this gateway makes no grants for", ask("GET", plans, sam, extension("audience", "compute")),
			denied(403, "system.grant_unavailable"), "us-defense", reasons("system.grant_unavailable"), nil},
		{"no bundle", read, denied(403, "system.internal"), "gateway", reasons("system.internal"), with(nil)},
		{"policy that takes too long", read, denied(403, "system.timeout"), "us-defense", reasons("system.timeout"),
			with(func(t *testing.T) *policy.Bundle { return edited(t, slow) }, func(c *Config) { c.DecisionTimeout = 300 * time.Millisecond })},
		{"an obligation that nobody here can do", read, forbidden, "us-defense", reasons("obligation.unsupported"),
			with(func(t *testing.T) *policy.Bundle { return edited(t, obliges) })},
		{"an engine that is closed", read, denied(403, "system.internal"), "us-defense", reasons("system.internal"), closedEngine},
		{"a panic while the token is verified", read, denied(403, "system.internal"), "gateway", reasons("system.internal"), panics("verify")},
		{"a panic while policy is asked", read, denied(403, "system.internal"), "us-defense", reasons("system.internal"), panics("decide")},
		{"a panic while the grant is made", read, denied(403, "system.internal"), "us-defense", reasons("system.internal"),
			with(theWorld, func(c *Config) { c.Storage = nil })},
		{"a log that fails", read, denied(403, "system.audit_unavailable"), "", nil,
			with(theWorld, faults(func(context.Context, authz.Record) error { return errDisk }))},
		{"a log that fails while it denies", ask("GET", plans, ""), denied(403, "system.audit_unavailable"), "", nil,
			with(theWorld, faults(func(context.Context, authz.Record) error { return errDisk }))},
		{"a panic while the record is made", read, denied(403, "system.internal"), "gateway", reasons("system.internal"), withoutBundle},
		{"a log that panics", read, denied(403, "system.audit_unavailable"), "", nil,
			with(theWorld, faults(func(context.Context, authz.Record) error { panic("poison") }))},
		{"a log that does not come back", read, denied(403, "system.audit_unavailable"), "", nil,
			with(theWorld, faults(func(ctx context.Context, _ authz.Record) error { <-ctx.Done(); return ctx.Err() }))},
		{"logs that are closed", read, denied(403, "system.audit_unavailable"), "", nil, closedLogs},
	} {
		t.Run(row.name, func(t *testing.T) {
			g, c := healthy, healthyClient
			if row.made != nil {
				g, c = row.made(t)
			}
			before := len(slices.Concat(slices.Collect(maps.Values(g.decisions(t)))...))
			got, out := check(t, c, row.in)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("Envoy receives (-want +got):\n%s", diff)
			}
			records := g.decisions(t)
			if n := len(slices.Concat(slices.Collect(maps.Values(records))...)) - before; row.log == "" {
				if n != 0 {
					t.Errorf("%d records in a log that failed", n)
				}
				return
			} else if n != 1 || len(records[row.log]) == 0 {
				t.Fatalf("want one record in the log %s, have %d more: %v", row.log, n, records)
			}
			r := records[row.log][len(records[row.log])-1]
			if r.DecisionID != decisionID(out) {
				t.Errorf("the client was told decision %q, the record is %q", decisionID(out), r.DecisionID)
			}
			if diff := cmp.Diff(row.reasons, r.Reasons); diff != "" || r.Allow != (row.want == passes) || r.Allow == (r.GrantDigest == "") {
				t.Errorf("allow %v, grant %q, reasons (-want +got):\n%s\n%s", r.Allow, r.GrantDigest, diff, r.Detail)
			}
		})
	}
}

var errDisk = errors.New("no space left on device")

func theWorld(*testing.T) *policy.Bundle { return world }

// with makes a gateway of its own for one row.
func with(bundle func(*testing.T) *policy.Bundle, changes ...func(*Config)) func(*testing.T) (gateway, authv3.AuthorizationClient) {
	return func(t *testing.T) (gateway, authv3.AuthorizationClient) {
		var b *policy.Bundle
		if bundle != nil {
			b = bundle(t)
		}
		g := start(t, b, changes...)
		return g, client(t, g.Server, nil)
	}
}

func panics(in string) func(*testing.T) (gateway, authv3.AuthorizationClient) {
	return func(t *testing.T) (gateway, authv3.AuthorizationClient) {
		g := start(t, world)
		return g, client(t, g.Server, func(ctx context.Context) context.Context { return poisoned{ctx, in} })
	}
}

// withoutBundle is a gateway whose generation lacks what its record names.
func withoutBundle(t *testing.T) (gateway, authv3.AuthorizationClient) {
	g := start(t, world)
	whole := *g.generation.Load()
	broken := whole
	broken.bundle = nil
	g.generation.Store(&broken)
	t.Cleanup(func() { g.generation.Store(&whole) })
	return g, client(t, g.Server, nil)
}

func closedEngine(t *testing.T) (gateway, authv3.AuthorizationClient) {
	g := start(t, world)
	g.generation.Load().engine.Close()
	return g, client(t, g.Server, nil)
}

func closedLogs(t *testing.T) (gateway, authv3.AuthorizationClient) {
	g := start(t, world)
	if err := g.logs.Close(); err != nil {
		t.Fatal(err)
	}
	return g, client(t, g.Server, nil)
}

func TestACheckWhoseCallerLeftIsRecorded(t *testing.T) {
	t.Parallel()
	g := start(t, world)
	c := client(t, g.Server, func(ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx
	})
	got, _ := check(t, c, ask("GET", plans, token(t, "SECRET")))
	if diff := cmp.Diff(denied(403, "system.timeout"), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := g.decisions(t)["gateway"]; len(r) != 1 || !slices.Equal(r[0].Reasons, reasons("system.timeout")) {
		t.Errorf("want one record of system.timeout, have %v", r)
	}
}

func TestTheAnswerWaitsForTheRecord(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	appended := map[string]bool{}
	g := start(t, world, faults(func(_ context.Context, r authz.Record) error {
		time.Sleep(50 * time.Millisecond)
		mu.Lock()
		defer mu.Unlock()
		appended[r.DecisionID] = true
		return nil
	}))
	_, out := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
	mu.Lock()
	defer mu.Unlock()
	if id := decisionID(out); id == "" || !appended[id] {
		t.Errorf("the answer of decision %q came before its record", id)
	}
}

// What may only be shown passes, and the caller is told so and keeps it nowhere.
func TestWhatMayOnlyBeShownIsAnsweredWithTheObligation(t *testing.T) {
	t.Parallel()
	shows := edit{obliges.file, obliges.old, strings.Replace(obliges.new, "view-only", "display_only", 1)}
	g := start(t, edited(t, shows))
	got, out := check(t, client(t, g.Server, nil), ask("GET", plans, token(t, "SECRET")))
	if diff := cmp.Diff(passes, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	back := map[string]string{}
	for _, h := range out.GetOkResponse().GetResponseHeadersToAdd() {
		back[h.GetHeader().GetKey()] = h.GetHeader().GetValue()
	}
	want := map[string]string{"x-sallyport-decision-id": decisionID(out), "x-sallyport-obligations": "display-only", "cache-control": "no-store"}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Errorf("headers for the client (-want +got):\n%s", diff)
	}
}
