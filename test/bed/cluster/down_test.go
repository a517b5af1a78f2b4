// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/test/bed/images"
)

func TestKubeletsEndBeforeContainerdsAndEtcdAfterTheAPIServer(t *testing.T) {
	got := killOrder([]string{
		"containerd-node-1", "coredns", "csi-node-1", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy-node-1", "kubelet-node-1",
	})
	want := [][]string{
		{"kube-proxy-node-1", "kubelet-node-1"},
		{"containerd-node-1"},
		{"coredns", "csi-node-1", "kube-controller-manager"},
		{"kube-apiserver"},
		{"etcd"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ranks (-want +got):\n%s", diff)
	}
}

func TestANodesImageIsLoadedAgainWhenAnyOfItsNamesIsOfAnotherBuild(t *testing.T) {
	image := images.Image{References: []string{"a:1.2", "a:1"}, Key: "new"}
	for _, c := range []struct {
		name string
		has  loaded
		want bool
	}{
		{"nothing is loaded", loaded{}, false},
		{"an older build", loaded{"a:1": "old", "a:1.2": "old"}, false},
		{"one name was taken by an older build", loaded{"a:1": "old", "a:1.2": "new"}, false},
		{"this build", loaded{"a:1": "new", "a:1.2": "new"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.has.has(image); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
