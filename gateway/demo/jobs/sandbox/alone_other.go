//go:build unix && !linux

package sandbox

import "syscall"

// alone gives the child its own process group. Only Linux can also tie its life to the service's.
func alone() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// restrain has limits on Linux only; elsewhere a run has those of wazero and the clock.
func restrain() error { return nil }
