package audit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

func TestAFilterMatchesWhatItSays(t *testing.T) {
	t.Parallel()
	r := decision("d", false, "us-defense", "fr-space")
	for name, c := range map[string]struct {
		filter audit.Filter
		want   bool
	}{
		"nothing set":                       {audit.Filter{}, true},
		"from its time on":                  {audit.Filter{Since: noon}, true},
		"after its time":                    {audit.Filter{Since: noon.Add(1)}, false},
		"before its time":                   {audit.Filter{Until: noon}, false},
		"the whole id":                      {audit.Filter{Person: "usa|alice"}, true},
		"the person alone":                  {audit.Filter{Person: "alice"}, true},
		"another person":                    {audit.Filter{Person: "al"}, false},
		"the object":                        {audit.Filter{Object: "s3://us-defense-plans/k"}, true},
		"below a folder":                    {audit.Filter{Object: "s3://us-defense-plans/"}, true},
		"a part of the object's name":       {audit.Filter{Object: "s3://us-defense"}, false},
		"a tenant":                          {audit.Filter{Tenant: "fr-space"}, true},
		"a tenant and another one's object": {audit.Filter{Tenant: "fr-space", Object: "s3://us-defense-plans/"}, false},
		"a reason":                          {audit.Filter{Reason: "clearance.level"}, true},
		"another reason":                    {audit.Filter{Reason: "clearance"}, false},
		"denied":                            {audit.Filter{Outcome: "deny"}, true},
		"allowed":                           {audit.Filter{Outcome: "allow"}, false},
	} {
		if have := c.filter.Match(r); have != c.want {
			t.Errorf("%s: %v", name, have)
		}
	}
	if (audit.Filter{Outcome: "deny"}).Match(authz.Record{Type: "start"}) || (audit.Filter{Person: "x"}).Match(nobody("d", "")) {
		t.Error("an event is denied, or nobody is somebody")
	}
	if (audit.Filter{Since: noon, Until: noon}).Check() == nil || (audit.Filter{Outcome: "x"}).Check() == nil {
		t.Error("a filter that matches nothing is taken")
	}
}

func TestFollowGoesOnWithWhatIsAdded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense")
	mustAppend(t, l, decision("0", true, "us-defense"), decision("1", true, "us-defense"))
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	seen := make(chan string)
	done := make(chan error)
	go func() {
		done <- audit.Follow(ctx, dir, func(_ string, line []byte, r authz.Record) error {
			if !strings.Contains(string(line), r.DecisionID) {
				t.Errorf("line of %s: %s", r.DecisionID, line)
			}
			seen <- r.DecisionID
			return nil
		})
	}()
	var have []string
	for i := range 5 {
		have = append(have, <-seen)
		if i > 0 && i < 4 {
			mustAppend(t, l, decision(string(rune('1'+i)), true, "us-defense"))
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, have); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
}
