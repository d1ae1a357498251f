package resource

import (
	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/jobs"
)

// resolveJob finds the row of everything that a job's request touches: the queue first, then the module, the inputs and the outputs.
func (c *Catalogue) resolveJob(call jobs.Call) (authz.Resolution, error) {
	queue := c.rows.queue(call.Queue)
	res := authz.Resolution{Service: "jobs", Operation: call.Operation, Upstream: call.Upstream}
	if queue.Tenant != nil {
		res.Upstream.Tenant = *queue.Tenant
	}
	if call.Operation == jobs.GetJob {
		res.Accesses = []authz.Access{
			jobAccess("read", call.Operation, "job", "job:"+call.Queue+"/"+call.ID, queue, authz.To{Kind: "client"}, nil),
		}
		return res, nil
	}
	if 2+len(call.Inputs)+len(call.Outputs) > c.limits.Accesses {
		return authz.Resolution{}, c.tooMany(call.Operation)
	}
	enclave := authz.To{Kind: "enclave", Enclave: &call.Enclave}
	read := func(operation, path string) {
		res.Accesses = append(res.Accesses, jobAccess("read", operation, "object", "s3://"+path, c.rows.of(path), enclave, nil))
	}
	res.Accesses = append(res.Accesses, jobAccess("execute", jobs.StartJob, "job", "job:"+call.Queue, queue, enclave, nil))
	read(jobs.ReadModule, call.Module)
	for _, path := range call.Inputs {
		read(jobs.ReadInput, path)
	}
	sources := c.sources(call)
	for _, path := range call.Outputs {
		res.Accesses = append(res.Accesses,
			jobAccess("create", jobs.WriteOutput, "object", "s3://"+path, c.rows.of(path), c.to(path), sources))
	}
	return res, nil
}

// sources are the rows that flow into each output of a job: a module may write whatever it has read, so it is all of them, and the
// module's too. Of objects in one row the row is one source.
func (c *Catalogue) sources(call jobs.Call) []authz.Origin {
	var sources []authz.Origin
	seen := map[*row]bool{}
	for _, path := range append([]string{call.Module}, call.Inputs...) {
		if r := c.rows.of(path); !seen[r] {
			seen[r] = true
			sources = append(sources, origin(r.ResourceProperties))
		}
	}
	return sources
}

// jobAccess is one access of a job; what does not write has no sources.
func jobAccess(action, operation, kind, id string, row *row, to authz.To, from []authz.Origin) authz.Access {
	if from == nil {
		from = []authz.Origin{}
	}
	return authz.Access{
		Action: authz.Action{Name: action, Properties: authz.ActionProperties{
			Protocol: "jobs", Operation: operation, RequestLabels: []authz.Label{}, From: from, To: to,
		}},
		Resource: authz.Resource{Type: kind, ID: id, Properties: row.ResourceProperties},
	}
}
