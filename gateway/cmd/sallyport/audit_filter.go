package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/authz/audit"
)

// filterFlags are the flags by which a command narrows records down.
type filterFlags struct {
	filter       audit.Filter
	since, until string
}

func (f *filterFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.since, "since", "", "records from this time on: RFC 3339, or a duration before now such as 1h")
	c.Flags().StringVar(&f.until, "until", "", "records before this time")
	c.Flags().StringVar(&f.filter.Person, "person", "", "records of this subject: issuer|sub, or sub")
	c.Flags().StringVar(&f.filter.Object, "object", "", "records with this resource; one that ends with / means all below it too")
	c.Flags().StringVar(&f.filter.Tenant, "tenant", "", "records with an access to this tenant's resources")
	c.Flags().StringVar(&f.filter.Reason, "reason", "", "records with this root cause")
	c.Flags().StringVar(&f.filter.Outcome, "outcome", "", "allow or deny")
}

func (f *filterFlags) parse() (audit.Filter, error) {
	now := time.Now()
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", f.since, &f.filter.Since}, {"until", f.until, &f.filter.Until}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = time.Parse(time.RFC3339Nano, t.text); err == nil {
			continue
		}
		ago, err := time.ParseDuration(t.text)
		if err != nil || ago < 0 {
			return f.filter, fail(exitUsage, fmt.Errorf("--%s %q: want RFC 3339, such as 2026-01-02T15:04:05Z, or a duration before now, such as 1h", t.flag, t.text))
		}
		*t.to = now.Add(-ago)
	}
	return f.filter, fail(exitUsage, f.filter.Check())
}
