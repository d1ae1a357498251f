package gateway

import (
	"context"

	"github.com/sallyport-dev/sallyport/authz"
)

// wantsLabels reports whether objects carry labels of their own that must be read, and may be: the rows alone must allow each access
// but for what only the object can prove. A stranger learns nothing from how long the store takes, and makes it do nothing.
func (d *decision) wantsLabels() bool {
	if len(d.resolution.Objects) == 0 || len(d.outcomes) != len(d.resolution.Accesses) {
		return false
	}
	for _, o := range d.outcomes {
		if u := o.Decision.Unproven; !o.Decision.Allow && (len(u) != 1 || u[0] != authz.LabelUnbound) {
			return false
		}
	}
	return true
}

// judgeLabels resolves and decides once more, with what the store says of the objects; only that second answer counts.
func (s *Server) judgeLabels(ctx context.Context, d *decision) error {
	objects := make(map[authz.ObjectID]authz.Object, len(d.resolution.Objects))
	for _, id := range d.resolution.Objects {
		o, err := s.c.Storage.Object(ctx, id, d.id)
		if err != nil {
			return authz.Refuse(authz.LabelUnbound, "the label of "+id.Path+" is not known: "+err.Error())
		}
		objects[id] = o
	}
	resolution, err := d.generation.catalogue.ResolveWith(d.req, objects)
	if err != nil {
		return err
	}
	d.resolution = resolution
	d.outcomes, err = d.generation.engine.Decide(ctx, *d.subject, s.context(d), resolution.Accesses)
	return err
}
