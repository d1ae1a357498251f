package resource

import (
	"slices"
	"strings"
)

// tree is a radix tree of the ids of rows: each node's edge is what its ids have in common beyond their parent's, so a look-up reads the
// path once and costs the same among ten rows and among 100,000. It is built once and never changes; its zero value is empty.
type tree[V any] struct {
	edge     string
	value    *V         // nil where no id ends
	children []*tree[V] // by the first byte of their edges, no two of which are alike
}

// add puts a value at id, which is not there yet.
func (t *tree[V]) add(id string, v *V) {
	for id != "" {
		i, found := t.child(id[0])
		if !found {
			t.children = slices.Insert(t.children, i, &tree[V]{edge: id, value: v})
			return
		}
		c := t.children[i]
		n := common(c.edge, id)
		if n < len(c.edge) { // id parts from the edge: what follows moves down
			c.edge, t.children[i] = c.edge[n:], &tree[V]{edge: c.edge[:n], children: []*tree[V]{c}}
			c = t.children[i]
		}
		t, id = c, id[n:]
	}
	t.value = v
}

// longest returns the value of the longest id that path starts with, nil if there is none.
func (t *tree[V]) longest(path string) (best *V) {
	for {
		if t.value != nil {
			best = t.value
		}
		next := t.next(path)
		if next == nil || !strings.HasPrefix(path, next.edge) {
			return best
		}
		t, path = next, path[len(next.edge):]
	}
}

// under returns the values of all ids that start with prefix, in the order of the ids, at most limit of them; and above, the value
// of the longest id that prefix starts with, if it is not among these.
func (t *tree[V]) under(prefix string, limit int) (above *V, found []*V) {
	for prefix != "" {
		if t.value != nil {
			above = t.value
		}
		next := t.next(prefix)
		switch {
		case next == nil:
			return above, nil
		case strings.HasPrefix(prefix, next.edge):
			t, prefix = next, prefix[len(next.edge):]
		case strings.HasPrefix(next.edge, prefix):
			return above, next.all(nil, limit)
		default:
			return above, nil
		}
	}
	if t.value != nil { // the longest is the prefix itself
		above = nil
	}
	return above, t.all(nil, limit)
}

// all appends the values in the tree to found.
func (t *tree[V]) all(found []*V, limit int) []*V {
	if t.value != nil && len(found) < limit {
		found = append(found, t.value)
	}
	for _, c := range t.children {
		if len(found) >= limit {
			break
		}
		found = c.all(found, limit)
	}
	return found
}

// next returns the child by which path goes on, if there is one.
func (t *tree[V]) next(path string) *tree[V] {
	if path == "" {
		return nil
	}
	i, found := t.child(path[0])
	if !found {
		return nil
	}
	return t.children[i]
}

func (t *tree[V]) child(first byte) (int, bool) {
	return slices.BinarySearchFunc(t.children, first, func(c *tree[V], b byte) int { return int(c.edge[0]) - int(b) })
}

// common returns how many bytes a and b begin with alike.
func common(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
