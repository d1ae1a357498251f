package identity

import (
	"context"
	"runtime"
	"time"
)

// slotWait is how long a request waits for a slot: hundreds of people may come with new tokens at once without any attack, as after
// a restart, but a check must end well before Envoy gives up on it.
const slotWait = 250 * time.Millisecond

// slots bound how many signatures of one issuer are verified at a time. Garbage under a kid that exists costs a whole verification,
// of ES384 more than half a millisecond; with half of the processors at most, it takes its own issuer's time and not the others'.
// Tokens that are remembered need none.
type slots chan struct{}

func newSlots() slots { return make(slots, max(1, runtime.GOMAXPROCS(0)/2)) }

// take returns false where none becomes free in time. The caller gives back what it took.
func (s slots) take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(slotWait)
	defer late.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

func (s slots) give() { <-s }
