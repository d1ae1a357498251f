package policy

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// Config bounds an Engine. The zero Config gets the defaults.
type Config struct {
	Workers int           // evaluations at a time; default GOMAXPROCS
	Timeout time.Duration // of one Decide, all accesses together; default 150 ms
}

// Engine is one compiled bundle.
type Engine struct{}

// Outcome is what policy says of one access, and the exact bytes of the input that it saw.
type Outcome struct {
	Decision authz.Decision
	Input    json.RawMessage
}

// New compiles b.
func New(ctx context.Context, b *Bundle, c Config) (*Engine, error) {
	return nil, errors.New("policy: not compiled")
}

// Decide judges each access and returns one Outcome an access, in the same order.
func (e *Engine) Decide(ctx context.Context, s authz.Subject, c authz.Context, accesses []authz.Access) ([]Outcome, error) {
	return nil, errors.New("policy: not compiled")
}

// Close stops the workers of e.
func (e *Engine) Close() {}
