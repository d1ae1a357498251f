package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// stored resolves one S3 call.
type stored struct {
	*Catalogue
	call    s3.Call
	objects map[authz.ObjectID]authz.Object // what the store says of those that carry labels; nil until it was asked
	res     authz.Resolution
}

// resolveS3 finds the row of everything that an S3 call touches, and where rows want it the labels of the objects themselves.
func (c *Catalogue) resolveS3(call s3.Call, headers authz.Headers, objects map[authz.ObjectID]authz.Object) (authz.Resolution, error) {
	s := stored{Catalogue: c, call: call, objects: objects,
		res: authz.Resolution{Service: "s3", Operation: call.Operation, Upstream: call.Upstream}}
	for _, t := range call.Touches {
		if err := s.touch(t); err != nil {
			return authz.Resolution{}, err
		}
	}
	if objects != nil {
		s.bind(headers)
	}
	s.res.Upstream.Tenant = account(s.res.Accesses)
	return s.res, nil
}

// touch adds the accesses of one touch.
func (s *stored) touch(t s3.Touch) error {
	if t.Action == "list" {
		return s.add(t, "bucket", s.rows.under(t.Path, s.limits.Accesses+1)...)
	}
	r := s.rows.of(t.Path)
	if r.labelled && !s.call.Bound {
		return authz.Refuse(authz.RequestUnsupported, fmt.Sprintf(
			"%s in row %s: the store can't be held to the object whose own label was judged", s.call.Operation, *r.Row))
	}
	if t.Fresh && r.labelled && !s.call.Labels.Other {
		return nil // new content with its label: the create says it all
	}
	return s.add(t, "object", r)
}

func (s *stored) add(t s3.Touch, kind string, governing ...*row) error {
	if len(s.res.Accesses)+len(governing) > s.limits.Accesses {
		return s.tooMany(s.call.Operation)
	}
	from, err := s.from(t.From)
	if err != nil {
		return err
	}
	for _, r := range governing {
		properties := r.ResourceProperties
		if kind == "object" && t.Action != "create" && s.carries(t, r) {
			if properties, err = s.own(t.Path, r); err != nil {
				return err
			}
		}
		labels := []authz.Label{}
		if r.labelled && (t.Action == "create" || t.Action == "relabel") {
			if labels, err = s.requestLabels(s.call.Labels, s.object(s.copied())); err != nil {
				return authz.Refuse(authz.LabelUnbound, err.Error())
			}
		}
		s.res.Accesses = append(s.res.Accesses, authz.Access{
			Action: authz.Action{Name: t.Action, Properties: authz.ActionProperties{
				Protocol:      "s3",
				Operation:     s.call.Operation,
				RequestLabels: labels,
				From:          from,
				To:            s.to(t.To),
			}},
			Resource: authz.Resource{Type: kind, ID: "s3://" + t.Path, Properties: properties},
		})
	}
	return nil
}

// carries reports whether the labels of what t touches must be known: its row wants them, or it is copied with its labels to where a
// row does.
func (s *stored) carries(t s3.Touch, r *row) bool {
	kept := s.call.Labels.KeepsMetadata || s.call.Labels.KeepsTags
	return r.labelled || r.Tenant != nil && t.Action == "read" && t.To != "" && kept && s.rows.of(t.To).labelled
}

// own returns the row of the object at path with the labels that the object carries, once they are known.
func (s *stored) own(path string, r *row) (authz.ResourceProperties, error) {
	id := authz.ObjectID{Tenant: *r.Tenant, Path: path}
	if !slices.Contains(s.res.Objects, id) {
		s.res.Objects = append(s.res.Objects, id)
	}
	metadata, tags, err := s.ownLabels(s.objects[id])
	if err != nil {
		return authz.ResourceProperties{}, authz.Refuse(authz.LabelUnbound, err.Error())
	}
	p := r.ResourceProperties
	p.Labels = slices.Concat(p.Labels, metadata, tags)
	return p, nil
}

// copied returns the path of a copy's source, "" if nothing is copied.
func (s *stored) copied() string {
	if first := s.call.Touches[0]; first.Action == "read" && first.To != "" {
		return first.Path
	}
	return ""
}

// object returns what the store said of the object at path, the zero Object where it was not asked.
func (s *stored) object(path string) authz.Object {
	if r := s.rows.of(path); path != "" && r.Tenant != nil {
		return s.objects[authz.ObjectID{Tenant: *r.Tenant, Path: path}]
	}
	return authz.Object{}
}

// from returns the whole source that flows into what is written, or "known to be none". It has been touched before.
func (s *stored) from(path string) ([]authz.Origin, error) {
	if path == "" {
		return []authz.Origin{}, nil
	}
	r := s.rows.of(path)
	if r.Tenant == nil || !slices.Contains(s.res.Objects, authz.ObjectID{Tenant: *r.Tenant, Path: path}) {
		return []authz.Origin{origin(r.ResourceProperties)}, nil
	}
	p, err := s.own(path, r)
	return []authz.Origin{origin(p)}, err
}

// never is an entity tag that no object has.
const never = `"none"`

// bind holds the store to the content beside which the labels were read: what is written in between is not served. The client's own
// condition on the same content is kept; on any other, the store finds that it does not hold.
func (s *stored) bind(headers authz.Headers) {
	for _, t := range s.call.Touches {
		name := "if-match"
		if t.To != "" {
			name = "x-amz-copy-source-if-match"
		}
		if t.Action != "read" && t.Action != "delete" || !s.carries(t, s.rows.of(t.Path)) {
			continue
		}
		tag := s.object(t.Path).ETag
		if wanted, n := headers.Get(name); n > 0 && wanted != "*" && strings.Trim(wanted, `"`) != strings.Trim(tag, `"`) || tag == "" {
			tag = never
		}
		s.res.Upstream.Bound = append(s.res.Upstream.Bound, authz.HeaderField{Name: name, Value: tag})
	}
}

func (c *Catalogue) tooMany(operation string) error {
	return authz.Refuse(authz.RequestUnsupported,
		fmt.Sprintf("%s touches more than %d rows or objects (limits.accesses)", operation, c.limits.Accesses))
}

func origin(p authz.ResourceProperties) authz.Origin {
	return authz.Origin{Row: p.Row, Tenant: p.Tenant, Owner: p.Owner, Labels: p.Labels, Constraints: p.Constraints}
}

// to returns where the data goes: to the client, or into the object at path.
func (c *Catalogue) to(path string) authz.To {
	if path == "" {
		return authz.To{Kind: "client"}
	}
	row := c.rows.of(path)
	to := authz.To{Kind: "object", Row: row.Row}
	if row.Place != nil {
		to.Enclave = &row.Place.Enclave
	}
	return to
}
