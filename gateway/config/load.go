package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"
)

const maxFile = 1 << 20

// Load reads the file at path and lays the SALLYPORT_* variables of env ("NAME=value", as os.Environ has them) and then overrides
// (dotted key → value, from flags) over it. Its error is an *Errors; a Config without one has passed Validate.
//
// SALLYPORT_LISTEN_HTTP sets listen.http, and so on for each single value; lists and the credentials are set in the file only.
// Any other variable that begins with SALLYPORT_ is an error, but for those that Kubernetes sets for a service of that name
// (SALLYPORT_SERVICE_HOST, SALLYPORT_PORT_8282_TCP, …).
func Load(path string, env []string, overrides map[string]string) (Config, error) {
	root, err := readTree(path)
	if err != nil {
		return Config{}, err
	}
	d := decoder{file: path, laid: map[*yaml.Node]string{}, where: map[string]string{}}
	d.layVariables(root, env)
	d.layOverrides(root, overrides)
	c := Default()
	d.decode(root, reflect.ValueOf(&c).Elem(), "")
	if err := d.err(); err != nil {
		return Config{}, err
	}
	d.where[""] = path
	c.where = d.where
	if network, _ := SplitAddress(c.Listen.ExtAuthz); network != "unix" && d.where["listen.peers"] == "" {
		c.Listen.Peers = nil // a TCP peer has no uid
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// readTree reads the one document of the file at path.
func readTree(path string) (*yaml.Node, error) {
	refuse := func(place, what, do string) (*yaml.Node, error) {
		return nil, problems{{Place: place, What: what, Do: do}}.err()
	}
	if path == "" {
		return refuse("", "no config file is named", "give one with -c FILE")
	}
	b, _, err := readFile(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse(path, "there is no such file", "name the config file with -c FILE")
	case errors.Is(err, errNotRegular):
		return refuse(path, "is a folder or a special file", "name the config file itself")
	case errors.Is(err, errTooLong):
		return refuse(path, "is longer than 1 MiB", "name a config file; its policy belongs into the bundle")
	case err != nil:
		return refuse(path, "can't be read: "+cause(err), "let the gateway's user read it")
	}
	var docs [2]yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for i := range docs {
		if err := dec.Decode(&docs[i]); err != nil && !errors.Is(err, io.EOF) {
			return refuse(syntax(path, err))
		}
	}
	switch first, second := docs[0], docs[1]; {
	case first.IsZero() || first.Content[0].ShortTag() == "!!null":
		return refuse(path, "is empty", "start from deploy/sallyport.yaml")
	case !second.IsZero():
		return refuse(fmt.Sprintf("%s:%d", path, second.Line), "a second document begins", "keep one document in the file")
	default:
		return first.Content[0], nil
	}
}

// syntax turns an error of the YAML parser into place, what and do.
func syntax(path string, err error) (place, what, do string) {
	place, what, do = path, err.Error(), "write it as YAML, indented with spaces"
	if m := yamlError.FindStringSubmatch(err.Error()); m != nil {
		what = m[2]
		if m[1] != "" {
			place += ":" + m[1]
		}
	}
	return place, "is not YAML: " + strings.ReplaceAll(what, "\n", " "), do
}

var (
	settable = scalarKeys(reflect.TypeFor[Config](), "")

	// serviceLink matches what Kubernetes sets in each pod beside a service whose name begins with sallyport.
	serviceLink = regexp.MustCompile(`^SALLYPORT_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$`)
)

func variable(key string) string {
	return "SALLYPORT_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func (d *decoder) layVariables(root *yaml.Node, env []string) {
	byName := map[string]string{}
	for _, k := range settable {
		byName[variable(k)] = k
	}
	for _, e := range env {
		n, v, _ := strings.Cut(e, "=")
		key, known := byName[n]
		switch {
		case !strings.HasPrefix(n, "SALLYPORT_") || !known && serviceLink.MatchString(n):
		case !known:
			do := "unset it; lists and credentials are set in the file"
			if near, ok := closest(n, slices.Sorted(maps.Keys(byName))); ok {
				do = fmt.Sprintf("did you mean %s (%s)?", near, byName[near])
			}
			d.add(n, "", "no key has this variable", do)
		case v == "":
			d.add(n, key, "is empty", "unset it, or give it a value")
		default:
			d.lay(root, key, v, n)
		}
	}
}

func (d *decoder) layOverrides(root *yaml.Node, overrides map[string]string) {
	const place = "command line"
	for _, key := range slices.Sorted(maps.Keys(overrides)) {
		if slices.Contains(settable, key) {
			d.lay(root, key, overrides[key], place)
			continue
		}
		do := "lists and credentials are set in the file"
		if near, ok := closest(key, settable); ok {
			do = fmt.Sprintf("did you mean %q?", near)
		}
		d.add(place, key, "unknown key, or not a single value", do)
	}
}

// lay sets the value of key in the tree. What is no mapping on the way is left for decode to refuse.
func (d *decoder) lay(n *yaml.Node, key, value, place string) {
	t := reflect.TypeFor[Config]()
	path := strings.Split(key, ".")
	for i, part := range path {
		if n.Kind != yaml.MappingNode {
			return
		}
		f, _ := field(t, part)
		t = f.Type
		next := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if i == len(path)-1 {
			next = &yaml.Node{Kind: yaml.ScalarNode, Value: value}
			if t.Kind() == reflect.String || t == reflect.TypeFor[time.Duration]() {
				next.Tag = "!!str"
			}
		}
		at := slices.IndexFunc(slices.Collect(slices.Chunk(n.Content, 2)), func(kv []*yaml.Node) bool { return kv[0].Value == part })
		switch {
		case at < 0:
			d.laid[next] = place
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part}, next)
		case i == len(path)-1:
			d.laid[next] = place
			n.Content[2*at+1] = next
		default:
			next = n.Content[2*at+1]
		}
		n = next
	}
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLong    = errors.New("too long")
)

// readFile reads a regular file of at most limit bytes, and returns its mode too.
func readFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe would wait for its writer
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errNotRegular
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLong
	}
	return b, info.Mode().Perm(), err
}

// cause is the system's own word for an error whose path is told already.
func cause(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}
