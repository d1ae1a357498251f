package gateway

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
)

func TestTheClockIsNotTrustedOnceItWentBack(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		after time.Duration // by the monotonic clock
		wall  time.Duration // by the wall clock, since the start
		want  string
	}{
		"both go on":                          {time.Hour, time.Hour, "trusted"},
		"the wall clock was set forward":      {time.Hour, 2 * time.Hour, "trusted"},
		"it was slewed a little":              {time.Hour, time.Hour - clockSlack, "trusted"},
		"it was set back":                     {time.Hour, time.Hour - clockSlack - 1, "unknown"},
		"it was set back to before the start": {time.Hour, -24 * time.Hour, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			wall := start.Add(c.wall)
			now, state := clock{
				start: start, read: func() time.Time { return wall }, elapsed: func() time.Duration { return c.after }, floor: &atomic.Pointer[floor]{},
			}.now()
			if !now.Equal(wall) || state != c.want {
				t.Errorf("%s, %s; want %s, %s", now, state, wall, c.want)
			}
		})
	}
}

func TestAClockThatIsBehindItsFloorTellsTheFloor(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	elapsed := time.Duration(0)
	c := clock{start: start, read: func() time.Time { return start.Add(elapsed) }, elapsed: func() time.Duration { return elapsed }, floor: &atomic.Pointer[floor]{}}
	want := func(at time.Time, state, source string) {
		t.Helper()
		if now, have := c.now(); !now.Equal(at) || have != state {
			t.Errorf("%s, %s; want %s, %s", now, have, at, state)
		}
		var floor *authz.ClockFloor
		if source != "" {
			floor = c.known()
			if floor == nil || floor.Source != source {
				t.Errorf("floor %+v, want one of %s", floor, source)
			}
		} else if diff := cmp.Diff(floor, c.known()); diff != "" {
			t.Error(diff)
		}
	}
	c.raise(time.Time{}, floorLog)
	want(start, "trusted", "")
	c.raise(start.Add(-time.Hour), floorLog)
	want(start, "trusted", "log")
	c.raise(start.Add(-2*time.Hour), floorRevocations) // says less
	want(start, "trusted", "log")
	c.raise(start.Add(clockSlack), floorLog)
	want(start, "trusted", "log")
	c.raise(start.Add(24*time.Hour), floorRevocations)
	want(start.Add(24*time.Hour), "floor", "revocations")
	elapsed = time.Minute // the floor rises with the monotonic clock
	want(start.Add(24*time.Hour+time.Minute), "floor", "revocations")
	c.raise(start.Add(24*time.Hour+time.Second), floorLog) // had passed a minute ago by what is known
	want(start.Add(24*time.Hour+time.Minute), "floor", "revocations")
}
