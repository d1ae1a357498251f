package gateway

import (
	"testing"
	"time"
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
				start: start, read: func() time.Time { return wall }, elapsed: func() time.Duration { return c.after },
			}.now()
			if !now.Equal(wall) || state != c.want {
				t.Errorf("%s, %s; want %s, %s", now, state, wall, c.want)
			}
		})
	}
}
