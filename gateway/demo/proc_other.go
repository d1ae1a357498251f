//go:build unix && !linux

package demo

import "syscall"

// ownGroup gives a child its own process group. Only Linux can also tie its life to the supervisor's.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
