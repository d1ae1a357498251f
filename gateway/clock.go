package gateway

import "time"

// clockSlack is how far the wall clock may fall behind the monotonic one before its word is not taken any more.
const clockSlack = 30 * time.Second

// clock tells the time and whether it can be trusted. The wall clock may be set back while the gateway runs, which would bring
// expired tokens and agreements to life again; the monotonic clock cannot.
type clock struct {
	start time.Time        // with its monotonic reading
	read  func() time.Time // the wall clock
}

func newClock() clock { return clock{start: time.Now(), read: time.Now} }

// now returns the wall clock's time and "trusted", or "unknown" if that clock went back since the gateway started.
func (c clock) now() (time.Time, string) {
	now := c.read()
	wall := now.Round(0).Sub(c.start.Round(0))
	if wall < now.Sub(c.start)-clockSlack {
		return now, "unknown"
	}
	return now, "trusted"
}
