// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/upmio/unit-operator/test/bed/images"
	"github.com/upmio/unit-operator/test/bed/machine"
	"github.com/upmio/unit-operator/test/bed/pki"
	"github.com/upmio/unit-operator/test/bed/proc"
)

// Node is a node of a bed: a network namespace with a kubelet, a kube-proxy, a containerd and a volume
// driver in it, each with directories of its own.
type Node struct {
	bed   *Bed
	index int
}

// Name of the Node object.
func (n Node) Name() string { return fmt.Sprintf("node-%d", n.index) }

// IP is the node's address.
func (n Node) IP() string { return fmt.Sprintf("10.89.0.1%d", n.index) }

// Dir holds everything of the node; ContainerdSocket is where its containerd listens.
func (n Node) Dir() string              { return n.bed.path(n.Name()) }
func (n Node) ContainerdSocket() string { return n.path("containerd.sock") }

func (n Node) path(parts ...string) string {
	return filepath.Join(append([]string{n.Dir()}, parts...)...)
}
func (n Node) netns() string       { return prefix + "-" + n.Name() }
func (n Node) link() string        { return fmt.Sprintf("%s-n%d", prefix, n.index) }
func (n Node) cgroup() string      { return prefix + "-" + n.Name() }
func (n Node) podSubnet() string   { return fmt.Sprintf("%s%d.0/24", podPrefix, n.index) }
func (n Node) kubeletRoot() string { return n.path("kubelet") }
func (n Node) state() string       { return n.path("state") }

