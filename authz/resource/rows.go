package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// rows are the rows of every tenant. What lies in the store is found by its path; queues are found by their name.
type rows struct {
	stored tree[row]
	queues map[string]*row // by the queue's name, without job:
}

// row is a row of a catalogue: what an access shows of it, and what only its resolution needs.
type row struct {
	authz.ResourceProperties
	labelled bool // its objects carry labels of their own
}

// none is what is known of a path that no row governs: nothing.
var none = &row{}

// of returns the longest row that path starts with, or none.
func (r *rows) of(path string) *row {
	if p := r.stored.longest(path); p != nil {
		return p
	}
	return none
}

// queue returns the row of the queue of that name, or none.
func (r *rows) queue(name string) *row {
	if p, ok := r.queues[name]; ok {
		return p
	}
	return none
}

// under returns what a listing of path reveals: the longest row that path starts with, and every row whose id starts with path,
// in the order of their ids; at most limit of them. It is never empty: with no row at all it is none.
func (r *rows) under(path string, limit int) []*row {
	above, found := r.stored.under(path, limit)
	if above != nil {
		found = slices.Insert(found, 0, above)
	}
	if len(found) == 0 {
		return []*row{none}
	}
	return found[:min(len(found), limit)]
}

// rowData is the part of a catalogue row that a decision sees; the schemas in policies/schemas close its shape.
type rowData struct {
	Service     string             `json:"service"`
	Owner       *authz.Owner       `json:"owner"`
	Labels      []authz.Label      `json:"labels"`
	Constraints *authz.Constraints `json:"constraints"`
	Place       *authz.Place       `json:"place"`
	Hold        *bool              `json:"hold"`

	LabelsOnObjects bool `json:"labels_on_objects"`
}

// parseRows reads the catalogue of every tenant. It returns every problem at once, in the order of tenants and rows.
func parseRows(tenants json.RawMessage) (*rows, error) {
	var parts map[string]struct {
		Catalogue struct {
			Rows map[string]json.RawMessage `json:"rows"`
		} `json:"catalogue"`
	}
	if len(bytes.TrimSpace(tenants)) == 0 {
		return &rows{}, nil
	}
	if err := json.Unmarshal(tenants, &parts); err != nil {
		return nil, fmt.Errorf("tenants: want an object of tenants with catalogue.rows: %w", err)
	}
	var problems []error
	owner := map[string]string{} // bucket → tenant
	found := &rows{queues: map[string]*row{}}
	for _, tenant := range slices.Sorted(maps.Keys(parts)) {
		for _, id := range slices.Sorted(maps.Keys(parts[tenant].Catalogue.Rows)) {
			key := fmt.Sprintf("tenants.%s.catalogue.rows[%q]", tenant, id)
			var data rowData
			if err := json.Unmarshal(parts[tenant].Catalogue.Rows[id], &data); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", key, err))
				continue
			}
			if queue, ok := strings.CutPrefix(id, "job:"); ok && data.Service == "jobs" {
				if err := s3.CheckBucket(queue); err != nil {
					problems = append(problems, fmt.Errorf("%s: queue: %w", key, err))
				} else if other, taken := found.queues[queue]; taken {
					problems = append(problems, fmt.Errorf("%s: is a row of tenant %s too: a queue has one tenant", key, *other.Tenant))
				} else {
					found.queues[queue] = properties(tenant, id, data)
				}
				continue // no place in the store: no S3 path starts with its id
			}
			scheme := "" // of a service's rows, so that none of its paths is one of the store
			switch data.Service {
			case "s3":
			case "http", "grpc":
				scheme = data.Service + ":"
			default:
				problems = append(problems, fmt.Errorf("%s: service %q: want s3, jobs for a row job:<queue>, http or grpc", key, data.Service))
				continue
			}
			rest, ok := strings.CutPrefix(id, scheme)
			bucket, err := s3.SplitRow(rest)
			if err == nil && !ok {
				err = fmt.Errorf("row %q: want %s<name>/ or %s<name>/prefix/", id, scheme, scheme)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", key, err))
				continue
			}
			bucket = scheme + bucket
			if other, taken := owner[bucket]; taken && other != tenant {
				problems = append(problems, fmt.Errorf("%s: %s has rows of tenant %s: it has one tenant", key, bucket, other))
				continue
			}
			owner[bucket] = tenant
			found.stored.add(id, properties(tenant, id, data))
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return found, nil
}

// properties copies a row. A label that is written without categories, nation tags, handling tags or alternatives has none: a
// label is a whole statement, unlike a row, whose missing facts stay unknown. A missing release list stays null, "no list".
func properties(tenant, id string, d rowData) *row {
	for i := range d.Labels {
		d.Labels[i] = whole(d.Labels[i])
	}
	return &row{labelled: d.LabelsOnObjects, ResourceProperties: authz.ResourceProperties{
		Row: &id, Tenant: &tenant, Service: &d.Service,
		Owner: d.Owner, Labels: d.Labels, Constraints: d.Constraints, Place: d.Place, Hold: d.Hold,
	}}
}

func whole(l authz.Label) authz.Label {
	if l.Categories == nil {
		l.Categories = map[string][]string{}
	}
	if l.Nation == nil {
		l.Nation = []string{}
	}
	if l.Handling == nil {
		l.Handling = []string{}
	}
	if l.Alternatives == nil {
		l.Alternatives = []authz.Label{}
	}
	for i := range l.Alternatives {
		l.Alternatives[i] = whole(l.Alternatives[i])
	}
	return l
}
