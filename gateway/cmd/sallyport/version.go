package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/gateway/config"
)

// build is what the binary knows of its own making.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
}

func buildInfo() build {
	b := build{Version: "devel", Revision: "unknown", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this binary", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			b := buildInfo()
			if wantsJSON(c) {
				return printJSON(c, b)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "sallyport %s (%s, %s)\n", b.Version, b.Revision, b.Go)
			return fail(exitInternal, err)
		},
	}
}

func newHealthcheck() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use: "healthcheck", Short: "Exit 0 if the gateway on this machine is ready", Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fail(exitUsage, fmt.Errorf("--address %q: want HOST:PORT, as the gateway's listen.http", address))
			}
			ctx, cancel := context.WithTimeout(c.Context(), 5*time.Second)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
			if err != nil {
				return fail(exitUsage, fmt.Errorf("--address %q: want HOST:PORT, as the gateway's listen.http", address))
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				return fail(exitInternal, fmt.Errorf("the gateway does not answer on %s (its listen.http): %w", address, err))
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
			if err != nil {
				return fail(exitInternal, err)
			}
			if wantsJSON(c) && json.Valid(body) {
				c.OutOrStdout().Write(body)
			}
			if resp.StatusCode != http.StatusOK {
				return fail(exitInternal, fmt.Errorf("not ready: %s", bytes.TrimSpace(body)))
			}
			return nil
		},
	}
	c.Flags().StringVar(&address, "address", config.Default().Listen.HTTP, "the gateway's listen.http")
	return c
}
