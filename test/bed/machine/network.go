// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const netnsDir = "/run/netns"

// NetNSPath is the path by which a process joins the named network namespace.
func NetNSPath(name string) string { return filepath.Join(netnsDir, name) }

func linkExists(name string) bool { return exists(filepath.Join("/sys/class/net", name)) }

// EnsureBridge makes a bridge with an address (with its prefix length) on the machine.
func EnsureBridge(ctx context.Context, name, cidr string) error {
	if !linkExists(name) {
		if err := runAll(ctx, "ip link add "+name+" type bridge"); err != nil {
			return err
		}
	}
	return runAll(ctx,
		"ip addr replace "+cidr+" dev "+name,
		"ip link set "+name+" up",
	)
}

// Namespace is a network namespace joined to a bridge of the machine.
type Namespace struct {
	Name   string
	Bridge string
	// Link is the machine's end of the pair of links; the other end is eth0 in the namespace.
	Link string
	// Address (with prefix length) of eth0, and Gateway, the bridge's.
	Address, Gateway string
	// Routes maps destinations to gateways.
	Routes map[string]string
}

// Ensure makes the namespace, its link, addresses and routes.
func (n Namespace) Ensure(ctx context.Context) error {
	if !exists(NetNSPath(n.Name)) {
		if err := runAll(ctx, "ip netns add "+n.Name); err != nil {
			return err
		}
	}
	if _, err := Run(ctx, "ip", "-n", n.Name, "link", "show", "eth0"); err != nil {
		if linkExists(n.Link) { // of a namespace that is gone, or going
			if err := runAll(ctx, "ip link del "+n.Link); err != nil {
				return err
			}
		}
		if err := runAll(ctx, "ip link add "+n.Link+" type veth peer name eth0 netns "+n.Name); err != nil {
			return err
		}
	}
	in := "ip -n " + n.Name + " "
	lines := []string{
		"ip link set " + n.Link + " master " + n.Bridge,
		in + "link set lo up",
		in + "addr replace " + n.Address + " dev eth0",
		in + "link set eth0 up",
		in + "route replace default via " + n.Gateway,
		// For services whose server is on the same node: replies must pass the translation again.
		"nsenter --net=" + NetNSPath(n.Name) + " sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0",
	}
	for destination, gateway := range n.Routes {
		lines = append(lines, in+"route replace "+destination+" via "+gateway)
	}
	if err := runAll(ctx, lines...); err != nil {
		return err
	}
	// Absent where bridge filtering is not built in; then it is not needed either.
	if exists("/proc/sys/net/bridge") {
		return runAll(ctx, "nsenter --net="+NetNSPath(n.Name)+" sysctl -qw net.bridge.bridge-nf-call-iptables=1")
	}
	return nil
}

// SetLink puts a link of the machine up or down.
func SetLink(ctx context.Context, name string, up bool) error {
	state := "down"
	if up {
		state = "up"
	}
	return runAll(ctx, fmt.Sprintf("ip link set %s %s", name, state))
}

// LinkUp tells whether a link is set up.
func LinkUp(name string) bool {
	data, err := os.ReadFile(filepath.Join("/sys/class/net", name, "flags"))
	if err != nil {
		return false
	}
	var flags uint64
	if _, err := fmt.Sscan(strings.TrimSpace(string(data)), &flags); err != nil {
		return false
	}
	return flags&syscall.IFF_UP != 0
}

// ReplaceRoute routes destination via gateway on the machine. The route goes with the bridge.
func ReplaceRoute(ctx context.Context, destination, gateway string) error {
	return runAll(ctx, "ip route replace "+destination+" via "+gateway)
}

// Namespaces returns the names of network namespaces that begin with prefix.
func Namespaces(prefix string) []string { return namesIn(netnsDir, prefix) }

// Links returns the names of the machine's links that begin with prefix.
func Links(prefix string) []string { return namesIn("/sys/class/net", prefix) }

func namesIn(dir, prefix string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, prefix+"*")) // the only error is a bad pattern
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// Remove removes the namespace and its link.
func (n Namespace) Remove(ctx context.Context) error {
	return errors.Join(removeLink(ctx, n.Link), removeNamespace(ctx, n.Name))
}

// removeLink removes a link, and with it the other end of its pair, at once: a namespace that is deleted
// takes its links along only when the kernel gets round to it.
func removeLink(ctx context.Context, name string) error {
	if !linkExists(name) {
		return nil
	}
	if err := runAll(ctx, "ip link del "+name); err != nil && linkExists(name) {
		return err
	}
	return nil
}

func removeNamespace(ctx context.Context, name string) error {
	if !exists(NetNSPath(name)) {
		return nil
	}
	return runAll(ctx, "ip netns del "+name)
}

// RemoveNetwork removes the links and namespaces whose names begin with prefix.
func RemoveNetwork(ctx context.Context, prefix string) error {
	var errs []error
	for _, name := range Links(prefix) {
		errs = append(errs, removeLink(ctx, name))
	}
	for _, name := range Namespaces(prefix) {
		errs = append(errs, removeNamespace(ctx, name))
	}
	// ip mounts the directory on itself for the first namespace and leaves it so.
	if entries, err := os.ReadDir(netnsDir); err == nil && len(entries) == 0 {
		for syscall.Unmount(netnsDir, syscall.MNT_DETACH) == nil {
		}
		errs = append(errs, os.Remove(netnsDir))
	}
	return errors.Join(errs...)
}
