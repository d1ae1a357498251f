package s3

// What black-box tests need of the inside.
var (
	ParseDelete   = parseDelete
	CheckKey      = checkKey
	OperationsDoc = operationsDoc
	Overlapping   = overlapping
)

// CanonicalQuery is the canonical form of a raw query.
func CanonicalQuery(raw string) (string, error) {
	q, err := parseQuery(raw)
	return q.canonical(), err
}

// CanonicalPath is the canonical form of a raw path.
func CanonicalPath(raw string) (string, error) {
	p, err := unescapePath(raw)
	return escape(p, "/"), err
}

// overlapping returns the names of two operations that one request could select, if there are any: of two with the same method,
// target and copy source, one must want a name that the other does not list.
func overlapping() (a, b string) {
	for i, x := range operations {
		for _, y := range operations[i+1:] {
			if x.method == y.method && x.on == y.on && x.copy == y.copy && listsAll(x, y.selected) && listsAll(y, x.selected) {
				return x.name, y.name
			}
		}
	}
	return "", ""
}

func listsAll(op operation, names []string) bool {
	for _, n := range names {
		if (query{{name: n}}).outside(&op) != "" {
			return false
		}
	}
	return true
}
