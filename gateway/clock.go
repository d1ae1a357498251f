package gateway

import "time"

// clockSlack is how far the wall clock may fall behind the monotonic one before its word is not taken any more.
const clockSlack = 30 * time.Second

// clock tells the time and whether it can be trusted. The wall clock may be set back while the gateway runs, which would bring
// expired tokens and agreements to life again; the monotonic clock cannot.
type clock struct {
	start   time.Time            // by the wall clock
	read    func() time.Time     // the wall clock
	elapsed func() time.Duration // since start, by the monotonic clock
}

func newClock() clock {
	start := time.Now()
	return clock{start: start.Round(0), read: time.Now, elapsed: func() time.Duration { return time.Since(start) }}
}

// now returns the wall clock's time and "trusted", or "unknown" if that clock went back since the gateway started.
func (c clock) now() (time.Time, string) {
	now := c.read()
	if now.Round(0).Sub(c.start) < c.elapsed()-clockSlack {
		return now, "unknown"
	}
	return now, "trusted"
}
