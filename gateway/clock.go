package gateway

import (
	"sync/atomic"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// clockSlack is how far the wall clock may fall behind the monotonic one, or behind the floor, before its word is not taken any more.
const clockSlack = 30 * time.Second

// Sources of a clock's floor.
const (
	floorLog         = "log"         // the last record that the gateway's log has
	floorRevocations = "revocations" // the issue of the list of revocations in force
)

// clock tells the time and whether it can be trusted. The wall clock may be set back, which would bring expired tokens and agreements to
// life again. While the gateway runs the monotonic clock shows that; what happened before it started, the floor does: the latest time
// of which somebody has signed that it has passed.
type clock struct {
	start   time.Time            // by the wall clock
	read    func() time.Time     // the wall clock
	elapsed func() time.Duration // since start, by the monotonic clock
	floor   *atomic.Pointer[floor]
}

// floor is a time that had passed when the monotonic clock showed since.
type floor struct {
	authz.ClockFloor
	since time.Duration
}

func newClock() clock {
	start := time.Now()
	return clock{start: start.Round(0), read: time.Now, elapsed: func() time.Duration { return time.Since(start) }, floor: &atomic.Pointer[floor]{}}
}

// now returns the time and whether it can be trusted: "trusted" by the wall clock; "floor" if that is behind the floor, so that the time
// is at least what is returned; "unknown" if it went back since the gateway started.
func (c clock) now() (time.Time, string) {
	now, elapsed := c.read(), c.elapsed()
	if now.Round(0).Sub(c.start) < elapsed-clockSlack {
		return now, "unknown"
	}
	if f := c.floor.Load(); f != nil {
		if least := f.Time.Add(elapsed - f.since); now.Before(least.Add(-clockSlack)) {
			return least, "floor"
		}
	}
	return now, "trusted"
}

// raise takes a time that has certainly passed, if it is later than the floor that is known.
func (c clock) raise(at time.Time, source string) {
	if at.IsZero() {
		return
	}
	next := &floor{authz.ClockFloor{Time: authz.At(at), Source: source}, c.elapsed()}
	for {
		was := c.floor.Load()
		if was != nil && !at.After(was.Time.Add(next.since-was.since)) {
			return
		}
		if c.floor.CompareAndSwap(was, next) {
			return
		}
	}
}

// known returns the floor, nil if there is none.
func (c clock) known() *authz.ClockFloor {
	if f := c.floor.Load(); f != nil {
		return &f.ClockFloor
	}
	return nil
}
