package resource

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

// maxLabel bounds the text of a label; all metadata of an object is 2 KB at most.
const maxLabel = 2 << 10

// ownLabels reads the labels of an object's metadata and tags: JSON in the metadata label, the header SIO-Label in the metadata sio-label
// (ADatP-4778.2), and JSON in base64url in the tag label, since tags take no braces. All count that are there, and one that can't be
// read is an error.
func (c *Catalogue) ownLabels(o authz.Object) (metadata, tags []authz.Label, err error) {
	for _, form := range []struct {
		where, text string
		read        func(string) (authz.Label, error)
		to          *[]authz.Label
	}{
		{"metadata label", o.Metadata[s3.OwnLabel], func(s string) (authz.Label, error) { return c.schemes.ParseJSON([]byte(s)) }, &metadata},
		{"metadata sio-label", o.Metadata[s3.SIOLabel], c.sioLabel, &metadata},
		{"tag label", o.Tags[s3.OwnLabel], c.tagLabel, &tags},
	} {
		if form.text == "" {
			continue
		}
		if len(form.text) > maxLabel {
			return nil, nil, fmt.Errorf("%s: longer than %d bytes", form.where, maxLabel)
		}
		l, err := form.read(form.text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", form.where, err)
		}
		*form.to = append(*form.to, l)
	}
	return metadata, tags, nil
}

func (c *Catalogue) sioLabel(text string) (authz.Label, error) {
	l, err := c.schemes.ParseSIOLabel(text, authz.Time{})
	return l.Document.Label, err
}

func (c *Catalogue) tagLabel(text string) (authz.Label, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return authz.Label{}, errors.New("want base64url of a JSON object, without padding")
	}
	return c.schemes.ParseJSON(b)
}

// requestLabels are the labels that a write gives what it makes: its own, and those that a copy takes over from its source.
func (c *Catalogue) requestLabels(l s3.Labels, source authz.Object) ([]authz.Label, error) {
	if l.KeepsMetadata && len(l.Metadata) > 0 || l.KeepsTags && len(l.Tags) > 0 {
		return nil, errors.New("the copy names a label and keeps its source's: say REPLACE in its directive")
	}
	written := authz.Object{Metadata: l.Metadata, Tags: l.Tags}
	if l.KeepsMetadata {
		written.Metadata = source.Metadata
	}
	if l.KeepsTags {
		written.Tags = source.Tags
	}
	metadata, tags, err := c.ownLabels(written)
	return append(append([]authz.Label{}, metadata...), tags...), err
}
