// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package build

import "slices"

// A component is one nested Go module of the bed and what is built from it. Versions and checksums
// are those of the module's go.mod and go.sum: to update one, change them there.
type component struct {
	// name is what `bed build NAME` calls it.
	name string
	// module is the module's directory below test/bed.
	module string
	// packages are built, each into a binary of its last path element's name.
	packages []string
	// ldflags are added to -s -w.
	ldflags string
	// links are further names for a binary: link name to binary name.
	links map[string]string
	// hint says how long a build takes with nothing cached, on two cores.
	hint string
}

// kubernetesVersion must match k8s.io/kubernetes in kube/go.mod; a unit test compares them. The
// binaries report it, and kubectl warns when it is far from the server's.
const kubernetesVersion = "v1.37.2"

const versionPackage = "k8s.io/component-base/version"

// ProxySQLStandIn is what Component calls the stand-in for ProxySQL, whose binary is named proxysql.
const ProxySQLStandIn = "proxysql-stand-in"

var components = []component{
	{
		name:     "kube",
		module:   "kube",
		packages: []string{"./cmd/kube", "./cmd/pause"},
		ldflags: "-X " + versionPackage + ".gitVersion=" + kubernetesVersion + " -X " + versionPackage + ".gitMajor=1 -X " +
			versionPackage + ".gitMinor=37 -X " + versionPackage + ".gitTreeState=clean",
		links: map[string]string{
			"etcd": "kube", "kube-apiserver": "kube", "kube-controller-manager": "kube", "kube-scheduler": "kube",
			"kubelet": "kube", "kube-proxy": "kube", "kubectl": "kube",
		},
		hint: "some 8 minutes the first time",
	},
	{
		name:   "containerd",
		module: "modules/containerd",
		packages: []string{
			"github.com/containerd/containerd/v2/cmd/containerd",
			"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
			"github.com/containerd/containerd/v2/cmd/ctr",
		},
		hint: "some 80 s the first time",
	},
	{name: "coredns", module: "modules/coredns", packages: []string{"."}, hint: "some 60 s the first time"},
	{
		name:     "csi",
		module:   "csi",
		packages: []string{"./cmd/loopcsi", "github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer"},
		hint:     "some 90 s the first time",
	},
	{
		name:     "s3",
		module:   "modules/versitygw",
		packages: []string{"github.com/versity/versitygw/cmd/versitygw"},
		hint:     "some 2 minutes the first time",
	},
	{name: "s5cmd", module: "modules/s5cmd", packages: []string{"github.com/peak/s5cmd/v2"}, hint: "some 60 s the first time"},
	// It is tested and has its readme outside the bed.
	{name: ProxySQLStandIn, module: "../proxysql", packages: []string{"."}, hint: "some 60 s the first time"},
	{name: "kwok", module: "modules/kwok", packages: []string{"sigs.k8s.io/kwok/cmd/kwok"}, hint: "some 90 s the first time"},
}

// Components returns the names that Component accepts.
func Components() []string {
	var names []string
	for _, c := range components {
		names = append(names, c.name)
	}
	return names
}

func find(name string) (component, bool) {
	i := slices.IndexFunc(components, func(c component) bool { return c.name == name })
	if i < 0 {
		return component{}, false
	}
	return components[i], true
}