// prepare makes the node's directories, network, certificates and configuration files.
func (n Node) prepare(ctx context.Context) error {
	for _, dir := range []string{n.kubeletRoot(), n.path("cni"), n.path("podlogs"), n.path("volume-plugins")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := machine.EnsureCgroup(n.cgroup()); err != nil {
		return err
	}
	if err := n.ensureNetwork(ctx); err != nil {
		return err
	}
	serving, err := n.issue()
	if err != nil {
		return err
	}
	return n.configure(serving)
}

// namespace is the node's network.
func (n Node) namespace() machine.Namespace {
	namespace := machine.Namespace{
		Name: n.netns(), Bridge: bridge, Link: n.link(), Address: n.IP() + "/24", Gateway: hostIP, Routes: map[string]string{},
	}
	for _, other := range n.bed.Nodes() {
		if other.index != n.index {
			namespace.Routes[other.podSubnet()] = other.IP()
		}
	}
	return namespace
}

func (n Node) ensureNetwork(ctx context.Context) error {
	if err := n.namespace().Ensure(ctx); err != nil {
		return err
	}
	if !machine.LinkUp(n.link()) { // new, or cut
		if err := machine.SetLink(ctx, n.link(), true); err != nil {
			return err
		}
	}
	return machine.ReplaceRoute(ctx, n.podSubnet(), n.IP())
}

// issue makes the kubelet's client certificate, in a kubeconfig file, and returns its serving one.
func (n Node) issue() (pki.Pair, error) {
	authority := n.bed.plane.authority
	client, err := authority.Issue("kubelet-client-"+n.Name(), pki.Request{User: "system:node:" + n.Name(), Groups: []string{"system:nodes"}})
	if err != nil {
		return pki.Pair{}, err
	}
	if err := authority.Kubeconfig(n.path("kubelet.kubeconfig"), n.bed.plane.serverURL(), client); err != nil {
		return pki.Pair{}, err
	}
	return authority.Issue("kubelet-"+n.Name(), pki.Request{User: "system:node:" + n.Name(), Groups: []string{"system:nodes"}, Hosts: []string{n.Name(), n.IP()}})
}

func (n Node) configure(serving pki.Pair) error {
	return errors.Join(
		render("containerd.toml", n.path("containerd.toml"), containerdConfig{
			Root: n.path("containerd"), State: n.state(), Socket: n.ContainerdSocket(), CNI: n.path("cni"), Pause: images.PauseReference,
		}),
		render("cni.conflist", n.path("cni", "10-bed.conflist"), map[string]string{
			"Name": prefix, "IPAM": n.path("ipam"), "Subnet": n.podSubnet(),
		}),
		render("kubelet.yaml", n.path("kubelet.yaml"), map[string]string{
			"Address": n.IP(), "CACert": n.bed.plane.authority.CACert(), "Cert": serving.Cert, "Key": serving.Key,
			"Cgroup": n.cgroup(), "Socket": n.ContainerdSocket(), "DNS": hostIP, "Domain": clusterDomain,
			"ResolvConf": n.path("resolv.conf"), "PodLogs": n.path("podlogs"), "VolumePlugins": n.path("volume-plugins"),
		}),
		// Empty: pods ask the bed's DNS and nothing beyond it.
		os.WriteFile(n.path("resolv.conf"), nil, 0o644),
	)
}

// containerdConfig is what files/containerd.toml is filled in with.
type containerdConfig struct {
	Root, State, Socket, CNI, Pause string
	StoreOnly                       bool // without CRI
}

func (n Node) containerd() proc.Daemon {
	bin := n.bed.settings.Binaries["containerd"]
	d := n.bed.daemon("containerd-"+n.Name(), machine.NetNSPath(n.netns()), filepath.Join(bin, "containerd"), "-c", n.path("containerd.toml"))
	d.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")} // where it looks for the shim
	return d
}

func (n Node) kubelet() proc.Daemon {
	labels := fmt.Sprintf("topology.kubernetes.io/region=bed,topology.kubernetes.io/zone=zone-%d", n.index)
	for _, kind := range []string{images.MySQL, images.PostgreSQL, images.ProxySQL} {
		labels += ",upm.api/software." + kind + "=true"
	}
	return n.bed.daemon("kubelet-"+n.Name(), machine.NetNSPath(n.netns()), n.bed.plane.binary("kubelet"),
		"--config", n.path("kubelet.yaml"),
		"--kubeconfig", n.path("kubelet.kubeconfig"),
		"--hostname-override", n.Name(),
		"--node-ip", n.IP(),
		"--root-dir", n.kubeletRoot(),
		"--cert-dir", n.path("pki"),
		"--node-labels", labels,
	)
}

func (n Node) proxy() proc.Daemon {
	return n.bed.daemon("kube-proxy-"+n.Name(), machine.NetNSPath(n.netns()), n.bed.plane.binary("kube-proxy"),
		"--kubeconfig", n.bed.plane.kubeconfig("kube-proxy"),
		"--hostname-override", n.Name(),
		"--proxy-mode", "iptables",
		"--cluster-cidr", podPrefix+"0.0/16",
		"--conntrack-max-per-core", "0", // the machine's own setting is left alone
		"--healthz-bind-address", "127.0.0.1:10256",
		"--metrics-bind-address", "127.0.0.1:10249",
	)
}

// volumeDriver runs outside the node's network: it talks through the kubelet's directory only.
func (n Node) volumeDriver() proc.Daemon {
	return n.bed.daemon("csi-"+n.Name(), "", filepath.Join(n.bed.settings.Binaries["csi"], "loopcsi"),
		"--mode", "node", "--node", n.Name(), "--kubelet-root", n.kubeletRoot(), "--dir", n.bed.path("volumes"))
}

// startContainerd returns when containerd answers.
func (n Node) startContainerd(ctx context.Context) error {
	if err := start(ctx, n.containerd()); err != nil {
		return err
	}
	return n.ctr().waitAnswer(ctx, n.containerd().Ended)
}

// startKubelet starts what makes the node a node, once its containerd runs.
func (n Node) startKubelet(ctx context.Context) error {
	return start(ctx, n.volumeDriver(), n.kubelet(), n.proxy())
}

func (n Node) ctr() ctr {
	return ctr{program: filepath.Join(n.bed.settings.Binaries["containerd"], "ctr"), socket: n.ContainerdSocket()}
}

const daemonGrace = 10 * time.Second
