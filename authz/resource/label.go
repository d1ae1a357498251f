package resource

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// maxLabel bounds the text of a label; all metadata of an object is 2 KB at most.
const maxLabel = 2 << 10

// Where an object carries its label: in metadata as JSON, or in a tag, whose values take no JSON, as base64url of it.
const ownLabel = "label"

// ownLabels reads the labels of an object's metadata and tags. Both count where both are there, and one that can't be read is an error.
func ownLabels(o authz.Object) (metadata, tags []authz.Label, err error) {
	if metadata, err = readLabel(o.Metadata[ownLabel], "metadata"); err != nil {
		return nil, nil, err
	}
	tags, err = readLabel(o.Tags[ownLabel], "tag")
	return metadata, tags, err
}

// requestLabels are the labels that a write gives what it makes: its own, and those that a copy takes over from its source.
func requestLabels(l s3.Labels, source authz.Object) ([]authz.Label, error) {
	if l.KeepsMetadata && l.Metadata != "" || l.KeepsTags && l.Tag != "" {
		return nil, errors.New("the copy names a label and keeps its source's: say REPLACE in its directive")
	}
	written := authz.Object{Metadata: map[string]string{ownLabel: l.Metadata}, Tags: map[string]string{ownLabel: l.Tag}}
	if l.KeepsMetadata {
		written.Metadata = source.Metadata
	}
	if l.KeepsTags {
		written.Tags = source.Tags
	}
	metadata, tags, err := ownLabels(written)
	return append(append([]authz.Label{}, metadata...), tags...), err
}

// readLabel reads one label, none of the empty text.
func readLabel(text, where string) ([]authz.Label, error) {
	if text == "" {
		return nil, nil
	}
	l, err := parseLabel(text)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", where, ownLabel, err)
	}
	return []authz.Label{whole(l)}, nil
}

func parseLabel(text string) (authz.Label, error) {
	if len(text) > maxLabel {
		return authz.Label{}, fmt.Errorf("longer than %d bytes", maxLabel)
	}
	b := []byte(text)
	if !strings.HasPrefix(text, "{") {
		var err error
		if b, err = base64.RawURLEncoding.Strict().DecodeString(text); err != nil {
			return authz.Label{}, errors.New("is neither a JSON object nor base64url of one")
		}
	}
	if err := plainNames(b); err != nil {
		return authz.Label{}, err
	}
	var l authz.Label
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return authz.Label{}, fmt.Errorf("is no label: %w", err)
	}
	if l.Scheme == "" || l.Level == "" {
		return authz.Label{}, errors.New("has no scheme or no level")
	}
	return l, nil
}

// plainNames refuses one value that encoding/json would read and another reader differently: members that repeat, in
// whatever case, or what stands behind it.
func plainNames(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	var open []map[string]bool // of each object or list around the next token the names so far; nil of a list
	name := false              // the next token is a name
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if err != nil {
			return errors.New("is not one JSON object")
		}
		switch t {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if s, ok := t.(string); ok && name {
				seen, lower := open[len(open)-1], strings.ToLower(s)
				if seen[lower] {
					return fmt.Errorf("member %.40q is there twice", s)
				}
				seen[lower] = true
				name = false
				continue
			}
		}
		if len(open) == 0 {
			if d.More() || t != json.Delim('}') {
				return errors.New("is not one JSON object")
			}
			continue
		}
		name = open[len(open)-1] != nil
	}
}
