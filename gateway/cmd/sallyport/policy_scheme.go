package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz/label/spif"
)

func newPolicyScheme() *cobra.Command {
	return group("scheme", "Work on classification schemes", newPolicySchemeImport())
}

func newPolicySchemeImport() *cobra.Command {
	var nation string
	c := &cobra.Command{
		Use:   "import FILE.xml",
		Short: "Turn an Open XML SPIF 2.1 into the data of a scheme",
		Long: `Turn an Open XML SPIF 2.1 into the data of a scheme, for policies/schemes/<ID>/data.yaml, on standard output. Standard error says,
item by item, what could not be carried over. The file's signature is not verified. FILE.xml - is standard input.`,
		Args: one("FILE.xml"),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readSPIF(c, args[0])
			if err != nil {
				return fail(exitUsage, err)
			}
			if nation != "" && !countryCode(nation) {
				return fail(exitUsage, fmt.Errorf("--nation %q: want an ISO 3166-1 alpha-3 code, such as NZL", nation))
			}
			r, err := spif.Import(b, nation)
			if err != nil {
				return fail(exitPolicy, fmt.Errorf("%s: %w", args[0], err))
			}
			for _, n := range r.Notes {
				fmt.Fprintf(c.ErrOrStderr(), "%s:%d: not carried over: %s: %s\n", args[0], n.Line, n.What, n.Why)
			}
			if wantsJSON(c) {
				return printJSON(c, r)
			}
			text, err := schemeYAML(r)
			if err == nil {
				_, err = c.OutOrStdout().Write(text)
			}
			return fail(exitInternal, err)
		},
	}
	c.Flags().StringVar(&nation, "nation", "", "whose policy it is, an ISO 3166-1 alpha-3 code; a SPIF does not say")
	return c
}

func readSPIF(c *cobra.Command, path string) ([]byte, error) {
	var r io.Reader = c.InOrStdin()
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, spif.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(b) > spif.MaxBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, spif.MaxBytes)
	}
	return b, nil
}

func countryCode(s string) bool {
	for _, c := range s {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return len(s) == 3
}

// schemeYAML writes a scheme as the files under policies/schemes are written: the items of a list on one line each.
func schemeYAML(r spif.Result) ([]byte, error) {
	var doc yaml.Node
	if err := doc.Encode(r.Scheme); err != nil {
		return nil, err
	}
	onOneLine(&doc, false)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# policies/schemes/%s/data.yaml, imported from a SPIF: correct it before it is used\n", r.ID)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	err := errors.Join(e.Encode(&doc), e.Close())
	return b.Bytes(), err
}

func onOneLine(n *yaml.Node, item bool) {
	scalars := n.Kind == yaml.SequenceNode
	for _, c := range n.Content {
		scalars = scalars && c.Kind == yaml.ScalarNode
	}
	if item || scalars || len(n.Content) == 0 {
		n.Style |= yaml.FlowStyle
		return
	}
	for _, c := range n.Content {
		onOneLine(c, n.Kind == yaml.SequenceNode)
	}
}
