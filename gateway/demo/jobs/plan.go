package jobs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
	request "github.com/sallyport-dev/sallyport/authz/resource/jobs"
)

// plan is a grant as a job: what is fetched, run and put. Its URLs are secrets.
type plan struct {
	queue           string
	decision        string
	module          string // URL
	inputs, outputs []object
	time            time.Duration
	memory, output  int64 // bytes
}

// object is an input or an output.
type object struct{ uri, url string }

// Limits of the service itself; a grant can only say less.
const (
	maxModule = 16 << 20
	maxInputs = 64 << 20 // together
	maxMemory = 64 << 20
	maxOutput = 64 << 20 // together
)

// newPlan reads the accesses of a grant: the queue, the module, and then inputs and outputs. A grant is the gateway's word, so what
// is not of that form is a gateway of another version.
func newPlan(g service.Grant) (plan, error) {
	p := plan{
		decision: g.DecisionID,
		time:     min(time.Duration(g.Limits.Seconds)*time.Second, MaxRun),
		memory:   min(g.Limits.MemoryBytes, maxMemory),
		output:   min(g.Limits.OutputBytes, maxOutput),
	}
	if len(g.Accesses) < 2 || len(g.Accesses) > request.MaxAccesses {
		return plan{}, fmt.Errorf("a grant with %d accesses starts no job", len(g.Accesses))
	}
	if p.time <= 0 || p.memory <= 0 || p.output < 0 {
		return plan{}, errors.New("a grant without limits starts no job")
	}
	for i, a := range g.Accesses {
		stored := strings.HasPrefix(a.URI, "s3://") && a.URL != ""
		switch {
		case i == 0 && a.Operation == request.StartJob && strings.HasPrefix(a.URI, "job:"):
			p.queue = strings.TrimPrefix(a.URI, "job:")
		case i == 1 && a.Operation == request.ReadModule && stored:
			p.module = a.URL
		case i > 1 && a.Operation == request.ReadInput && stored:
			p.inputs = append(p.inputs, object{a.URI, a.URL})
		case i > 1 && a.Operation == request.WriteOutput && stored:
			p.outputs = append(p.outputs, object{a.URI, a.URL})
		default:
			return plan{}, fmt.Errorf("access %d of the grant, %s, has no place there", i, a.Operation)
		}
	}
	return p, nil
}

// jobID is the id of the job whose state a grant lets be read.
func jobID(g service.Grant) (string, error) {
	if len(g.Accesses) == 1 && g.Accesses[0].Operation == request.GetJob {
		if name, ok := strings.CutPrefix(g.Accesses[0].URI, "job:"); ok {
			if queue, id, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(id, queue+".") {
				return id, nil
			}
		}
	}
	return "", errors.New("the grant names no job")
}
