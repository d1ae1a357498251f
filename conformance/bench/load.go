package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	direct = "direct" // gRPC to the server's socket
	envoy  = "envoy"  // HTTP to an Envoy that asks the server
)

// target is a server and the road to it.
type target struct {
	road, server string
	pid          int    // of the server
	envoy        int    // of its Envoy, 0 where there is none
	address      string // the server's socket, or Envoy's host and port
	all          bool   // the server allows everything
	plain        bool   // the server reads plain headers, not raw ones
}

// caller asks one question after the other. refused is what the server says to one that it does not allow, "" if it does.
type caller struct {
	ask   func(question) (refused string, err error)
	close func()
}

// answerTimeout is far above anything but a server that hangs.
const answerTimeout = 10 * time.Second

// dial returns n callers. On the direct road they share four connections, as much as one Envoy with four workers would open.
func (t target) dial(ctx context.Context, n int) (callers []caller, err error) {
	if t.road == envoy {
		for range n {
			c, err := net.Dial("tcp", t.address)
			if err != nil {
				return callers, err
			}
			callers = append(callers, overHTTP(c))
		}
		return callers, nil
	}
	var conns []*grpc.ClientConn
	for range min(n, 4) {
		c, err := grpc.NewClient("unix:"+t.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return callers, err
		}
		conns = append(conns, c)
	}
	for i := range n {
		conn := conns[i%len(conns)]
		client := authv3.NewAuthorizationClient(conn)
		callers = append(callers, caller{
			ask: func(q question) (string, error) {
				ctx, cancel := context.WithTimeout(ctx, answerTimeout)
				defer cancel()
				check := q.check
				if t.plain {
					check = q.plain
				}
				answer, err := client.Check(ctx, check)
				if answer.GetOkResponse() != nil && answer.GetStatus().GetCode() == 0 {
					return "", err
				}
				return "denied: " + answer.GetDeniedResponse().GetBody(), err
			},
			close: func() { conn.Close() }, // more than once, which is an error that says so
		})
	}
	return callers, nil
}

// overHTTP keeps one connection. net/http's client would cost as much as what is measured.
func overHTTP(c net.Conn) caller {
	r := bufio.NewReader(c)
	return caller{
		ask: func(q question) (string, error) {
			c.SetDeadline(time.Now().Add(answerTimeout))
			if _, err := c.Write(q.http); err != nil {
				return "", err
			}
			answer, err := http.ReadResponse(r, nil)
			if err != nil {
				return "", err
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			switch {
			case err != nil:
				return "", err
			case answer.StatusCode == http.StatusOK:
				return "", nil
			case answer.StatusCode == http.StatusForbidden:
				return "denied: " + string(body), nil
			default:
				return "", errors.New("Envoy says " + answer.Status)
			}
		},
		close: func() { c.Close() },
	}
}

// sample is what one measurement saw.
type sample struct {
	rps, p50, p99   float64 // per second, ms, ms
	server, proxies float64 // CPU µs a request
}

// load keeps inFlight questions under way for a while. An answer that is not as it must be is an error: who refuses is fast, and who
// allows everything too.
func load(ctx context.Context, t target, questions []question, inFlight int, lasting time.Duration) (sample, error) {
	callers, err := t.dial(ctx, inFlight)
	defer func() {
		for _, c := range callers {
			c.close()
		}
	}()
	if err != nil {
		return sample{}, err
	}
	one := func(c caller, n int) error {
		q := questions[n%len(questions)]
		refused, err := c.ask(q)
		switch must := q.allow || t.all; {
		case err != nil:
			return fmt.Errorf("%s: %w", q.name, err)
		case must && refused != "":
			return fmt.Errorf("%s: %s", q.name, refused)
		case !must && refused == "":
			return fmt.Errorf("%s: allowed, and must be denied", q.name)
		}
		return nil
	}
	for i := range max(len(callers), len(questions)) { // warm: every connection and every token was there before
		if err := one(callers[i%len(callers)], i); err != nil {
			return sample{}, err
		}
	}
	serverBefore, envoyBefore, err := t.cpu()
	if err != nil {
		return sample{}, err
	}
	type done struct {
		times []time.Duration
		err   error
	}
	results := make(chan done, inFlight)
	start := time.Now()
	for i, c := range callers {
		go func() {
			var d done
			for n := i; time.Since(start) < lasting && d.err == nil; n++ {
				asked := time.Now()
				d.err = one(c, n)
				d.times = append(d.times, time.Since(asked))
			}
			results <- d
		}()
	}
	var times []time.Duration
	for range callers {
		d := <-results
		err = errors.Join(err, d.err)
		times = append(times, d.times...)
	}
	took := time.Since(start)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return sample{}, err
	}
	serverAfter, envoyAfter, err := t.cpu()
	if err != nil {
		return sample{}, err
	}
	slices.Sort(times)
	n := len(times)
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(n) }
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return sample{
		rps: float64(n) / took.Seconds(), p50: ms(times[n/2]), p99: ms(times[n*99/100]),
		server: each(serverAfter - serverBefore), proxies: each(envoyAfter - envoyBefore),
	}, nil
}

func (t target) cpu() (server, proxy time.Duration, err error) {
	server, err = cpu(t.pid)
	if t.envoy == 0 || err != nil {
		return server, 0, err
	}
	proxy, err = cpu(t.envoy)
	return server, proxy, err
}
