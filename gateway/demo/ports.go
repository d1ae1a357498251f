package demo

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// Ports are the TCP ports of the demo, all on loopback.
type Ports struct {
	Storage int // Envoy, in front of the store
	Compute int // Envoy, in front of compute
	Admin   int // Envoy's own
	HTTP    int // the gateway's metrics and health
	Issuers int
}

// promised are the ports that README and users rely on.
var promised = Ports{Storage: 10000, Compute: 10001, Admin: 9901, HTTP: 8282, Issuers: 9400}

// FreePorts returns ports that nobody listens on now, for tests that run beside a demo.
func FreePorts() (Ports, error) {
	var p Ports
	for _, port := range []*int{&p.Storage, &p.Compute, &p.Admin, &p.HTTP, &p.Issuers} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return Ports{}, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close()
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return p, nil
}

// Free returns an EnvironmentError that names every port that can't be had.
func (p Ports) Free() error {
	var taken []string
	for _, u := range []struct {
		port int
		what string
	}{
		{p.Storage, "Envoy's storage listener"}, {p.Compute, "Envoy's compute listener"}, {p.Admin, "Envoy's admin"},
		{p.HTTP, "the gateway's metrics and health"}, {p.Issuers, "the issuers"},
	} {
		l, err := net.Listen("tcp", p.address(u.port))
		switch {
		case err == nil:
			l.Close()
		case errors.Is(err, syscall.EADDRINUSE):
			taken = append(taken, fmt.Sprintf("%d (for %s)", u.port, u.what))
		default:
			return environment("port %d (for %s): %w", u.port, u.what, err)
		}
	}
	if len(taken) > 0 {
		return environment("in use on 127.0.0.1: port %s: stop the program that listens there", strings.Join(taken, ", port "))
	}
	return nil
}

func (p Ports) address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (p Ports) url(port int) string { return "http://" + p.address(port) }

// addresses are those that ready.json tells.
func (p Ports) addresses() map[string]string {
	return map[string]string{
		"storage": p.address(p.Storage), "compute": p.address(p.Compute), "admin": p.address(p.Admin),
		"http": p.address(p.HTTP), "issuers": p.address(p.Issuers),
	}
}
