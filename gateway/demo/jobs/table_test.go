package jobs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

func TestOnlySoManyJobsAreRememberedAndARunningOneAlways(t *testing.T) {
	table, now := newTable(), time.Now()
	running, ok := table.start("q", now)
	if !ok {
		t.Fatal("no slot")
	}
	var ids []string
	for range maxJobs + 3 {
		s, ok := table.start("q", now)
		if !ok {
			t.Fatal("no slot")
		}
		table.finish(s.ID, nil, errors.New("x"), now)
		ids = append(ids, s.ID)
	}
	if n := len(table.jobs); n != maxJobs+1 {
		t.Errorf("%d jobs are remembered, want %d and the one that runs", n, maxJobs)
	}
	for _, c := range []struct {
		id   string
		want bool
	}{{running.ID, true}, {ids[0], false}, {ids[2], false}, {ids[3], true}, {ids[len(ids)-1], true}} {
		if _, ok := table.get(c.id); ok != c.want {
			t.Errorf("%s is remembered: %v, want %v", c.id, ok, c.want)
		}
	}
}

func TestAGrantCanOnlyLowerTheServicesLimits(t *testing.T) {
	grant := func(l service.Limits) service.Grant {
		return service.Grant{DecisionID: "d", Limits: l, Accesses: []service.Access{
			{Operation: "StartJob", URI: "job:q"}, {Operation: "ReadModule", URI: "s3://b/m", URL: "u"}}}
	}
	for _, c := range []struct {
		have service.Limits
		want plan
		err  string
	}{
		{service.Limits{Seconds: 3600, MemoryBytes: 1 << 40, OutputBytes: 1 << 40},
			plan{queue: "q", decision: "d", module: "u", time: MaxRun, memory: maxMemory, output: maxOutput}, ""},
		{service.Limits{Seconds: 1, MemoryBytes: 1 << 16, OutputBytes: 0},
			plan{queue: "q", decision: "d", module: "u", time: time.Second, memory: 1 << 16}, ""},
		{service.Limits{}, plan{}, "without limits"},
		{service.Limits{Seconds: -1, MemoryBytes: 1, OutputBytes: 1}, plan{}, "without limits"},
	} {
		have, err := newPlan(grant(c.have))
		if diff := cmp.Diff(c.want, have, cmp.AllowUnexported(plan{}, object{})); diff != "" {
			t.Errorf("%+v (-want +have):\n%s", c.have, diff)
		}
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: want %q, have %v", c.have, c.err, err)
		}
	}
}
