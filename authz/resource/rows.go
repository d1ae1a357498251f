package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// rows finds the row with the longest id that a path starts with. Ids are sorted, and every row knows the longest other row that
// its own id starts with, so a look-up is one binary search and a walk up that chain: its cost does not grow with the number of
// tenants, only with how deep rows are nested in one another.
type rows struct {
	ids    []string // sorted
	props  []*authz.ResourceProperties
	parent []int // index of the longest proper prefix among ids, -1 if there is none

	queues map[string]*authz.ResourceProperties // by the queue's name, without job:
}

// none is what is known of a path that no row governs: nothing.
var none = &authz.ResourceProperties{}

// of returns the longest row that path starts with, or none.
func (r *rows) of(path string) *authz.ResourceProperties {
	if i := r.longest(path); i >= 0 {
		return r.props[i]
	}
	return none
}

// queue returns the row of the queue of that name, or none.
func (r *rows) queue(name string) *authz.ResourceProperties {
	if p, ok := r.queues[name]; ok {
		return p
	}
	return none
}

// longest returns the index of the longest id that path starts with, -1 if there is none.
//
// The last id that sorts at or before path is that id or starts with it, because everything that sorts between an id and a path
// that starts with it starts with it too.
func (r *rows) longest(path string) int {
	i := sort.Search(len(r.ids), func(i int) bool { return r.ids[i] > path }) - 1
	for i >= 0 && !strings.HasPrefix(path, r.ids[i]) {
		i = r.parent[i]
	}
	return i
}

// under returns what a listing of path reveals: the longest row that path starts with, and every row whose id starts with path,
// in the order of their ids; at most limit of them. It is never empty: with no row at all it is none.
func (r *rows) under(path string, limit int) []*authz.ResourceProperties {
	var found []*authz.ResourceProperties
	first := sort.SearchStrings(r.ids, path)
	if i := r.longest(path); i >= 0 && i < first {
		found = append(found, r.props[i])
	}
	for i := first; i < len(r.ids) && strings.HasPrefix(r.ids[i], path) && len(found) < limit; i++ {
		found = append(found, r.props[i])
	}
	if len(found) == 0 {
		found = append(found, none)
	}
	return found
}

// rowData is the part of a catalogue row that a decision sees; the schemas in policies/schemas close its shape.
type rowData struct {
	Service     string             `json:"service"`
	Owner       *authz.Owner       `json:"owner"`
	Labels      []authz.Label      `json:"labels"`
	Constraints *authz.Constraints `json:"constraints"`
	Place       *authz.Place       `json:"place"`
	Hold        *bool              `json:"hold"`
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
	byID := map[string]*authz.ResourceProperties{}
	queues := map[string]*authz.ResourceProperties{}
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
				} else if other, taken := queues[queue]; taken {
					problems = append(problems, fmt.Errorf("%s: is a row of tenant %s too: a queue has one tenant", key, *other.Tenant))
				} else {
					queues[queue] = properties(tenant, id, data)
				}
				continue // no place in the store: no S3 path starts with its id
			}
			if data.Service != "s3" {
				problems = append(problems, fmt.Errorf("%s: service %q: want s3, or jobs for a row job:<queue>", key, data.Service))
				continue
			}
			bucket, err := s3.SplitRow(id)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", key, err))
				continue
			}
			if other, taken := owner[bucket]; taken && other != tenant {
				problems = append(problems, fmt.Errorf("%s: bucket %s has rows of tenant %s: a bucket has one tenant", key, bucket, other))
				continue
			}
			owner[bucket] = tenant
			byID[id] = properties(tenant, id, data)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return index(byID, queues), nil
}

// properties copies a row. A label that is written without categories, nation tags, handling tags or alternatives has none: a
// label is a whole statement, unlike a row, whose missing facts stay unknown. A missing release list stays null, "no list".
func properties(tenant, id string, d rowData) *authz.ResourceProperties {
	for i := range d.Labels {
		d.Labels[i] = whole(d.Labels[i])
	}
	return &authz.ResourceProperties{
		Row: &id, Tenant: &tenant, Service: &d.Service,
		Owner: d.Owner, Labels: d.Labels, Constraints: d.Constraints, Place: d.Place, Hold: d.Hold,
	}
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

// index sorts rows and finds each one's parent: the ids that are a prefix of the one at hand form a stack.
func index(byID, queues map[string]*authz.ResourceProperties) *rows {
	r := &rows{ids: slices.Sorted(maps.Keys(byID)), queues: queues}
	var stack []int
	for i, id := range r.ids {
		for len(stack) > 0 && !strings.HasPrefix(id, r.ids[stack[len(stack)-1]]) {
			stack = stack[:len(stack)-1]
		}
		parent := -1
		if len(stack) > 0 {
			parent = stack[len(stack)-1]
		}
		r.props = append(r.props, byID[id])
		r.parent = append(r.parent, parent)
		stack = append(stack, i)
	}
	return r
}
