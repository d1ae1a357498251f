package audit

import "github.com/sallyport-dev/sallyport/authz"

// Fact is what a sorter sorts.
type Fact = fact

// File is the seam for faults.
type File = file

var (
	OpenFile    = openFile
	ParseLine   = parseLine
	AppendLine  = appendLine
	ParseRecord = parseRecord
	QuickRecord = quickRecord

	AppendRecord = appendRecord
	Encode       = encode
	ParseTime    = parseTime
	SourceKey    = sourceKey
)

const (
	MaxLine      = maxLine
	MaxMembers   = maxMembers
	SegmentLines = segmentLines
)

// WithFiles makes logs write to files that open gives.
func (c Config) WithFiles(open func(path string, flag int) (File, error)) Config {
	c.open = open
	return c
}

// WithFree makes logs believe in so many free bytes.
func (c Config) WithFree(free func(dir string) (uint64, error)) Config {
	c.free = free
	return c
}

// Marshal is the encoder that AppendRecord must agree with.
func Marshal(v any) ([]byte, error) { return marshal(v) }

// WriteFlood records the counts of a flood without waiting for the second.
func (l *Logs) WriteFlood() error { return l.writeFlood() }

// Members returns the members of a frame.
func (f frame) Members() []byte { return f.members }

// Numbers returns the numbers of a frame.
func (f frame) Numbers() (n, g uint64) { return f.n, f.g }

// Checksum returns the checksum of a line's beginning.
func Checksum(s string) string {
	sum := checksum([]byte(s))
	return string(sum[:])
}

// Mask masks a record, and returns what opens it, a line each.
func Mask(r authz.Record) (authz.Record, []byte, error) {
	r.Salt = randomID()
	masked, opened, err := mask(normal(r))
	if err != nil {
		return masked, nil, err
	}
	lines, err := opened.lines(masked)
	return masked, lines, err
}

// Sorted returns what a sorter that holds max facts in memory makes of facts, and how many runs it wrote.
func Sorted(max int, facts []Fact) (sorted []Fact, runs int, err error) {
	s := &sorter{max: max}
	defer s.close()
	for _, f := range facts {
		if err := s.add(f); err != nil {
			return nil, 0, err
		}
	}
	err = s.each(func(f fact) { sorted = append(sorted, f) })
	return sorted, len(s.runs), err
}

// NewFact returns a fact.
func NewFact(k [16]byte, kind uint8, log uint16, good bool, n int64) Fact {
	return Fact{k, kind, log, good, n}
}

// Less orders facts.
func (f Fact) Less(g Fact) bool { return f.compare(g) < 0 }
